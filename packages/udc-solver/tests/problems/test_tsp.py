import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from udc_solver import ConquerorConfig, Coordinates, DividerConfig, SolverConfig, get_problem, make_solver
from udc_solver.conquering import conquer

SMALL = SolverConfig("tsp", 8, DividerConfig(8, 1, 2, 6), ConquerorConfig(dim=16, layers=1, hidden=16))
TSP = get_problem("tsp")


def length(points, tour):
    return math.fsum(math.dist(points[a].tolist(), points[b].tolist()) for a, b in itertools.pairwise([*tour, tour[0]]))


def draw(n, batch=2, seed=0):
    return TSP.generate(n, batch, torch.Generator().manual_seed(seed))


def random_tours(n, rows, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randperm(n, generator=generator) for _ in range(rows)])


def test_cost_is_the_length_of_the_closed_tour_of_each_row():
    instance, tours = draw(9), random_tours(9, 6)
    expected = [length(instance.points[row // 3], tours[row].tolist()) for row in range(6)]
    assert TSP.cost(instance, tours).tolist() == pytest.approx(expected, rel=1e-5)


def test_cost_does_not_change_with_where_a_tour_begins_and_its_direction():
    instance, tours = draw(9), random_tours(9, 4)
    torch.testing.assert_close(TSP.cost(instance, tours.roll(4, 1)), TSP.cost(instance, tours))
    torch.testing.assert_close(TSP.cost(instance, tours.flip(1)), TSP.cost(instance, tours))


@settings(max_examples=20)
@given(n=st.integers(5, 40), window=st.integers(4, 12), roll=st.integers(0, 40))
def test_merging_what_was_split_gives_the_same_tour(n, window, roll):
    instance, tours = draw(n), random_tours(n, 4)
    division = TSP.split(instance, tours, window, roll, torch.Generator())
    assert torch.equal(TSP.merge(instance, division, division.sub.current), tours)


def test_an_answer_changes_the_tour_by_as_much_as_the_path():
    instance, tours = draw(20, 1), random_tours(20, 1)
    division = TSP.split(instance, tours, 8, 3, torch.Generator())
    answers = division.sub.current.clone()
    answers[1] = torch.tensor([0, 4, 2, 1, 6, 5, 3, 7])
    before, after = TSP.cost(instance, tours), TSP.cost(instance, TSP.merge(instance, division, answers))
    path = tours[0].roll(-3)[8:16]

    def open_length(order):
        return length(instance.points[0], order) - math.dist(*instance.points[0][[order[0], order[-1]]].tolist())

    change = open_length(path[answers[1]].tolist()) - open_length(path.tolist())
    assert (after - before).item() == pytest.approx(change, abs=1e-5)


@settings(max_examples=20)
@given(n=st.integers(4, 45), seed=st.integers(0, 1000))
def test_tours_stay_tours_and_never_get_longer(n, seed):
    solver, instance, tours = make_solver(SMALL), draw(n, seed=seed), random_tours(n, 4, seed)
    cost, generator = TSP.cost(instance, tours), torch.Generator().manual_seed(seed)
    for roll in (4, 0, 3):
        tours, new = conquer(TSP, solver.conqueror, instance, tours, cost, window=8, roll=roll, generator=generator)
        TSP.check(instance, tours)
        assert (new <= cost).all()
        cost = new
    torch.testing.assert_close(cost, TSP.cost(instance, tours))


def test_no_tour_is_shorter_than_the_optimum_and_small_ones_reach_it():
    instance = draw(7)
    found = make_solver(SMALL).solve(instance, samples=20, rounds=10)
    for number in range(2):
        points = instance.points[number]
        optimum = min(length(points, [0, *rest]) for rest in itertools.permutations(range(1, 7)))
        assert found.cost[number].item() == pytest.approx(optimum, rel=1e-5)


@pytest.mark.parametrize(
    ("tour", "message"), [([0, 1, 2, 2], "exactly once"), ([0, 1, 2], "4 nodes"), ([0, 1, 2, 4], "exactly once")]
)
def test_what_is_no_tour_is_refused(tour, message):
    with pytest.raises(ValueError, match=message):
        TSP.check(draw(4, 1), torch.tensor([tour]))


def test_equal_points_are_visited_like_others():
    instance = Coordinates(torch.rand(1, 6, 2).repeat(1, 3, 1))
    found = make_solver(SMALL).solve(instance, samples=4, rounds=3)
    TSP.check(instance, found.solution)
    assert found.cost.isfinite().all()
