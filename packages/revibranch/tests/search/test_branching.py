import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from small_problems import Cover, Failing, LinearPolicy, Mixed, Search

from revibranch.configs import PolicyConfig, ScipConfig
from revibranch.learning.forest import Tree
from revibranch.network.graphs import collate
from revibranch.network.policy import ReviBranchPolicy
from revibranch.scip.models import make_scip_model
from revibranch.scip.rules import MostFractionalRule, PseudocostRule, RandomRule, StrongBranchingRule
from revibranch.search.branching import PolicyRule, install_policy, install_rule
from revibranch.search.trees import install_recorder

torch.manual_seed(0)
UNTRAINED = ReviBranchPolicy(PolicyConfig(8, 2, 1, 16, memory_length=4))
RULES = {
    "mostfrac": MostFractionalRule(),
    "pseudocost": PseudocostRule(),
    "random": RandomRule(),
    "strong": StrongBranchingRule(),
    "linear": PolicyRule(LinearPolicy()),
    "untrained": PolicyRule(UNTRAINED),
}
PUBLIC = Path(os.environ.get("SEPARATA_DATA", "data")) / "milp"


FOLDERS = (
    "combinatorial_auction_n_items_100_n_bids_500",
    "knapsack_number_of_items_100_number_of_knapsacks_6",
    "maximum_independent_set_n_nodes_500",
    "set_covering_n_rows_400_n_cols_750",
)
SMALL, DEEP = Cover(0, 24, 48, presolved=False), Cover(4, 28, 56, presolved=False)
"""A dozen nodes and a few dozen."""
PRESOLVED = Cover(4, 22, 44)


def solve(problem, rule=None, **settings):
    model = make_scip_model(problem, ScipConfig(**settings))
    search = Search.install(model)
    plugin = None if rule is None else install_rule(model, rule)
    model.optimize()
    if plugin:
        plugin.check()
    return model, plugin, search


def check_branchings(plugin, search):
    """SCIP's nodes come from branchings on what was logged for their parents; how many of these there were."""
    chosen = dict(plugin.branchings)
    assert len(chosen) == len(plugin.branchings)
    by_rule = search.branchings.keys() & chosen.keys()
    for node in by_rule:
        assert search.branchings[node] == {chosen[node]}
    return len(by_rule)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("problem", "is_depth_first"), [(PRESOLVED, False), (SMALL, True)], ids=str)
def test_scip_branches_on_what_was_chosen_at_every_node(rule, problem, is_depth_first):
    _, plugin, search = solve(problem, RULES[rule], depth_first=is_depth_first)
    assert len(plugin.branchings) > 5
    assert check_branchings(plugin, search) == len(search.branchings) > 5
    assert plugin.seconds > 0


@cache
def optimum(problem):
    """What SCIP finds by itself."""
    model, _, _ = solve(problem)
    assert model.getStatus() == "optimal"
    return model.getObjVal()


def check_optimum(rule, problem, **limits):
    """The optimum is that of SCIP alone; with a time limit that is reached, it is between the bounds."""
    model, plugin, search = solve(problem, RULES[rule], **limits)
    check_branchings(plugin, search)
    best, is_limited = optimum(problem), bool(limits) and model.getStatus() == "timelimit"
    if is_limited:
        sign = -1 if model.getObjectiveSense() == "maximize" else 1
        assert sign * model.getDualbound() <= sign * best + 1e-6 * abs(best)
        assert sign * model.getPrimalbound() >= sign * best - 1e-6 * abs(best)
    else:
        assert model.getStatus() == "optimal"
        assert model.getObjVal() == pytest.approx(best, rel=1e-6)
        assert model.getGap() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_the_optimum_is_that_of_scip_alone(rule):
    for problem in (Cover(1), PRESOLVED, Mixed(0)):
        check_optimum(rule, problem)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_the_optimum_is_that_of_scip_alone_on_many_problems(rule):
    for problem in [*(Cover(seed, 30, 60) for seed in range(14)), *map(Mixed, range(6))]:
        check_optimum(rule, problem)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("folder", FOLDERS)
def test_the_optimum_of_public_problems_is_that_of_scip_alone(rule, folder):
    paths = sorted((PUBLIC / folder).glob("*.lp.gz"))
    if not paths:
        pytest.skip(f"there is no {PUBLIC / folder}")
    for path in paths:
        check_optimum(rule, path, time_limit=30.0)


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), KeyboardInterrupt()])
def test_what_a_rule_raises_ends_the_solve_and_comes_out(error):
    model = make_scip_model(SMALL, ScipConfig())
    plugin = install_rule(model, Failing(error))
    model.optimize()
    assert model.getStatus() == "userinterrupt"
    assert len(plugin.branchings) == 2
    with pytest.raises(type(error)) as caught:
        plugin.check()
    assert caught.value is error
    plugin.check()


class Outside(MostFractionalRule):
    def choose(self, focus):
        return len(focus.candidates)


