import json
import math

import numpy as np
import pytest

from revibranch import BranchingReport, Outcome, ScipConfig

SETTINGS = {"time_limit": 60.0, "node_limit": -1, "depth_first": False, "separating_rounds": 0, "heuristics": True}


def outcome(instance, rule, nodes, seed=0, status="optimal", objective=5.0, **more):
    values = {
        "lp_iterations": 10 * nodes,
        "seconds": 0.5 * nodes,
        "seconds_in_rule": 0.0,
        "dual_bound": 5.0,
        "gap": 0.0,
    }
    return Outcome(
        instance, rule, seed, status, nodes, objective=objective, settings=SETTINGS, digest="d", **values | more
    )


REPORT = BranchingReport(
    (
        *(outcome("p1", "a", 9), outcome("p1", "b", 19)),
        *(outcome("p2", "a", 49), outcome("p2", "b", 4)),
        # All solve this one at the root.
        *(outcome("p3", "a", 1), outcome("p3", "b", 1)),
        # One rule does not solve this one.
        *(outcome("p4", "a", 100), outcome("p4", "b", 999, status="timelimit", gap=math.inf, objective=None)),
        # One at the root, the other not: this counts.
        *(outcome("p5", "a", 1), outcome("p5", "b", 3)),
    )
)
assert set(SETTINGS) == set(ScipConfig.__dataclass_fields__) - {"seed"}


def test_means_are_over_what_all_solve_and_somebody_branches_on():
    assert REPORT.compared() == [("p1", 0), ("p2", 0), ("p5", 0)]
    a, b = REPORT.summary()
    assert (a.rule, a.n_solved, a.n_runs, a.wins) == ("a", 5, 5, 2)
    assert (b.rule, b.n_solved, b.n_runs, b.wins) == ("b", 4, 5, 1)
    assert a.nodes == pytest.approx((10 * 50 * 2) ** (1 / 3) - 1)
    assert b.nodes == pytest.approx((20 * 5 * 4) ** (1 / 3) - 1)
    assert a.lp_iterations == pytest.approx((91 * 491 * 11) ** (1 / 3) - 1)
    assert b.seconds == pytest.approx((10.5 * 3 * 2.5) ** (1 / 3) - 1)
    assert (a.nodes_ratio, b.nodes_ratio) == (1, pytest.approx(b.nodes / a.nodes))
    assert (a.nodes_low, a.nodes_high) == (1, 1)
    assert REPORT.summary("b")[0].nodes_ratio == pytest.approx(a.nodes / b.nodes)


def test_profiles_have_the_unsolved_ones_too():
    profile = REPORT.profile()
    # Of p1, p2, p4 and p5: a has the fewest nodes on p1, p4 and p5, b on p2.
    assert profile.at(1) == {"a": 0.75, "b": 0.25}
    assert profile.at(3) == {"a": 0.75, "b": 0.75}
    assert profile.at(1e9) == {"a": 1, "b": 0.75}


def test_ties_are_wins_of_each():
    report = BranchingReport((outcome("p", "a", 7), outcome("p", "b", 7)))
    assert [one.wins for one in report.summary()] == [1, 1]
    # One problem has no spread.
    assert [one.nodes_low for one in report.summary()] == [None, None]


def test_the_interval_covers_the_ratio_as_often_as_it_says():
    generator = np.random.default_rng(0)
    covered = 0
    for repetition in range(60):
        nodes = np.exp(generator.normal(5, 1, 30)).round() + 2
        factors = np.exp(generator.normal(math.log(0.8), 0.3, 30))
        rows = [outcome(f"p{i}", "a", int(n)) for i, n in enumerate(nodes)]
        rows += [outcome(f"p{i}", "b", round(n * f)) for i, (n, f) in enumerate(zip(nodes, factors))]
        b = BranchingReport(tuple(rows)).summary(seed=repetition)[1]
        assert b.nodes_low < b.nodes_ratio < b.nodes_high
        covered += b.nodes_low <= 0.8 <= b.nodes_high
    # 57 of 60 on average; below 50 has a probability under 1 %.
    assert covered >= 50


