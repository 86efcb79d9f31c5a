"""PyVRP on problems that can be enumerated."""

import itertools

import numpy as np
import pytest

from udc_solver.baselines.peers import pyvrp_matrix_tour, pyvrp_orienteering, pyvrp_routes, pyvrp_tour
from udc_solver.evaluation import collected_prize, entries, routes_length, straight, tour_length

pytest.importorskip("pyvrp", reason="PyVRP is not installed")
SECONDS = 0.5


def test_tours():
    rng = np.random.default_rng(0)
    p = 100 * rng.random((7, 2))
    best = min(tour_length(straight(p), 7, [0, *rest]) for rest in itertools.permutations(range(1, 7)))
    assert tour_length(straight(p), 7, pyvrp_tour(p, SECONDS)) == pytest.approx(best)
    costs = rng.random((7, 7))
    best = min(tour_length(entries(costs), 7, [0, *rest]) for rest in itertools.permutations(range(1, 7)))
    assert tour_length(entries(costs), 7, pyvrp_matrix_tour(costs, SECONDS)) == pytest.approx(best)


@pytest.mark.parametrize("is_open", [False, True])
def test_routes(is_open):
    p, demands = np.random.default_rng(1).random((7, 2)), np.array([0.0, 1, 1, 1, 1, 1, 1])
    best = min(
        routes_length(straight(p), demands, 2, [list(order[i : i + 2]) for i in (0, 2, 4)], is_open=is_open)
        for order in itertools.permutations(range(1, 7))
    )
    routes = pyvrp_routes(p, demands, 2.0, SECONDS, is_open=is_open)
    # It may also use more vehicles than the enumeration does.
    assert routes_length(straight(p), demands, 2, routes, is_open=is_open) <= best + 1e-5
    with pytest.raises(ValueError, match="whole numbers"):
        pyvrp_routes(p, demands / 2, 2.0, SECONDS)


def test_orienteering():
    rng = np.random.default_rng(2)
    p, prizes = rng.random((7, 2)), np.array([0, *rng.random(6)])
    best = 0.0
    for n in range(7):
        for route in itertools.permutations(range(1, 7), n):
            if sum(np.hypot(*(p[a] - p[b])) for a, b in itertools.pairwise([0, *route, 0])) <= 1.5:
                best = max(best, prizes[list(route)].sum())
    assert collected_prize(
        straight(p), prizes.tolist(), 1.5, pyvrp_orienteering(p, prizes, 1.5, SECONDS)
    ) == pytest.approx(best)
