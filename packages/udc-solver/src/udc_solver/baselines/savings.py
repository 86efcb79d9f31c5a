"""Clarke and Wright's savings: a route for each customer, then the two joined whose junction saves most, and so on."""

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree


def savings_routes(
    points: Float[np.ndarray, "n 2"],
    demands: Float[np.ndarray, " n"],
    capacity: float,
    *,
    is_open: bool = False,
    n_neighbors: int = 100,
) -> list[list[int]]:
    """Routes of a CVRP by the savings algorithm (Clarke and Wright 1964), in its parallel version.

    Args:
        points: Coordinates of the places; the depot is place 0.
        demands: Demand of each place.
        capacity: What a vehicle holds.
        is_open: Whether vehicles do not come back. A junction then saves the way from the depot to the second route's
            first customer alone, and routes are not turned around.
        n_neighbors: Each customer is joined with so many nearest ones only.

    Returns:
        Customers of each route, in order.

    Raises:
        ValueError: if a customer's demand is more than a vehicle holds.
    """
    if np.any(demands[1:] > capacity):
        raise ValueError(f"a demand is {demands[1:].max():.6g}, but a vehicle holds {capacity:.6g}")
    points = np.asarray(points, dtype=np.float64)
    n, k = len(points), min(n_neighbors, len(points) - 2)
    routes = {customer: [customer] for customer in range(1, n)}
    if k < 1:
        return list(routes.values())
    gaps, near = KDTree(points[1:]).query(points[1:], k + 1)
    first = np.repeat(np.arange(1, n), k + 1)
    second, gap = near.reshape(-1) + 1, gaps.reshape(-1)
    home = np.hypot(*(points - points[0]).T)
    saving = home[second] - gap + (0.0 if is_open else home[first])
    keep = (saving > 0) & (first != second if is_open else first < second)
    order = np.flatnonzero(keep)[np.argsort(-saving[keep], kind="stable")]
    load = {customer: float(demands[customer]) for customer in range(1, n)}
    route_of = list(range(n))
    limit = capacity * (1 + 1e-9)
    for a, b in zip(first[order].tolist(), second[order].tolist(), strict=True):
        one, other = route_of[a], route_of[b]
        if one == other or load[one] + load[other] > limit:
            continue
        head, tail = routes[one], routes[other]
        if head[-1] != a and not is_open and head[0] == a:
            head.reverse()
        if tail[0] != b and not is_open and tail[-1] == b:
            tail.reverse()
        if head[-1] == a and tail[0] == b:
            head += tail
            load[one] += load.pop(other)
            for customer in routes.pop(other):
                route_of[customer] = one
    return list(routes.values())
