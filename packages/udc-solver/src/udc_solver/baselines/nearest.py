"""Nearest neighbor: from each place on to the nearest one that is left."""

import numpy as np
from jaxtyping import Float, Int


def nearest_neighbor_tour(points: Float[np.ndarray, "n 2"], start: int = 0) -> Int[np.ndarray, " n"]:
    """A tour that always goes to the nearest place that is left.

    Args:
        points: Coordinates of the places.
        start: Where it begins.
    """
    n = len(points)
    x, y = np.ascontiguousarray(points.T, dtype=np.float64)
    left = np.arange(n)
    tour = np.empty(n, dtype=np.int64)
    where, n_left = start, n
    for step in range(n):
        tour[step] = left[where]
        # What was visited changes places with the last that is left, so that each step looks only at what is left.
        n_left -= 1
        for values in (left, x, y):
            values[where], values[n_left] = values[n_left], values[where]
        if n_left:
            where = int(np.argmin((x[:n_left] - x[n_left]) ** 2 + (y[:n_left] - y[n_left]) ** 2))
    return tour


def nearest_neighbor_matrix(matrix: Float[np.ndarray, "n n"], start: int = 0) -> Int[np.ndarray, " n"]:
    """A tour that always goes to the nearest place that is left, by a matrix of distances that need not be symmetric.

    Args:
        matrix: Distances from row to column.
        start: Where it begins.
    """
    n = len(matrix)
    is_left = np.ones(n, dtype=bool)
    tour = np.empty(n, dtype=np.int64)
    here = start
    for step in range(n):
        tour[step] = here
        is_left[here] = False
        if step < n - 1:
            here = int(np.argmin(np.where(is_left, matrix[here], np.inf)))
    return tour


def nearest_neighbor_routes(
    points: Float[np.ndarray, "n 2"], demands: Float[np.ndarray, " n"], capacity: float
) -> list[list[int]]:
    """Routes that go on to the nearest customer that still fits, and back to the depot, place 0, when none does.

    Args:
        points: Coordinates of the places.
        demands: Demand of each place.
        capacity: What a vehicle holds.

    Raises:
        ValueError: if a customer's demand is more than a vehicle holds.
    """
    if np.any(demands[1:] > capacity):
        raise ValueError(f"a demand is {demands[1:].max():.6g}, but a vehicle holds {capacity:.6g}")
    is_left = np.ones(len(points), dtype=bool)
    is_left[0] = False
    routes: list[list[int]] = []
    while is_left.any():
        here, load, route = 0, 0.0, []
        while (fits := is_left & (demands <= capacity - load + 1e-9 * capacity)).any():
            gaps = ((points - points[here]) ** 2).sum(1)
            here = int(np.argmin(np.where(fits, gaps, np.inf)))
            load += float(demands[here])
            is_left[here] = False
            route.append(here)
        routes.append(route)
    return routes
