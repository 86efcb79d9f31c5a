"""PyVRP, the public hybrid genetic search for vehicle routing, where it is installed (`udc-solver[peers]`)."""

import numpy as np
from jaxtyping import Float

from separata.extras import require

EXTRA = "udc-solver[peers]"
SCALE = 10_000
"""PyVRP computes with whole numbers: lengths, whose unit is the extent of the points, are multiplied by this.

With more, its penalties reach their bound before solutions are feasible."""
UNLIMITED = 2**63 - 1
"""PyVRP's own number for a route that may be as long as it is."""
MOST_PLACES = 12_000
"""Places beyond which PyVRP's dense matrix of distances is refused."""


def pyvrp_tour(points: Float[np.ndarray, "n 2"], seconds: float, seed: int = 0) -> list[int]:
    """A tour (TSP).

    Args:
        points: Coordinates of the places.
        seconds: Time to search.
        seed: Random seed.

    Raises:
        MissingExtraError: if PyVRP is not installed.
        ValueError: if it found none, or there are too many places.
    """
    n = len(points)
    routes = _solve(_lengths(points), np.zeros(n), None, 1, seconds, seed)
    return [0, *routes[0]]


def pyvrp_matrix_tour(costs: Float[np.ndarray, "n n"], seconds: float, seed: int = 0) -> list[int]:
    """A tour by a matrix of costs that need not be symmetric (ATSP).

    Args:
        costs: From row to column.
        seconds: Time to search.
        seed: Random seed.

    Raises:
        MissingExtraError: if PyVRP is not installed.
        ValueError: if it found none, or there are too many places.
    """
    routes = _solve(costs / costs.max(), np.zeros(len(costs)), None, 1, seconds, seed)
    return [0, *routes[0]]


def pyvrp_routes(
    points: Float[np.ndarray, "n 2"],
    demands: Float[np.ndarray, " n"],
    capacity: float,
    seconds: float,
    seed: int = 0,
    *,
    is_open: bool = False,
) -> list[list[int]]:
    """Routes of vehicles (CVRP; OVRP if open, with no cost of the way back).

    Args:
        points: Coordinates of the places; the depot is place 0.
        demands: Demand of each place; whole numbers.
        capacity: What a vehicle holds.
        seconds: Time to search.
        seed: Random seed.
        is_open: Whether vehicles do not come back.

    Raises:
        MissingExtraError: if PyVRP is not installed.
        ValueError: if it found none, there are too many places, or demands are no whole numbers.
    """
    if not np.array_equal(demands, np.round(demands)):
        raise ValueError("PyVRP takes demands that are whole numbers")
    lengths = _lengths(points)
    if is_open:
        lengths[:, 0] = 0.0
    return _solve(lengths, demands, capacity, len(points) - 1, seconds, seed)


def pyvrp_orienteering(
    points: Float[np.ndarray, "n 2"], prizes: Float[np.ndarray, " n"], limit: float, seconds: float, seed: int = 0
) -> list[int]:
    """A route of an orienteering problem: as much prize as fits a length, which itself costs almost nothing.

    Args:
        points: Coordinates of the places; the depot is place 0.
        prizes: Prize of each place.
        limit: Greatest length of the route.
        seconds: Time to search.
        seed: Random seed.

    Raises:
        MissingExtraError: if PyVRP is not installed.
        ValueError: if there are too many places.
    """
    extent = float(np.ptp(points, axis=0).max())
    routes = _solve(
        _lengths(points), np.zeros(len(points)), None, 1, seconds, seed, prizes=1e3 * prizes, limit=limit / extent
    )
    return routes[0] if routes else []


def _lengths(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n n"]:
    """Distances, with the largest extent of the points as their unit."""
    if len(points) > MOST_PLACES:
        raise ValueError(f"PyVRP keeps all distances in a matrix; {len(points):,} places are more than {MOST_PLACES:,}")
    scaled = np.asarray(points, dtype=np.float64) / float(np.ptp(points, axis=0).max())
    gaps = scaled[:, None] - scaled[None]
    return np.hypot(gaps[..., 0], gaps[..., 1])


def _solve(
    lengths: Float[np.ndarray, "n n"],
    demands: Float[np.ndarray, " n"],
    capacity: float | None,
    n_vehicles: int,
    seconds: float,
    seed: int,
    *,
    prizes: Float[np.ndarray, " n"] | None = None,
    limit: float | None = None,
) -> list[list[int]]:
    require("pyvrp", extra=EXTRA)
    import pyvrp
    from pyvrp.stop import MaxRuntime

    n = len(lengths)
    matrix = np.round(lengths * SCALE).astype(np.int64)
    np.fill_diagonal(matrix, 0)
    if limit is not None:
        # Lengths are rounded up, so that a route within the limit is within it exactly.
        matrix = np.ceil(lengths * SCALE).astype(np.int64)
    load = [] if capacity is None else [int(capacity)]
    longest = UNLIMITED if limit is None else int(limit * SCALE)
    clients = [
        pyvrp.Client(
            place,
            delivery=[] if capacity is None else [int(demands[place])],
            prize=0 if prizes is None else int(prizes[place] * SCALE),
            required=prizes is None,
        )
        for place in range(1, n)
    ]
    data = pyvrp.ProblemData(
        [pyvrp.Location(0, 0) for _ in range(n)],
        clients,
        [pyvrp.Depot(0)],
        [pyvrp.VehicleType(n_vehicles, load, max_distance=longest)],
        [matrix],
        [np.zeros_like(matrix)],
    )
    found = pyvrp.solve(data, stop=MaxRuntime(seconds), seed=seed, collect_stats=False, display=False)
    if not found.best.is_feasible():
        raise ValueError(f"PyVRP found no feasible solution in {seconds:g} seconds")
    return [[stop.idx + 1 for stop in route if stop.is_client()] for route in found.best.routes()]
