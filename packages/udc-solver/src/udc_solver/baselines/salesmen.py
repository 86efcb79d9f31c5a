"""Several salesmen: one good tour, cut into as many stretches."""

import numpy as np
from jaxtyping import Float, Int

from .nearest import nearest_neighbor_tour
from .two_opt import two_opt

N_HALVINGS = 60
"""Halvings of the interval in which the longest route lies."""


def split_tour_routes(points: Float[np.ndarray, "n 2"], n_salesmen: int, seconds: float = 60.0) -> list[list[int]]:
    """A 2-opt tour of all customers, cut where the longest of the routes is shortest.

    Args:
        points: Coordinates of the places; the depot is place 0.
        n_salesmen: Routes at most.
        seconds: Time for 2-opt.

    Returns:
        Customers of each route, in order.
    """
    customers = np.asarray(points, dtype=np.float64)[1:]
    tour = nearest_neighbor_tour(customers)
    order = two_opt(customers, tour, seconds=seconds).tour + 1
    home = np.hypot(*(points - points[0]).T)
    low, high = 2 * float(home.max()), 2 * float(home.sum())
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        if len(_cut(points, home, order, middle)) <= n_salesmen:
            high = middle
        else:
            low = middle
    return _cut(points, home, order, high)


def _cut(
    points: Float[np.ndarray, "n 2"], home: Float[np.ndarray, " n"], order: Int[np.ndarray, " m"], longest: float
) -> list[list[int]]:
    """Routes that go on along the tour as long as they are not too long."""
    steps = np.hypot(*np.diff(points[order], axis=0).T)
    routes: list[list[int]] = [[int(order[0])]]
    length = float(home[order[0]])
    for place, step in zip(order[1:].tolist(), steps.tolist(), strict=True):
        if length + step + home[place] <= longest:
            routes[-1].append(place)
            length += step
        else:
            routes.append([place])
            length = float(home[place])
    return routes
