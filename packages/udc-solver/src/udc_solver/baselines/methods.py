"""Every baseline of every problem under one signature, so that all solve the same instances."""

from collections.abc import Callable, Mapping

import numpy as np

from udc_solver.files.solutions import Answer

from . import independent_set, insertion, knapsack, nearest, peers, prizes, salesmen, savings, two_opt

Held = Mapping[str, np.ndarray]
"""The fields of an instance, in double precision."""
Method = Callable[[Held, float, int], Answer]
"""Solves an instance in so many seconds at most, with a random seed."""
PEER = "pyvrp"
"""The method that needs PyVRP."""


def _edges(held: Held) -> np.ndarray:
    edges = held["edges"].astype(np.int64)
    return edges[edges[:, 0] >= 0]


def _routes(rule: Callable[..., list[list[int]]], **options: bool) -> Method:
    return lambda held, _, __: rule(held["points"], held["demands"], float(held["capacity"]), **options)


def _pyvrp_routes(*, is_open: bool) -> Method:
    return lambda held, seconds, seed: peers.pyvrp_routes(
        held["points"], held["demands"], float(held["capacity"]), seconds, seed, is_open=is_open
    )


def _two_opt(held: Held, seconds: float, _: int) -> Answer:
    points = held["points"]
    tour: list[int] = two_opt.two_opt(points, nearest.nearest_neighbor_tour(points), seconds=seconds).tour.tolist()
    return tour


def _insertion(held: Held, _: float, __: int) -> Answer:
    return prizes.prize_collecting_insertion(held["points"], held["prizes"], held["penalties"], float(held["minimum"]))


def _greedy_set(rule: Callable[[int, np.ndarray, int], np.ndarray]) -> Method:
    return lambda held, _, seed: np.flatnonzero(rule(int(held["size"]), _edges(held), seed)).tolist()


METHODS: dict[str, dict[str, Method]] = {
    "tsp": {
        "nearest-neighbor": lambda held, _, __: nearest.nearest_neighbor_tour(held["points"]).tolist(),
        "random-insertion": lambda held, _, seed: insertion.random_insertion_tour(held["points"], seed).tolist(),
        "2-opt": _two_opt,
        PEER: lambda held, seconds, seed: peers.pyvrp_tour(held["points"], seconds, seed),
    },
    "atsp": {
        "nearest-neighbor": lambda held, _, __: nearest.nearest_neighbor_matrix(held["costs"]).tolist(),
        PEER: lambda held, seconds, seed: peers.pyvrp_matrix_tour(held["costs"], seconds, seed),
    },
    "cvrp": {
        "nearest-neighbor": _routes(nearest.nearest_neighbor_routes),
        "savings": _routes(savings.savings_routes),
        PEER: _pyvrp_routes(is_open=False),
    },
    "ovrp": {
        "nearest-neighbor": _routes(nearest.nearest_neighbor_routes),
        "savings": _routes(savings.savings_routes, is_open=True),
        PEER: _pyvrp_routes(is_open=True),
    },
    "mtsp": {
        "split-2-opt": lambda held, seconds, _: salesmen.split_tour_routes(
            held["points"], int(held["n_salesmen"]), seconds
        ),
    },
    "op": {
        "insertion": lambda held, _, __: prizes.orienteering_insertion(
            held["points"], held["prizes"], float(held["limit"])
        ),
        PEER: lambda held, seconds, seed: peers.pyvrp_orienteering(
            held["points"], held["prizes"], float(held["limit"]), seconds, seed
        ),
    },
    "pctsp": {"insertion": _insertion},
    "spctsp": {"insertion": _insertion},
    "kp": {
        "ratio-greedy": lambda held, _, __: np.flatnonzero(
            knapsack.ratio_greedy(held["weights"], held["values"], float(held["capacity"]))
        ).tolist(),
        "highs": lambda held, seconds, _: np.flatnonzero(
            knapsack.knapsack_milp(held["weights"], held["values"], float(held["capacity"]), seconds)
        ).tolist(),
    },
    "mis": {
        "random-order": _greedy_set(independent_set.random_order_greedy),
        "minimum-degree": _greedy_set(independent_set.minimum_degree_greedy),
        "highs": lambda held, seconds, _: np.flatnonzero(
            independent_set.independent_set_milp(int(held["size"]), _edges(held), seconds)
        ).tolist(),
    },
}
"""The methods of each problem."""
