"""Knapsacks against dynamic programming, and feasible at every step by the independent evaluator."""

import numpy as np
import pytest
import torch

from udc_solver import evaluation
from udc_solver.baselines.knapsack import knapsack_table
from udc_solver.configs import ConquerorConfig, DividerConfig, SolverConfig
from udc_solver.conquering import conquer
from udc_solver.construction import construct
from udc_solver.problems import get_problem
from udc_solver.selections import Items
from udc_solver.solver import make_solver


def solver_of(window=10):
    return make_solver(SolverConfig("kp", window, DividerConfig(16, 2, n_neighbors=8), ConquerorConfig(16, 1, 32)))


def check(problem, instance, solution):
    problem.check(instance, solution)
    samples = len(solution) // len(instance)
    for row, mask in enumerate(solution.numpy()):
        own = instance[row // samples : row // samples + 1]
        value = evaluation.knapsack_value(
            own.weights[0].numpy(), own.values[0].numpy(), float(own.capacity), np.flatnonzero(mask).tolist()
        )
        assert -float(problem.cost(own, solution[row : row + 1])) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("greedy", [True, False])
def test_feasible_after_each_step_and_never_worse(greedy):
    solver, generator = solver_of(), torch.Generator().manual_seed(0)
    problem = solver.problem
    instance = problem.generate(43, 20, generator)
    with torch.no_grad():
        solution = construct(problem, solver.divider, instance, 4, 10, generator, greedy=greedy).solution
    check(problem, instance, solution)
    # Nothing that is left out fits.
    owner = torch.arange(20).repeat_interleave(4)
    left = instance.capacity[owner] - (instance.weights[owner] * solution).sum(1)
    assert (solution | (instance.weights[owner] > left[:, None] - 1e-4)).all()
    first = cost = problem.cost(instance, solution)
    for _ in range(4):
        solution, new = conquer(
            problem, solver.conqueror, instance, solution, cost, window=10, roll=5, generator=generator
        )
        check(problem, instance, solution)
        assert (new <= cost).all()
        cost = new
    assert (cost < first).float().mean() > 0.2


def test_the_slack_is_given_once_and_capacities_add_up():
    solver, generator = solver_of(), torch.Generator().manual_seed(1)
    instance = solver.problem.generate(40, 6, generator)
    with torch.no_grad():
        solution = construct(solver.problem, solver.divider, instance, 3, 10, generator).solution
    division = solver.problem.split(instance, solution, 10, 0, generator)
    total = division.sub.capacity.view(18, 4).sum(1)
    torch.testing.assert_close(total, instance.capacity.repeat_interleave(3))
    torch.testing.assert_close(solver.problem.merge(instance, division, division.sub.current), solution)


def test_near_the_optimum_of_whole_numbers():
    rng = np.random.default_rng(0)
    weights, values = rng.integers(1, 30, (4, 14)), rng.integers(1, 30, (4, 14))
    instance = Items(torch.tensor(weights).float(), torch.tensor(values).float(), torch.full((4,), 90.0))
    best = [(values[row] * knapsack_table(weights[row], values[row].astype(float), 90)).sum() for row in range(4)]
    found = solver_of(7).solve(instance, samples=16, rounds=30)
    check(solver_of().problem, instance, found.solution)
    value = -found.cost
    assert (value <= torch.tensor(best) + 1e-3).all()
    assert (value >= 0.97 * torch.tensor(best)).all()


def test_extremes():
    # Worthless, weightless, and all the same: no division by zero.
    weights, values = torch.tensor([[0, 0, 1, 2.0], [1, 1, 1, 1]]), torch.tensor([[0, 1, 0, 3.0], [0, 0, 0, 0]])
    instance = Items(weights, values, torch.tensor([2.0, 2]))
    found = solver_of(4).solve(instance, samples=2, rounds=2)
    assert found.cost.tolist() == [-4, 0]
    assert found.solution[0, 1]


def test_neighbors_are_other_items():
    problem = get_problem("kp")
    instance = problem.generate(30, 3, torch.Generator().manual_seed(0))
    graph = problem.graph(instance, 8)
    assert (graph.neighbors > 0).all()
    assert graph.edges.isfinite().all()
    worth = (instance.values / instance.weights)[0]
    ranked = worth.argsort(descending=True).tolist()
    # The best items are those that the dummy sees.
    assert set(graph.neighbors[0, 0].tolist()) == {item + 1 for item in ranked[:7]} | {ranked[0] + 1}


def test_too_heavy():
    instance = Items(torch.tensor([[3.0, 3]]), torch.tensor([[1.0, 1]]), torch.tensor([5.0]))
    with pytest.raises(ValueError, match="weigh 6, more than 5"):
        get_problem("kp").check(instance, torch.tensor([[True, True]]))
