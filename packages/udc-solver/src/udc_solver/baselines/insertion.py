"""Random insertion: places one by one in random order, each where it lengthens the tour least."""

import numpy as np
from jaxtyping import Float, Int


def random_insertion_tour(points: Float[np.ndarray, "n 2"], seed: int = 0) -> Int[np.ndarray, " n"]:
    """A tour into which places are put in random order, each where it costs least.

    Args:
        points: Coordinates of the places.
        seed: Random seed of the order.
    """
    n = len(points)
    order = np.random.default_rng(seed).permutation(n)
    points = np.asarray(points, dtype=np.float64)
    # The tour, its coordinates, and the length from each place to the next; arrays from the start, moved by slices.
    tour = np.empty(n, dtype=np.int64)
    xy = np.empty((n + 1, 2))
    to_next = np.empty(n)
    tour[0], xy[0] = order[0], points[order[0]]
    to_next[0] = 0.0
    for size in range(1, n):
        new = points[order[size]]
        xy[size] = xy[0]
        gaps = np.hypot(xy[: size + 1, 0] - new[0], xy[: size + 1, 1] - new[1])
        after = int(np.argmin(gaps[:size] + gaps[1:] - to_next[:size]))
        tour[after + 2 : size + 1] = tour[after + 1 : size].copy()
        xy[after + 2 : size + 1] = xy[after + 1 : size].copy()
        to_next[after + 2 : size + 1] = to_next[after + 1 : size].copy()
        tour[after + 1], xy[after + 1] = order[size], new
        to_next[after], to_next[after + 1] = gaps[after], gaps[after + 1]
    return tour
