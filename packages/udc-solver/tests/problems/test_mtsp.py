import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from udc_solver import ConquerorConfig, DividerConfig, Salesmen, SolverConfig, get_problem, make_solver
from udc_solver.answers import answer_of, judge
from udc_solver.conquering import conquer
from udc_solver.construction import construct
from udc_solver.problems.routes import merge_routes

MTSP = get_problem("mtsp")
SMALL = SolverConfig("mtsp", 8, DividerConfig(8, 1, 2, 6), ConquerorConfig(dim=16, layers=1, hidden=16, clip=2.0))


def assess(name, instance, solution):
    """The objectives of all rows by the independent evaluators."""
    problem, each = get_problem(name), len(solution) // len(instance)
    return [
        judge(problem, instance[r // each : r // each + 1], answer_of(problem, row)) for r, row in enumerate(solution)
    ]


def draw(n, n_salesmen, batch=2, seed=0):
    points = torch.rand(batch, n + 1, 2, generator=torch.Generator().manual_seed(seed))
    return Salesmen(points, torch.full((batch,), n_salesmen))


def length(points, route):
    return sum(math.dist(points[a], points[b]) for a, b in itertools.pairwise([0, *route, 0]))


def routes_in(row):
    text = " ".join(map(str, row)).replace(" 0", " |").split("|")
    return [list(map(int, one.split())) for one in text if one.strip()]


@settings(max_examples=12)
@given(n=st.integers(2, 40), n_salesmen=st.integers(1, 12), seed=st.integers(0, 10_000))
def test_tours_stay_feasible_and_the_longest_never_gets_longer(n, n_salesmen, seed):
    network, instance = make_solver(SMALL), draw(n, n_salesmen, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    tours = construct(MTSP, network.divider, instance, 2, 8, generator, greedy=False).solution
    cost = MTSP.cost(instance, tours)
    for roll in (4, 8, 3):
        division = MTSP.split(instance, tours, 8, roll, generator)
        drawn = network.conqueror.rollout(division.sub, 3, generator)
        for number in range(3):
            assess("mtsp", instance, MTSP.merge(instance, division, drawn.answers[:, number]))
        tours, new = conquer(MTSP, network.conqueror, instance, tours, cost, window=8, roll=roll, generator=generator)
        MTSP.check(instance, tours)
        assert (new <= cost).all()
        cost = new
    assert cost.tolist() == pytest.approx(assess("mtsp", instance, tours), rel=1e-5)
    used = [len(routes_in(row)) for row in tours.tolist()]
    assert used == [min(n_salesmen, n)] * 4


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), n_salesmen=st.integers(1, 9))
def test_a_window_knows_the_longest_route_that_it_touches(seed, n_salesmen):
    network, instance = make_solver(SMALL), draw(24, n_salesmen, 1, seed)
    generator = torch.Generator().manual_seed(seed)
    tours = construct(MTSP, network.divider, instance, 1, 8, generator, greedy=False).solution
    division = MTSP.split(instance, tours, 8, seed % 24, generator)
    points, routes = instance.points[0].tolist(), routes_in(tours[0].tolist())
    parts = division.plan[0].parts.tolist()
    for window, part in enumerate(parts):
        inside = torch.tensor([points[0], *(points[i] for i in part)])
        scale = (inside.amax(0) - inside.amin(0)).max()
        touched = [length(points, route) for route in routes if set(route) & set(part)]
        assert (division.sub.cost[window] * scale).item() == pytest.approx(max(touched), rel=1e-4)


def test_answers_in_one_window_cost_what_the_whole_says():
    network, instance = make_solver(SMALL), draw(24, 5, 1)
    generator = torch.Generator().manual_seed(0)
    tours = construct(MTSP, network.divider, instance, 1, 8, generator, greedy=False).solution
    points = instance.points[0].tolist()
    for roll in range(6):
        division = MTSP.split(instance, tours, 8, roll, generator)
        drawn = network.conqueror.rollout(division.sub, 1, generator)
        for window in range(3):
            plan, flags = division.plan
            part = plan.parts[window].tolist()
            inside = torch.tensor([points[0], *(points[i] for i in part)])
            scale = (inside.amax(0) - inside.amin(0)).max()
            answers = division.sub.current.clone()
            answers[window] = drawn.answers[window, 0]
            # Not by `merge`, which takes back what makes the longest tour longer.

            merged = routes_in(merge_routes(plan, flags, answers)[0].tolist())
            touched = [length(points, route) for route in merged if set(route) & set(part)]
            assert (drawn.costs[window, 0] * scale).item() == pytest.approx(max(touched), rel=1e-4)


def test_no_tours_are_shorter_than_the_optimum_and_small_ones_come_near():
    instance = draw(6, 2, 1)
    points = instance.points[0].tolist()
    best = min(
        max(length(points, order[:cut]), length(points, order[cut:]))
        for order in itertools.permutations(range(1, 7))
        for cut in range(1, 7)
    )
    found = make_solver(SMALL).solve(instance, samples=30, rounds=12).cost[0].item()
    assert best * (1 - 1e-5) <= found <= 1.1 * best


def test_more_tours_than_salesmen_are_refused():
    with pytest.raises(ValueError, match="3 tours, but only 2 salesmen"):
        MTSP.check(draw(3, 2, 1), torch.tensor([[1, 0, 2, 0, 3, 0]]))


def test_there_must_be_a_salesman():
    with pytest.raises(ValueError, match="at least one"):
        draw(3, 0).check()
