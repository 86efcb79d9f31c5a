from dataclasses import replace

import pytest

from udc_solver import ConquerorConfig, DividerConfig, SolverConfig, TrainConfig
from udc_solver.experiments import _slope
from udc_solver.paper import PROBLEMS
from udc_solver.trials import (
    FeasibilityTrial,
    ScalingTrial,
    Trial,
    run_feasibility,
    run_rules,
    run_scaling,
    run_trial,
    stages,
)

SIZES = {"divider": DividerConfig(8, 1, 2, 8), "conqueror": ConquerorConfig(dim=16, layers=1, hidden=16, heads=2)}
TRIAL = Trial(
    SolverConfig("tsp", 8, **SIZES),
    TrainConfig(2, (24, 24), n_samples=2, n_starts=2),
    n_nodes=24,
    n_test=3,
    n_samples=2,
    rounds=2,
)


def test_the_parts_of_a_training_get_as_many_updates_of_the_conqueror():
    joint, alone, apart = (stages(replace(TRIAL, training=name)) for name in ("joint", "no-reunion", "separate"))
    assert [one.n_steps * one.rounds for one in joint] == [4]
    assert [one.n_steps * one.rounds for one in alone] == [4]
    assert [one.n_steps for one in stages(replace(TRIAL, training="no-reunion-steps"))] == [2]
    assert [(one.freeze, one.n_steps) for one in apart] == [("divider", 2), ("conqueror", 2)]
    assert stages(replace(TRIAL, training="none")) == []
    assert {one.seed for one in stages(replace(TRIAL, seed=5))} == {5}


def test_trainings_are_tested_on_the_same_instances_by_the_independent_evaluator():
    found = run_trial(TRIAL, "cpu")
    assert found["udc"] == pytest.approx(found["curve"][-1], rel=1e-5)
    assert found["curve"] == sorted(found["curve"], reverse=True)
    assert found["divided"] == found["curve"][0]
    assert len({found[name] for name in ("udc", "untrained", "nearest", "insertion")}) == 4


def test_rules_are_worse_than_the_optimum_and_ordered():
    found = run_rules(TRIAL, "cpu")
    assert found["two_opt"] < found["nearest"]
    items = run_rules(replace(TRIAL, solver=SolverConfig("kp", 8, **SIZES)), "cpu")
    assert items["random"] < items["ratio"] <= items["exact"] + 1e-9
    graphs = run_rules(replace(TRIAL, solver=SolverConfig("mis", 8, **SIZES)), "cpu")
    assert graphs["random_order"] <= graphs["min_degree"] + 1


@pytest.mark.parametrize("name", PROBLEMS)
def test_solutions_are_feasible_and_damaged_ones_are_not(name):
    trial = FeasibilityTrial(SolverConfig(name, 8, **SIZES), n_nodes=20, n_instances=3, rounds=2)
    assert run_feasibility(trial, "cpu") == {"feasible": 1.0, "damaged": 0.0}


def test_the_heat_map_grows_with_nodes_times_neighbors():
    found = [run_scaling(ScalingTrial(TRIAL.solver, n, repeats=1), "cpu")["heat_map"] for n in (20, 40, 80)]
    assert found[1] == 2 * found[0]
    assert found[2] == 4 * found[0]
    # Keys of 8 edges, and three heads of each node, of 8 units; and the neighbors' numbers.
    assert found[0] == 20 * (8 * 8 + 3 * 8 + 8)


def test_slopes_are_exponents():
    sizes = [10, 30, 100]
    assert _slope(sizes, [7 * n**1.5 for n in sizes]) == pytest.approx(1.5)
