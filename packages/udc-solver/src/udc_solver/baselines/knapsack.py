"""Knapsacks: the greedy rule by value per weight, and exact methods."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import Bounds, LinearConstraint, milp

MOST_CELLS = 500_000_000
"""Cells of a table of dynamic programming beyond which it is refused."""


def ratio_greedy(
    weights: Float[np.ndarray, " n"], values: Float[np.ndarray, " n"], capacity: float
) -> Bool[np.ndarray, " n"]:
    """Items from the most value per weight on, leaving out those that do not fit.

    Args:
        weights: Weight of each item; not negative.
        values: Value of each item.
        capacity: Greatest weight of all chosen.
    """
    ratio = np.divide(values, weights, out=np.full(len(weights), np.inf), where=weights > 0)
    chosen = np.zeros(len(weights), dtype=bool)
    left = float(capacity)
    for item in np.argsort(-ratio, kind="stable").tolist():
        if weights[item] <= left:
            chosen[item] = True
            left -= float(weights[item])
    return chosen


def knapsack_table(
    weights: Int[np.ndarray, " n"], values: Float[np.ndarray, " n"], capacity: int
) -> Bool[np.ndarray, " n"]:
    """The best items by dynamic programming over the capacity, in O(n capacity) (Bellman 1957).

    Args:
        weights: Weight of each item; whole numbers.
        values: Value of each item; not negative.
        capacity: Greatest weight of all chosen.

    Raises:
        ValueError: if the table would be too large.
    """
    n = len(weights)
    if n * (capacity + 1) > MOST_CELLS:
        raise ValueError(f"{n} items and a capacity of {capacity} need a table of more than {MOST_CELLS:,} cells")
    best = np.zeros(capacity + 1)
    takes = np.zeros((n, capacity + 1), dtype=bool)
    for item in range(n):
        weight = int(weights[item])
        if weight > capacity:
            continue
        with_item = best[: capacity + 1 - weight] + values[item]
        takes[item, weight:] = with_item > best[weight:]
        best[weight:] = np.maximum(best[weight:], with_item)
    chosen = np.zeros(n, dtype=bool)
    left = capacity
    for item in range(n - 1, -1, -1):
        if takes[item, left]:
            chosen[item] = True
            left -= int(weights[item])
    return chosen


def knapsack_milp(
    weights: Float[np.ndarray, " n"], values: Float[np.ndarray, " n"], capacity: float, seconds: float = 60.0
) -> Bool[np.ndarray, " n"]:
    """The best items by HiGHS's branch and bound, for weights that are no whole numbers.

    Args:
        weights: Weight of each item.
        values: Value of each item.
        capacity: Greatest weight of all chosen.
        seconds: Time after which the best so far is taken.

    Raises:
        ValueError: if nothing was found in time.
    """
    found = milp(
        -np.asarray(values, dtype=np.float64),
        constraints=LinearConstraint(np.asarray(weights, dtype=np.float64)[None], ub=float(capacity)),
        bounds=Bounds(0, 1),
        integrality=np.ones(len(weights)),
        options={"time_limit": seconds, "mip_rel_gap": 0.0},
    )
    if found.x is None:
        raise ValueError(f"HiGHS found no solution in {seconds:g} seconds")
    return found.x > 0.5
