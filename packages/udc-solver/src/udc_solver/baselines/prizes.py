"""Routes that need not visit every place: cheapest insertion by what a place is worth for the way that it takes."""

import numpy as np
from jaxtyping import Float


def orienteering_insertion(
    points: Float[np.ndarray, "n 2"], prizes: Float[np.ndarray, " n"], limit: float
) -> list[int]:
    """A route of an orienteering problem: always the place with the most prize for the way that it adds.

    Args:
        points: Coordinates of the places; the depot is place 0.
        prizes: Prize of each place.
        limit: Greatest length of the closed route.

    Returns:
        Places in order, without the depot.
    """
    route = _Insertion(points)
    while True:
        detour = route.detours
        fits = route.is_left & (route.length + detour <= limit)
        if not fits.any():
            return route.stops[1:-1]
        worth = prizes / np.maximum(detour, 1e-12)
        route.insert(int(np.argmax(np.where(fits, worth, -np.inf))))


def prize_collecting_insertion(
    points: Float[np.ndarray, "n 2"],
    prizes: Float[np.ndarray, " n"],
    penalties: Float[np.ndarray, " n"],
    minimum: float,
) -> list[int]:
    """A route of a prize-collecting TSP: cheapest insertion until enough is collected, and on while it pays.

    While too little is collected, it is the place with the smallest detour, less its penalty, for its prize; then the
    one whose penalty exceeds its detour most.

    Args:
        points: Coordinates of the places; the depot is place 0.
        prizes: Prize of each place.
        penalties: What it costs to leave out each place.
        minimum: Prize that must be collected.

    Returns:
        Places in order, without the depot.
    """
    route = _Insertion(points)
    collected = 0.0
    while route.is_left.any():
        detour = route.detours
        cost = np.where(route.is_left, detour - penalties, np.inf)
        if collected >= minimum and cost.min() >= 0:
            break
        if collected < minimum and cost.min() >= 0:
            cost /= np.maximum(prizes, 1e-12)
        place = int(np.argmin(cost))
        collected += float(prizes[place])
        route.insert(place)
    return route.stops[1:-1]


class _Insertion:
    """A closed route from the depot, and for each place the least detour to it, kept up to date in O(n) a step."""

    def __init__(self, points: Float[np.ndarray, "n 2"]) -> None:
        self.points = np.asarray(points, dtype=np.float64)
        self.is_left = np.ones(len(points), dtype=bool)
        self.is_left[0] = False
        self.stops = [0, 0]
        self.length = 0.0
        self.detours = np.full(len(points), np.inf)
        self._leg = np.zeros((len(points), 2), dtype=np.int64)
        self._offer(0, 0)

    def insert(self, place: int) -> None:
        """Put a place between the two stops where it adds least."""
        first, second = self._leg[place].tolist()
        at = next(i for i in range(len(self.stops) - 1) if (self.stops[i], self.stops[i + 1]) == (first, second))
        self.length += float(self.detours[place])
        self.stops.insert(at + 1, place)
        self.is_left[place] = False
        # Those whose best leg is no more look at all legs again; the others only at the two new ones.
        orphans = np.flatnonzero((self._leg == (first, second)).all(1) & self.is_left)
        if len(orphans):
            self.detours[orphans] = np.inf
            stops = np.array(self.stops)
            added = self._between(orphans[:, None], stops[:-1], stops[1:])
            leg = added.argmin(1)
            self.detours[orphans] = added[np.arange(len(orphans)), leg]
            self._leg[orphans] = np.stack([stops[leg], stops[leg + 1]], axis=1)
        self._offer(first, place)
        self._offer(place, second)

    def _offer(self, first: int, second: int) -> None:
        places = np.arange(len(self.points))
        added = self._between(places, np.array(first), np.array(second))
        is_better = added < self.detours
        self.detours[is_better] = added[is_better]
        self._leg[is_better] = (first, second)

    def _between(self, places: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        p = self.points
        to, away, across = p[places] - p[first], p[places] - p[second], p[first] - p[second]
        return (
            np.hypot(to[..., 0], to[..., 1])
            + np.hypot(away[..., 0], away[..., 1])
            - np.hypot(across[..., 0], across[..., 1])
        )