def test_a_choice_that_is_no_candidate():
    with pytest.raises(ValueError, match="counted from 0"):
        solve(SMALL, Outside())


def test_one_rule_a_model():
    model = make_scip_model(Cover(0), ScipConfig())
    install_rule(model, RandomRule())
    with pytest.raises(ValueError, match="already"):
        install_rule(model, MostFractionalRule())
    late = make_scip_model(Cover(0), ScipConfig())
    late.optimize()
    with pytest.raises(ValueError, match="before the model is solved"):
        install_rule(late, RandomRule())


class Noted(RandomRule):
    """Keeps how many candidates there were, and what was drawn."""

    def __init__(self, seed):
        super().__init__(seed)
        self.drawn = []

    def choose(self, focus):
        choice = super().choose(focus)
        self.drawn.append((len(focus.candidates), choice))
        return choice


def test_solving_again_begins_anew():
    """The second search is another one, as SCIP keeps its solutions."""
    model, rule = make_scip_model(SMALL, ScipConfig()), Noted(3)
    plugin = install_rule(model, rule)
    for _ in range(2):
        rule.drawn.clear()
        model.optimize()
        plugin.check()
        generator = np.random.default_rng(3)
        assert len(plugin.branchings) == len(rule.drawn) > 0
        assert rule.drawn == [(n, generator.integers(n)) for n, _ in rule.drawn]
        model.freeTransform()


def test_branchings_before_a_restart_stay():
    model, rule = make_scip_model(Cover(5, 40, 80), ScipConfig(node_limit=60)), Noted(3)
    model.setParam("presolving/maxrestarts", 2)
    model.setParam("estimation/restarts/restartpolicy", "a")
    model.setParam("estimation/restarts/restartlimit", 2)
    model.setParam("estimation/restarts/minnodes", 5)
    plugin = install_rule(model, rule)
    model.optimize()
    plugin.check()
    assert len(plugin.branchings) == len(rule.drawn) > 5
    numbers = [number for number, _ in plugin.branchings]
    assert len(set(numbers)) < len(numbers), "there was a restart"


def record(rule, problem=DEEP):
    model = make_scip_model(problem, ScipConfig())
    recorder = install_recorder(model, rule)
    model.optimize()
    recorder.check()
    return recorder.episode()


def above(episode, decision):
    """The decisions on the path to one, from the top down."""
    path, parent = [], decision.parent
    while parent is not None:
        path.append(episode.decisions[parent])
        parent = path[-1].parent
    return path[::-1]


def embedding(policy, decision, depth):
    """What `LinearPolicy` remembers of a decision."""
    seen = decision.observation
    return (seen.variables[seen.candidates[decision.action]] * policy.weight).detach() + depth


@pytest.mark.parametrize("trajectory", ["tree", "temporal"])
def test_memory_is_that_of_the_path_or_of_the_time_before_and_nothing_else(trajectory):
    """Computed anew from the recorded tree: the last three decisions before each, the first one first."""
    policy = LinearPolicy(PolicyConfig(memory_length=3, trajectory=trajectory))
    episode = record(PolicyRule(policy))
    assert len(policy.memories) == len(episode.decisions) > 5
    lengths, n_different = set(), 0
    for decision, memory in zip(episode.decisions, policy.memories):
        path, earlier = above(episode, decision), list(episode.decisions[: decision.index])
        n_different += path != earlier
        past = (path if trajectory == "tree" else earlier)[-3:]
        lengths.add(len(past))
        if not past:
            assert memory is None
            continue
        depths = [one.depth if trajectory == "tree" else one.index for one in past]
        expected = torch.stack([embedding(policy, one, depth) for one, depth in zip(past, depths)])
        torch.testing.assert_close(memory, expected)
    assert lengths == {0, 1, 2, 3}
    assert n_different > 3


def test_a_shuffled_memory_is_the_path_in_another_order():
    """Each memory has the path's decisions once each, without their depths."""
    policy = LinearPolicy(PolicyConfig(memory_length=4, trajectory="shuffled"))
    episode = record(PolicyRule(policy))
    orders = []
    for decision, memory in zip(episode.decisions, policy.memories):
        past = above(episode, decision)[-4:]
        if not past:
            assert memory is None
            continue
        assert len(memory) == len(past)
        order = []
        for found in memory:
            gaps = [float((found - embedding(policy, one, 0)).abs().max()) for one in past]
            order.append(int(np.argmin(gaps)))
            assert min(gaps) < 1e-4
        orders.append(order)
        assert sorted(order) == list(range(len(past)))
    longest = [order for order in orders if len(order) == 4]
    assert len(longest) > 5
    assert len(set(map(tuple, longest))) > 3
    again = LinearPolicy(policy.config)
    record(PolicyRule(again))
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(policy.memories, again.memories, strict=True))
    other = LinearPolicy(policy.config)
    record(PolicyRule(other, seed=1))
    pairs = [(a, b) for a, b in zip(policy.memories[:9], other.memories) if a is not None and b is not None]
    assert not all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("trajectory", ["tree", "temporal"])
