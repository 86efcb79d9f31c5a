from functools import cache

import numpy as np
import pytest
import torch
from small_problems import Cover, Failing, LinearPolicy, Mixed, Search

from revibranch.branching import PolicyRule, install_policy, install_rule
from revibranch.configs import PolicyConfig, ScipConfig
from revibranch.rules import MostFractionalRule, PseudocostRule, RandomRule, StrongBranchingRule
from revibranch.scip import make_scip_model
from revibranch.trees import install_recorder

RULES = [MostFractionalRule(), PseudocostRule(), RandomRule(), StrongBranchingRule(), PolicyRule(LinearPolicy())]


def solve(problem, rule=None, **settings):
    model = make_scip_model(problem, ScipConfig(**settings))
    search = Search.install(model)
    plugin = None if rule is None else install_rule(model, rule)
    model.optimize()
    if plugin:
        plugin.check()
    return model, plugin, search


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("is_depth_first", [False, True])
def test_scip_branches_on_what_was_chosen_at_every_node(rule, is_depth_first):
    _, plugin, search = solve(Cover(1, 40, 80), rule, depth_first=is_depth_first)
    assert len(plugin.branchings) > 5
    chosen = dict(plugin.branchings)
    assert len(chosen) == len(plugin.branchings)
    for node, variables in search.branchings.items():
        assert variables == {chosen[node]}
    assert plugin.seconds > 0


@cache
def optimum(problem):
    """What SCIP finds by itself."""
    model, _, _ = solve(problem)
    assert model.getStatus() == "optimal"
    return model.getObjVal()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_optimum_is_that_of_scip_alone(rule):
    for problem in [*(Cover(seed, 30, 60) for seed in range(14)), *(Mixed(seed) for seed in range(6))]:
        model, _, _ = solve(problem, rule)
        assert model.getStatus() == "optimal"
        assert model.getObjVal() == pytest.approx(optimum(problem), rel=1e-6)
        assert model.getGap() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), KeyboardInterrupt()])
def test_what_a_rule_raises_ends_the_solve_and_comes_out(error):
    model = make_scip_model(Cover(1, 40, 80), ScipConfig())
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
        solve(Cover(1, 40, 80), Outside())


def test_one_rule_a_model():
    model = make_scip_model(Cover(0), ScipConfig())
    install_rule(model, RandomRule())
    with pytest.raises(ValueError, match="already"):
        install_rule(model, MostFractionalRule())
    late = make_scip_model(Cover(0), ScipConfig())
    late.optimize()
    with pytest.raises(ValueError, match="before the model is solved"):
        install_rule(late, RandomRule())


def test_solving_again_begins_anew():
    model = make_scip_model(Cover(1, 40, 80), ScipConfig())
    plugin = install_rule(model, RandomRule())
    model.optimize()
    first = plugin.branchings
    model.freeTransform()
    model.optimize()
    plugin.check()
    assert first
    assert plugin.branchings == first


def record(rule, problem=Cover(1, 40, 80)):  # noqa: B008 - immutable
    model = make_scip_model(problem, ScipConfig())
    recorder = install_recorder(model, rule)
    model.optimize()
    recorder.check()
    return recorder.episode()


def test_memory_is_that_of_the_path_and_nothing_else():
    """Computed anew from the recorded tree: the last three decisions above each node, from the top down."""
    policy = LinearPolicy(PolicyConfig(memory_length=3))
    episode = record(PolicyRule(policy))
    assert len(policy.memories) == len(episode.decisions) > 5
    lengths = set()
    for decision, memory in zip(episode.decisions, policy.memories):
        path, parent = [], decision.parent
        while parent is not None:
            path.append(episode.decisions[parent])
            parent = path[-1].parent
        path = path[::-1][-3:]
        lengths.add(len(path))
        if not path:
            assert memory is None
            continue
        features = [one.observation.variables[one.observation.candidates[one.action]] for one in path]
        expected = torch.stack(features) * policy.weight + torch.tensor([one.depth for one in path])[:, None]
        torch.testing.assert_close(memory, expected.detach())
    assert lengths == {0, 1, 2, 3}


def test_without_revival_nothing_is_remembered():
    policy = LinearPolicy(PolicyConfig(revival=False))
    rule = PolicyRule(policy)
    assert len(record(rule).decisions) > 5
    assert set(policy.memories) == {None}
    assert not rule._steps


def test_exploring_decisions_are_remembered_too():
    """With epsilon = 1 no value is computed; a node that is decided later sees them all the same."""
    policy = LinearPolicy(PolicyConfig(memory_length=16))
    rule = PolicyRule(policy, epsilon=1.0)
    episode = record(rule)
    assert policy.memories == []
    deepest = max(episode.decisions, key=lambda decision: decision.depth)
    memory = rule.memory(deepest.number)
    path = next(path for path in episode.paths() if deepest.index in path)
    assert len(memory) == path.index(deepest.index) + 1
    seen = deepest.observation
    expected = seen.variables[seen.candidates[deepest.action]] * policy.weight + deepest.depth
    torch.testing.assert_close(memory[-1], expected.detach())


def test_share_of_exploration():
    n_decisions = n_valued = 0
    for seed in range(1, 6):
        policy = LinearPolicy()
        n_decisions += len(record(PolicyRule(policy, 0.3, seed), Cover(seed, 40, 80)).decisions)
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
    counts = np.bincount([drawn._pick(values) for _ in range(3000)], minlength=3)
    shares = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
    # The chi-squared distribution with 2 degrees of freedom is above 13.8 once in a thousand times.
    assert ((counts - 3000 * shares) ** 2 / (3000 * shares)).sum() < 13.8


def test_a_policy_is_installed_in_one_call():
    model = make_scip_model(Cover(1, 40, 80), ScipConfig())
    plugin = install_policy(model, LinearPolicy())
    model.optimize()
    plugin.check()
    episode = record(PolicyRule(LinearPolicy()))
    assert [node for node, _ in plugin.branchings] == [decision.number for decision in episode.decisions]
