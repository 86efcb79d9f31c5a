"""Savings and insertion: feasible, better than plain rules, and the published example by hand."""

import itertools

import numpy as np
import pytest

from udc_solver.baselines.nearest import nearest_neighbor_routes
from udc_solver.baselines.prizes import orienteering_insertion, prize_collecting_insertion
from udc_solver.baselines.salesmen import split_tour_routes
from udc_solver.baselines.savings import savings_routes
from udc_solver.evaluation import collected_prize, longest_route, prize_collecting_cost, routes_length, straight


def customers(seed, n):
    rng = np.random.default_rng(seed)
    return rng.random((n + 1, 2)), np.array([0.0, *rng.integers(1, 10, n)])


def test_savings_join_the_pair_that_saves_most():
    # Two pairs far from the depot, each close together; a vehicle holds two.
    p = np.array([[0, 0], [10, 0], [10, 1], [-10, 0], [-10, 1.0]])
    routes = savings_routes(p, np.array([0, 1.0, 1, 1, 1]), 2.0)
    assert sorted(sorted(route) for route in routes) == [[1, 2], [3, 4]]


@pytest.mark.parametrize("is_open", [False, True])
def test_savings_beat_nearest_neighbor(is_open):
    for seed in range(3):
        p, demands = customers(seed, 100)
        routes = savings_routes(p, demands, 30.0, is_open=is_open)
        nearest = nearest_neighbor_routes(p, demands, 30.0)
        lengths = [
            routes_length(straight(p), demands.tolist(), 30.0, found, is_open=is_open) for found in (routes, nearest)
        ]
        assert lengths[0] < 0.95 * lengths[1]


def test_savings_against_the_optimum():
    # Routes of at most two customers are a matching, which can be enumerated.
    p, demands = customers(5, 6)
    demands[1:] = 1.0
    distance = straight(p)
    best = min(
        routes_length(distance, demands.tolist(), 2.0, [list(order[i : i + 2]) for i in range(0, 6, 2)])
        for order in itertools.permutations(range(1, 7))
    )
    found = routes_length(distance, demands.tolist(), 2.0, savings_routes(p, demands, 2.0))
    assert best - 1e-9 <= found <= 1.1 * best


def test_savings_of_one_customer():
    assert savings_routes(np.array([[0, 0], [1, 1.0]]), np.array([0, 1.0]), 2.0) == [[1]]


@pytest.mark.parametrize("seed", range(3))
def test_orienteering_insertion(seed):
    rng = np.random.default_rng(seed)
    p, prizes = rng.random((60, 2)), np.array([0, *rng.random(59)])
    route = orienteering_insertion(p, prizes, 2.0)
    distance = straight(p)
    prize = collected_prize(distance, prizes.tolist(), 2.0, route)
    # Nothing more can be put anywhere.
    stops, used = [0, *route, 0], 0.0
    used = sum(distance(a, b) for a, b in itertools.pairwise(stops))
    for place in set(range(1, 60)) - set(route):
        for a, b in itertools.pairwise(stops):
            assert used + distance(a, place) + distance(place, b) - distance(a, b) > 2.0
    assert prize > 3


@pytest.mark.parametrize("seed", range(3))
def test_prize_collecting_insertion(seed):
    rng = np.random.default_rng(seed)
    p, prizes = rng.random((50, 2)), np.array([0, *rng.random(49)]) * 4 / 50
    penalties = np.array([0, *rng.random(49)]) * 0.15
    route = prize_collecting_insertion(p, prizes, penalties, 1.0)
    cost = prize_collecting_cost(straight(p), prizes.tolist(), penalties.tolist(), 1.0, route)
    everything = prize_collecting_cost(straight(p), prizes.tolist(), penalties.tolist(), 1.0, list(range(1, 50)))
    assert cost < 0.7 * everything
    assert prize_collecting_insertion(p, prizes, 0 * penalties, 0.0) == []


def test_split_of_a_tour():
    rng = np.random.default_rng(0)
    p = rng.random((40, 2))
    distance = straight(p)
    lengths = [longest_route(distance, 40, m, split_tour_routes(p, m)) for m in (1, 3, 8)]
    assert lengths[0] > lengths[1] > lengths[2]
    # Nobody can be faster than there and back to the farthest place.
    assert lengths[2] >= 2 * max(distance(0, place) for place in range(40))
    # The split is the best one of its tour: of two salesmen, all cuts can be tried.
    tour = split_tour_routes(p, 1)[0]
    found = longest_route(distance, 40, 2, split_tour_routes(p, 2))
    best = min(longest_route(distance, 40, 2, [tour[:at], tour[at:]]) for at in range(1, 39))
    assert found == pytest.approx(best)
