"""Dividing and conquering with networks of the paper's size, against N; beside 2-opt, savings and PyVRP."""

import numpy as np
import pytest
import torch

from udc_solver import Coordinates, get_problem
from udc_solver.baselines.nearest import nearest_neighbor_tour
from udc_solver.baselines.savings import savings_routes
from udc_solver.baselines.two_opt import two_opt
from udc_solver.configs import SolverConfig
from udc_solver.conquering import conquer
from udc_solver.construction import construct
from udc_solver.solver import make_solver

SIZES = [200, 500, 2000]


@pytest.fixture(scope="module")
def solver():
    return make_solver(SolverConfig("tsp")).eval()


def points(n):
    return torch.rand(1, n, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("n", SIZES[:2])
def test_divide(benchmark, solver, n):
    instance = Coordinates(points(n))

    def divide():
        with torch.no_grad():
            return construct(solver.problem, solver.divider, instance, 1, 100, torch.Generator().manual_seed(0))

    assert benchmark.pedantic(divide, rounds=3).solution.shape == (1, n)


@pytest.mark.parametrize("n", SIZES)
def test_conquer(benchmark, solver, n):
    instance = Coordinates(points(n))
    tour = torch.from_numpy(nearest_neighbor_tour(instance.points[0].numpy()))[None]
    cost = solver.problem.cost(instance, tour)

    def round_of():
        with torch.no_grad():
            generator = torch.Generator().manual_seed(0)
            return conquer(
                solver.problem, solver.conqueror, instance, tour, cost, window=100, roll=50, generator=generator
            )

    _, found = benchmark.pedantic(round_of, rounds=3)
    assert (found <= cost).all()


@pytest.mark.parametrize("n", SIZES)
def test_two_opt(benchmark, n):
    p = points(n)[0].numpy()
    start = nearest_neighbor_tour(p)
    assert benchmark.pedantic(two_opt, (p, start), rounds=3).is_local_optimum


def test_savings(benchmark):
    instance = get_problem("cvrp").generate(500, 1, torch.Generator().manual_seed(0))
    held = (instance.points[0].double().numpy(), instance.demands[0].double().numpy(), float(instance.capacity))
    assert sum(map(len, benchmark.pedantic(savings_routes, held, rounds=3))) == 500


def test_half_a_second_of_pyvrp(benchmark):
    pytest.importorskip("pyvrp", reason="PyVRP is not installed")
    from udc_solver.baselines.peers import pyvrp_tour

    p = points(200)[0].numpy()
    tour = benchmark.pedantic(pyvrp_tour, (p, 0.5), rounds=1)
    assert np.array_equal(np.sort(tour), np.arange(200))
