import numpy as np
import pytest
from scipy.optimize import linprog
from small_problems import Cover, Mixed, Search

from revibranch.configs import ScipConfig
from revibranch.scip.models import make_scip_model
from revibranch.scip.rules import (
    BUILT_IN,
    MostFractionalRule,
    PseudocostRule,
    RandomRule,
    StrongBranchingRule,
    set_built_in,
)
from revibranch.search.branching import install_rule

DEEP = Cover(4, 28, 56, presolved=False)
"""A few dozen nodes."""


class Checked:
    """A rule, and something that looks at each of its choices."""

    name = "checked"

    def __init__(self, rule, look):
        self.rule, self.look, self.seen = rule, look, []

    def choose(self, focus):
        choice = self.rule.choose(focus)
        self.seen.append(self.look(focus, choice))
        return choice


def check(rule, problem, look, **settings):
    model = make_scip_model(problem, ScipConfig(**settings))
    plugin = install_rule(model, Checked(rule, look))
    model.optimize()
    plugin.check()
    model.freeProb()
    return plugin.rule.seen


def test_most_fractional_is_nearest_to_one_half():
    def look(focus, choice):
        distances = [abs(value % 1 - 0.5) for value in focus.values]
        return distances[choice] - min(distances)

    seen = check(MostFractionalRule(), DEEP, look)
    assert len(seen) > 5
    assert max(seen) < 1e-9


def test_random_choices_are_even_and_the_same_again():
    def look(focus, choice):
        return len(focus.candidates), choice

    problems = [Cover(seed, 28, 56, presolved=False) for seed in range(6)]
    seen = [pair for seed, one in enumerate(problems) for pair in check(RandomRule(seed), one, look, node_limit=60)]
    again = check(RandomRule(0), problems[0], look, node_limit=60)
    assert seen[: len(again)] == again
    n, chosen = np.array(seen).T
    assert len(n) > 30
    # The mean of uniform draws from {0, ..., n - 1} is (n - 1) / 2, its variance (n^2 - 1) / 12.
    assert abs((chosen - (n - 1) / 2).sum()) < 4 * np.sqrt(((n**2 - 1) / 12).sum())


def test_pseudocosts_rank_as_scip_does():
    """At every node, SCIP's product of the pseudocosts times the distances to the rounded values."""

    def look(focus, choice):
        model = focus.model
        scores = []
        for variable, value in zip(focus.candidates, focus.values):
            gains = [
                model.getVarPseudocost(variable, direction) * distance
                for direction, distance in ((0, value - np.floor(value)), (1, np.ceil(value) - value))
            ]
            scores.append(model.getBranchScoreMultiple(variable, gains))
        return scores[choice] / max(scores)

    from pyscipopt import SCIP_BRANCHDIR

    assert (SCIP_BRANCHDIR.DOWNWARDS, SCIP_BRANCHDIR.UPWARDS) == (0, 1)
    seen = check(PseudocostRule(), DEEP, look)
    assert len(seen) > 5
    assert min(seen) > 1 - 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_strong_branching_takes_what_linprog_finds_best_at_the_root(seed):
    problem = Cover(seed, presolved=False)
    matrix, costs = problem.data()

    def solve(column=None, bounds=(0, 1)):
        boxes = [(0, 1)] * len(costs)
        if column is not None:
            boxes[column] = bounds
        result = linprog(costs, -matrix.astype(float), -np.ones(len(matrix)), bounds=boxes)
        return result.fun if result.status == 0 else np.inf

    def look(focus, choice):
        if focus.depth:
            return None
        columns = [int(variable.name.removeprefix("t_x")) for variable in focus.candidates]
        root = solve()
        assert root == pytest.approx(focus.model.getLPObjVal())
        gains = [[max(solve(j, at) - root, 1e-6) for at in ((0, 0), (1, 1))] for j in columns]
        scores = np.prod(gains, axis=1)
        return scores[choice], scores.max()

    found = check(StrongBranchingRule(), problem, look, node_limit=2)[0]
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def root_choice(problem, rule):
    model = make_scip_model(problem, ScipConfig(node_limit=4))
    search = Search.install(model)
    if isinstance(rule, str):
        set_built_in(model, rule)
    else:
        install_rule(model, rule)
    model.optimize()
    model.freeProb()
    return search.branchings.get(1)


def agreement(problems, least):
    """Share of roots at which ours is SCIP's choice."""
    pairs = [(root_choice(one, "vanillafullstrong"), root_choice(one, StrongBranchingRule())) for one in problems]
    pairs = [(theirs, ours) for theirs, ours in pairs if theirs and ours]
    assert len(pairs) >= least
    return np.mean([theirs == ours for theirs, ours in pairs])


def test_strong_branching_agrees_with_scip_at_some_roots():
    assert agreement([Cover(seed, 22, 44, presolved=False) for seed in (0, 1, 3, 4, 5)], 4) >= 0.7


@pytest.mark.slow
def test_strong_branching_agrees_with_scip_at_the_roots():
    assert agreement([Cover(seed, 40, 80) for seed in range(14)] + [Mixed(seed) for seed in range(6)], 10) >= 0.9


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_rules_are_asked(name, capfd):
    model = make_scip_model(DEEP, ScipConfig())
    set_built_in(model, name)
    model.optimize()
    model.hideOutput(quiet=False)
    model.printStatistics()
    table = capfd.readouterr().out.split("Branching Rules")[1].split("Primal Heuristics")[0]
    lines = [line.split(":") for line in table.splitlines()[1:] if ":" in line]
    calls = {rule.strip(): int(columns.split()[2]) for rule, columns in lines}
    assert calls[BUILT_IN[name] or "relpscost"] > 0
    assert sum(calls.values()) == calls[BUILT_IN[name] or "relpscost"]


def test_an_unknown_rule():
    with pytest.raises(ValueError, match="choose from"):
        set_built_in(make_scip_model(Cover(0), ScipConfig()), "best")
