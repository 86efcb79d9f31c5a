"""2-opt with neighbor lists: takes two edges out of a tour and reconnects it, as long as that shortens it."""

import time
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree

SMALLEST_GAIN = 1e-10
"""Gain, relative to the extent of the points, below which a move is rounding."""


@dataclass(frozen=True)
class TwoOptResult:
    """A tour and how it was reached.

    Args:
        tour: The places in order, [n].
        length: Its length.
        n_moves: How many moves were made.
        is_local_optimum: Whether no move among the neighbor lists shortens it; false where time was up.
    """

    tour: Int[np.ndarray, " n"]
    length: float
    n_moves: int
    is_local_optimum: bool


def two_opt(
    points: Float[np.ndarray, "n 2"],
    tour: Int[np.ndarray, " n"],
    n_neighbors: int = 10,
    seconds: float = float("inf"),
) -> TwoOptResult:
    """Shorten a tour by 2-opt moves.

    A move takes out the edges (a, succ a) and (c, succ c), puts in (a, c) and (succ a, succ c), and reverses what is
    between; its mirror image takes the edges to the predecessors. Each pass weighs all moves in which c is among the
    nearest neighbors of a at once, and makes the best of them whose reversed stretches do not overlap.

    Args:
        points: Coordinates of the places.
        tour: Where it begins.
        n_neighbors: Length of the neighbor lists.
        seconds: Time after which it stops.
    """
    end = time.perf_counter() + seconds
    points = np.asarray(points, dtype=np.float64)
    n, k = len(points), min(n_neighbors, len(points) - 1)
    tour = np.asarray(tour).copy()
    n_moves, is_optimum = 0, n < 4
    if not is_optimum:
        gaps, neighbors = KDTree(points).query(points, k + 1)
        gaps, neighbors = gaps[:, 1:], neighbors[:, 1:]
    while not is_optimum and time.perf_counter() < end:
        moves = _moves(points, tour, neighbors, gaps)
        is_optimum = not moves
        for first, last in moves:
            tour[first : last + 1] = tour[first : last + 1][::-1].copy()
        n_moves += len(moves)
    closed = points[np.append(tour, tour[0])]
    length = float(np.hypot(*np.diff(closed, axis=0).T).sum())
    return TwoOptResult(tour, length, n_moves, is_optimum)


def _moves(
    points: Float[np.ndarray, "n 2"],
    tour: Int[np.ndarray, " n"],
    neighbors: Int[np.ndarray, "n k"],
    gaps: Float[np.ndarray, "n k"],
) -> list[tuple[int, int]]:
    """The stretches that are reversed: first and last position, disjoint, the most gainful first."""
    n = len(tour)
    position = np.empty(n, dtype=np.int64)
    position[tour] = np.arange(n)
    ordered = points[tour]
    to_next = np.hypot(*(np.roll(ordered, -1, axis=0) - ordered).T)
    smallest = SMALLEST_GAIN * float(np.ptp(points, axis=0).max())
    here = position[:, None]
    there = position[neighbors]
    stretches, gains = [], []
    for step in (1, -1):
        # Positions of the other ends of the two edges, and the lengths of these edges.
        after_here, after_there = (here + step) % n, (there + step) % n
        own = to_next[position if step == 1 else (position - 1) % n][:, None]
        theirs = to_next[there if step == 1 else (there - 1) % n]
        joined = ordered[after_here] - ordered[after_there]
        gain = own + theirs - gaps - np.hypot(joined[..., 0], joined[..., 1])
        # Among duplicate points, a place can be in its own neighbor list.
        node, which = np.nonzero((gain > smallest) & (here != there))
        a, b = position[node], there[node, which]
        low, high = np.minimum(a, b), np.maximum(a, b)
        first, last = (low + 1, high) if step == 1 else (low, high - 1)
        stretches.append(np.stack([first, last], axis=1))
        gains.append(gain[node, which])
    found, gained = np.concatenate(stretches), np.concatenate(gains)
    is_free = np.ones(n + 1, dtype=bool)
    chosen = []
    for index in np.argsort(-gained, kind="stable").tolist():
        first, last = int(found[index, 0]), int(found[index, 1])
        # Also the edges at both ends must be as they were weighed; that from the last place to the first is entry n.
        low, high = max(first - 1, 0), last + 2
        if is_free[low:high].all() and (first > 0 or is_free[n]):
            is_free[low:high] = False
            is_free[n] &= first > 0
            chosen.append((first, last))
    return chosen