def test_what_is_remembered_in_a_search_is_what_is_learned_from(trajectory):
    """Memories of the replay's trees, by the same network, are those of the rule."""
    policy = ReviBranchPolicy(PolicyConfig(8, 2, 1, 16, memory_length=3, trajectory=trajectory)).eval()
    rule = PolicyRule(policy)
    episode = record(rule)
    tree = Tree.store(episode, trajectory)
    last = len(episode.decisions) - 1
    before = tree.before(last, 3)
    assert len(before) == 3
    parent = episode.decisions[last].parent
    graphs = collate([episode.decisions[index].observation for index in before])
    actions = [episode.decisions[index].action for index in before]
    counts = torch.bincount(graphs.candidate_batch)
    columns = graphs.candidates[counts.cumsum(0) - counts + torch.tensor(actions)]
    with torch.no_grad():
        expected = policy.remember(policy.encode(graphs), graphs, columns, tree.depth[torch.tensor(before)])
    if trajectory == "temporal":
        del rule._steps[episode.decisions[last].number]
    found = rule.memory(episode.decisions[parent].number)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("trajectory", ["tree", "shuffled"])
def test_past_graphs_are_not_encoded_again_on_a_path(trajectory):
    calls = []

    class Counting(LinearPolicy):
        def encode(self, graphs):
            calls.append(graphs.n_graphs)
            return super().encode(graphs)

    rule = PolicyRule(Counting(PolicyConfig(memory_length=3, trajectory=trajectory)))
    _, plugin, _ = solve(SMALL, rule, depth_first=True)
    n = len(plugin.branchings)
    assert len(calls) == n


def test_without_revival_nothing_is_remembered():
    for trajectory in ("tree", "temporal", "shuffled"):
        policy = LinearPolicy(PolicyConfig(revival=False, trajectory=trajectory))
        rule = PolicyRule(policy)
        assert len(record(rule).decisions) > 5
        assert set(policy.memories) == {None}
        assert not rule._steps


def test_exploring_decisions_are_remembered_too():
    """With epsilon = 1 no value is computed; a node that is decided later sees them all the same."""
    policy = LinearPolicy(PolicyConfig(memory_length=1000))
    rule = PolicyRule(policy, epsilon=1.0)
    episode = record(rule)
    assert policy.memories == []
    deepest = max(episode.decisions, key=lambda decision: decision.depth)
    memory = rule.memory(deepest.number)
    path = next(path for path in episode.paths() if deepest.index in path)
    assert len(memory) == path.index(deepest.index) + 1
    torch.testing.assert_close(memory[-1], embedding(policy, deepest, deepest.depth))


def test_share_of_exploration():
    n_decisions = n_valued = 0
    for seed in (0, 3, 4):
        policy = LinearPolicy()
        n_decisions += len(record(PolicyRule(policy, 0.3, seed), Cover(seed, 28, 56, presolved=False)).decisions)
        n_valued += len(policy.memories)
    assert n_decisions > 20
    # Within four standard deviations of the binomial distribution.
    assert abs(n_valued - 0.7 * n_decisions) < 4 * np.sqrt(0.21 * n_decisions)
    with pytest.raises(ValueError, match="epsilon"):
        PolicyRule(LinearPolicy(), 1.5)


def test_greedy_takes_the_greatest_value_and_sampling_the_softmax():
    values = torch.tensor([0.0, 1.0, 2.0])
    greedy, drawn = PolicyRule(LinearPolicy()), PolicyRule(LinearPolicy(), greedy=False)
    assert {greedy._pick(values) for _ in range(9)} == {2}
    counts = np.bincount([drawn._pick(values) for _ in range(1000)], minlength=3)
    shares = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
    # The chi-squared distribution with 2 degrees of freedom is above 13.8 once in a thousand times.
    assert ((counts - 1000 * shares) ** 2 / (1000 * shares)).sum() < 13.8


@pytest.mark.parametrize("is_greedy", [True, False])
@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_values_that_are_not_finite_end_the_solve(value, is_greedy):
    policy = LinearPolicy()
    decide = policy.decide
    policy.decide = lambda *seen: (decide(*seen)[0].index_fill(0, torch.tensor(0), value), decide(*seen)[1])
    model = make_scip_model(SMALL, ScipConfig())
    plugin = install_policy(model, policy, greedy=is_greedy)
    model.optimize()
    assert (model.getStatus(), plugin.branchings) == ("userinterrupt", [])
    with pytest.raises(ValueError, match="values of candidates are not finite"):
        plugin.check()


def test_a_policy_is_installed_in_one_call():
    model = make_scip_model(DEEP, ScipConfig())
    plugin = install_policy(model, LinearPolicy())
    model.optimize()
    plugin.check()
    episode = record(PolicyRule(LinearPolicy()))
    assert [node for node, _ in plugin.branchings] == [decision.number for decision in episode.decisions]
