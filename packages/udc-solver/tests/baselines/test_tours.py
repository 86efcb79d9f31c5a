"""Rules for tours against plain loops, and 2-opt against its definition."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from udc_solver.baselines.insertion import random_insertion_tour
from udc_solver.baselines.nearest import nearest_neighbor_matrix, nearest_neighbor_routes, nearest_neighbor_tour
from udc_solver.baselines.two_opt import two_opt
from udc_solver.evaluation import entries, routes_length, straight, tour_length


def points(seed, n):
    return np.random.default_rng(seed).random((n, 2))


def length(p, tour):
    return tour_length(straight(p), len(p), [int(place) for place in tour])


@pytest.mark.parametrize("seed", range(3))
def test_nearest_neighbor(seed):
    p, start = points(seed, 40), seed + 5
    distance = straight(p)
    tour, left = [start], set(range(40)) - {start}
    while left:
        tour.append(min(left, key=lambda j: distance(tour[-1], j)))
        left.remove(tour[-1])
    assert nearest_neighbor_tour(p, start).tolist() == tour
    matrix = np.array([[distance(i, j) for j in range(40)] for i in range(40)])
    assert nearest_neighbor_matrix(matrix, start).tolist() == tour


def test_nearest_neighbor_goes_by_rows():
    matrix = np.array([[0, 5, 1.0], [1, 0, 5], [5, 1, 0]])
    assert nearest_neighbor_matrix(matrix, 0).tolist() == [0, 2, 1]


@pytest.mark.parametrize("seed", range(3))
def test_random_insertion(seed):
    p = points(seed, 30)
    distance = straight(p)
    order = np.random.default_rng(seed).permutation(30).tolist()
    tour = order[:1]
    for place in order[1:]:
        trials = [[*tour[:at], place, *tour[at:]] for at in range(1, len(tour) + 1)]
        tour = min(trials, key=lambda t: sum(distance(a, b) for a, b in zip(t, [*t[1:], t[0]])))
    assert length(p, random_insertion_tour(p, seed)) == pytest.approx(length(p, tour))


@pytest.mark.parametrize("seed", range(4))
def test_two_opt_ends_where_no_move_helps(seed):
    p = points(seed, 40)
    start = nearest_neighbor_tour(p)
    found = two_opt(p, start, n_neighbors=39)
    assert found.is_local_optimum
    assert found.length == pytest.approx(length(p, found.tour))
    assert found.length < length(p, start)
    tour = found.tour.tolist()
    for i, j in itertools.combinations(range(40), 2):
        assert length(p, tour[:i] + tour[i : j + 1][::-1] + tour[j + 1 :]) > found.length - 1e-9


def test_two_opt_never_lengthens(monkeypatch):
    # A clock that lets it make one pass at a time, in which it makes several moves at once.
    monkeypatch.setattr("udc_solver.baselines.two_opt.time", SimpleNamespace(perf_counter=itertools.count().__next__))
    p = points(7, 300)
    tour = np.random.default_rng(7).permutation(300)
    for _ in range(20):
        found = two_opt(p, tour, 10, seconds=1.5)
        assert found.n_moves > 1
        assert found.length < length(p, tour)
        tour = found.tour
    assert sorted(tour.tolist()) == list(range(300))


def test_two_opt_of_duplicates_and_small_tours():
    p = np.repeat(points(1, 6), 3, axis=0)
    assert two_opt(p, np.random.default_rng(0).permutation(18)).is_local_optimum
    assert two_opt(points(0, 3), np.arange(3)).tour.tolist() == [0, 1, 2]
    best = min(length(points(2, 4), (0, *rest)) for rest in itertools.permutations((1, 2, 3)))
    assert two_opt(points(2, 4), np.array([0, 2, 1, 3])).length == pytest.approx(best)


def test_two_opt_is_far_better_than_its_start():
    p = points(3, 400)
    start = nearest_neighbor_tour(p)
    # Over random uniform points, 2-opt is some 5 % over the optimum, and nearest neighbor some 25 %.
    assert two_opt(p, start).length < 0.88 * length(p, start)


def test_nearest_routes_keep_the_capacity():
    p, demands = points(4, 50), np.array([0.0, *np.random.default_rng(4).integers(1, 10, 49)])
    routes = nearest_neighbor_routes(p, demands, 20.0)
    assert routes_length(straight(p), demands.tolist(), 20, routes) > 0
    with pytest.raises(ValueError, match="a demand is"):
        nearest_neighbor_routes(p, demands, 5.0)


def test_matrix_and_points_agree():
    p = points(5, 25)
    matrix = np.hypot(*(p[:, None] - p[None]).transpose(2, 0, 1))
    tour = nearest_neighbor_tour(p).tolist()
    assert tour_length(entries(matrix), 25, tour) == pytest.approx(length(p, tour))