def test_seeds_of_a_problem_are_drawn_together():
    # The same numbers for each seed say nothing new: the interval is that of one seed.
    nodes = {"a": (10, 30, 80, 200), "b": (20, 25, 50, 400)}
    once = [outcome(f"p{i}", rule, n) for rule, of in nodes.items() for i, n in enumerate(of)]
    thrice = [
        outcome(f"p{i}", rule, n, seed) for rule, of in nodes.items() for i, n in enumerate(of) for seed in range(3)
    ]
    one, three = (BranchingReport(tuple(rows)).summary()[1] for rows in (once, thrice))
    assert (one.nodes_low, one.nodes_high) == pytest.approx((three.nodes_low, three.nodes_high))


def test_different_optima_are_reported():
    assert REPORT.disagreements() == []
    rows = (outcome("p", "a", 7, objective=5.0), outcome("p", "b", 7, objective=5.01))
    assert BranchingReport(rows).disagreements() == [("p", 0)]
    assert "warning: the rules' optima differ on p with seed 0" in BranchingReport(rows).to_output().text
    rows = (outcome("p", "a", 7), outcome("p", "b", 7, status="infeasible", objective=None))
    assert BranchingReport(rows).disagreements() == [("p", 0)]
    rows = (outcome("p", "a", 7), outcome("p", "b", 7, status="timelimit", objective=6.0))
    assert BranchingReport(rows).disagreements() == []


def test_unbounded_problems_are_not_compared():
    nothing = {"nodes": 1, "objective": None, "dual_bound": None, "gap": None}
    unbounded, either = (
        outcome("p", rule, status=kind, **nothing) for rule, kind in (("a", "unbounded"), ("b", "inforunbd"))
    )
    report = BranchingReport((unbounded, either))
    assert (report.compared(), report.n_trivial(), report.disagreements()) == ([], 0, [])
    json.dumps(report.to_output().value, allow_nan=False)
    for other in (outcome("p", "b", 7), outcome("p", "b", status="infeasible", **nothing)):
        assert BranchingReport((unbounded, other)).disagreements() == [("p", 0)]
    assert BranchingReport((unbounded, outcome("p", "b", 7, status="timelimit"))).disagreements() == []


def test_people_and_programs_are_told_the_same():
    output = REPORT.to_output("b")
    value = json.loads(json.dumps(output.value, allow_nan=False))
    assert (value["reference"], value["n_compared"], value["n_solved_at_root"]) == ("b", 3, 1)
    assert value["rules"][0]["wins"] == 2
    assert value["rows"][7]["gap"] is None
    lines = output.text.splitlines()
    assert lines[0].split()[:3] == ["rule", "solved", "nodes"]
    assert lines[1].split()[:3] == ["a", "5/5", f"{REPORT.summary()[0].nodes:.4g}"]
    assert lines[3] == (
        "geometric means (shift 1) over the 3 of 5 runs that all rules solved, "
        "without the 1 that all solved at the root"
    )


def test_nothing_in_common_has_no_means():
    report = BranchingReport((outcome("p", "a", 7), outcome("p", "b", 7, status="timelimit")))
    assert [(one.nodes, one.wins, one.nodes_ratio) for one in report.summary()] == [(None, 0, None)] * 2
    json.dumps(report.to_output().value, allow_nan=False)
    root = BranchingReport((outcome("p", "a", 1), outcome("p", "b", 1)))
    with pytest.raises(ValueError, match="all are solved at the root"):
        root.profile()


def test_a_reference_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no rule c in the results, only a, b"):
        REPORT.summary("c")
    with pytest.raises(ValueError, match="no results"):
        BranchingReport(()).summary()
