"""Independent evaluation: what a solution is worth, by plain loops over plain arrays.

Nothing here is shared with the solver: neither its tensors, nor its distances, nor its checks. A solution that passes
was verified by code that has never seen how it was found.
"""

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
from jaxtyping import Int, Real

TOLERANCE = 1e-5
"""By how much a sum of numbers may exceed a limit, relative to it: solvers sum in single precision."""

Distance = Callable[[int, int], float]
"""The length of the way from one place to another."""
Numbers = Sequence[float] | Real[np.ndarray, " n"]


class InfeasibleError(ValueError):
    """A solution breaks a rule of its problem; the message names the rule and where it is broken."""


def straight(points: Real[np.ndarray, "n 2"]) -> Distance:
    """Euclidean distances between points, in double precision."""
    places = [(float(x), float(y)) for x, y in points]
    return lambda i, j: math.dist(places[i], places[j])


def entries(matrix: Real[np.ndarray, "n n"]) -> Distance:
    """Distances that are the entries of a matrix, from row to column."""
    return lambda i, j: float(matrix[i, j])


def tour_length(distance: Distance, n: int, tour: Sequence[int]) -> float:
    """Length of a closed tour through each of `n` places once (TSP, ATSP).

    Raises:
        InfeasibleError: if a place is missing, visited twice or unknown.
    """
    _check_visits(tour, range(n), "the tour")
    return math.fsum(distance(a, b) for a, b in zip(tour, [*tour[1:], tour[0]], strict=True))


def routes_of(sequence: Iterable[int]) -> list[list[int]]:
    """The routes of a sequence in which zeros, the depot, separate them; empty ones are left out."""
    routes: list[list[int]] = [[]]
    for place in sequence:
        if place == 0:
            routes.append([])
        else:
            routes[-1].append(int(place))
    return [route for route in routes if route]


def routes_length(
    distance: Distance,
    demands: Numbers,
    capacity: float,
    routes: Sequence[Sequence[int]],
    *,
    is_open: bool = False,
) -> float:
    """Length of all routes of vehicles that start at the depot, place 0 (CVRP; OVRP if open).

    Args:
        distance: Distances between the places.
        demands: Demand of each place; the depot's does not count.
        capacity: What a vehicle holds, in the units of the demands.
        routes: Customers of each route, in order, without the depot.
        is_open: Whether vehicles do not come back.

    Raises:
        InfeasibleError: if a customer is missing or visited twice, or a route exceeds the capacity.
    """
    _check_visits([place for route in routes for place in route], range(1, len(demands)), "the routes")
    length = 0.0
    for number, route in enumerate(routes, 1):
        load = math.fsum(float(demands[place]) for place in route)
        if load > capacity * (1 + TOLERANCE):
            raise InfeasibleError(f"route {number} carries {load:.6g}, but a vehicle holds {capacity:.6g}")
        length += _route_length(distance, route, is_open=is_open)
    return length


def longest_route(distance: Distance, n: int, n_agents: int, routes: Sequence[Sequence[int]]) -> float:
    """Length of the longest of the closed routes of agents from the depot, place 0 (min-max mTSP).

    Args:
        distance: Distances between the places.
        n: Number of places with the depot.
        n_agents: Number of agents; fewer may travel.
        routes: Places of each agent, in order, without the depot.

    Raises:
        InfeasibleError: if a place is missing or visited twice, or more agents travel than there are.
    """
    _check_visits([place for route in routes for place in route], range(1, n), "the routes")
    used = [route for route in routes if route]
    if len(used) > n_agents:
        raise InfeasibleError(f"{len(used)} agents travel, but there are {n_agents}")
    return max((_route_length(distance, route) for route in used), default=0.0)


def collected_prize(distance: Distance, prizes: Numbers, limit: float, route: Sequence[int]) -> float:
    """Prize of a closed route from the depot, place 0, that is not longer than a limit (OP).

    Args:
        distance: Distances between the places.
        prizes: Prize of each place; the depot's does not count.
        limit: Greatest length of the route.
        route: Places in order, without the depot.

    Raises:
        InfeasibleError: if a place is visited twice or unknown, or the route is too long.
    """
    _check_some_visits(route, len(prizes))
    length = _route_length(distance, route)
    if length > limit * (1 + TOLERANCE):
        raise InfeasibleError(f"the route has length {length:.6g}, but the limit is {limit:.6g}")
    return math.fsum(float(prizes[place]) for place in route)


def prize_collecting_cost(
    distance: Distance,
    prizes: Numbers,
    penalties: Numbers,
    minimum: float,
    route: Sequence[int],
) -> float:
    """Length of a closed route from the depot, place 0, and the penalties of what it leaves out (PCTSP, SPCTSP).

    Args:
        distance: Distances between the places.
        prizes: Prize of each place, of the stochastic problem the real one; the depot's does not count.
        penalties: What it costs to leave out each place; the depot's does not count.
        minimum: Prize that must be collected, unless every place is visited.
        route: Places in order, without the depot.

    Raises:
        InfeasibleError: if a place is visited twice or unknown, or too little is collected.
    """
    _check_some_visits(route, len(prizes))
    collected = math.fsum(float(prizes[place]) for place in route)
    if collected < minimum * (1 - TOLERANCE) and len(route) < len(prizes) - 1:
        raise InfeasibleError(f"the route collects {collected:.6g}, but must collect {minimum:.6g}")
    visited = set(route)
    missed = math.fsum(float(penalties[place]) for place in range(1, len(penalties)) if place not in visited)
    return _route_length(distance, route) + missed


def knapsack_value(weights: Numbers, values: Numbers, capacity: float, chosen: Collection[int]) -> float:
    """Value of chosen items that fit into a knapsack (KP).

    Raises:
        InfeasibleError: if an item is chosen twice or unknown, or they are too heavy.
    """
    _check_chosen(chosen, len(weights), "item")
    weight = math.fsum(float(weights[item]) for item in chosen)
    if weight > capacity * (1 + TOLERANCE):
        raise InfeasibleError(f"the chosen items weigh {weight:.6g}, but the capacity is {capacity:.6g}")
    return math.fsum(float(values[item]) for item in chosen)


def independent_set_size(n: int, edges: Int[np.ndarray, "m 2"], chosen: Collection[int]) -> int:
    """Number of chosen nodes of a graph no two of which are adjacent (MIS).

    Raises:
        InfeasibleError: if a node is chosen twice or unknown, or two are adjacent.
    """
    _check_chosen(chosen, n, "node")
    inside = {int(node) for node in chosen}
    for a, b in edges.tolist():
        if a in inside and b in inside and a != b:
            raise InfeasibleError(f"the nodes {a} and {b} are both chosen, but adjacent")
    return len(inside)


def _route_length(distance: Distance, route: Sequence[int], *, is_open: bool = False) -> float:
    if not route:
        return 0.0
    stops = [0, *route] if is_open else [0, *route, 0]
    return math.fsum(distance(a, b) for a, b in itertools.pairwise(stops))


def _check_visits(visits: Sequence[int], places: range, what: str) -> None:
    counts = dict.fromkeys(places, 0)
    for place in visits:
        if place not in counts:
            raise InfeasibleError(f"{what} visit place {place}, but places are {places[0]} to {places[-1]}")
        counts[place] += 1
    for place, count in counts.items():
        if count != 1:
            times = "is never visited" if count == 0 else f"is visited {count} times"
            raise InfeasibleError(f"place {place} {times}, but must be visited once")


def _check_some_visits(route: Sequence[int], n: int) -> None:
    seen: set[int] = set()
    for place in route:
        if not 1 <= place < n:
            raise InfeasibleError(f"the route visits place {place}, but places are 1 to {n - 1}")
        if place in seen:
            raise InfeasibleError(f"the route visits place {place} twice")
        seen.add(place)


def _check_chosen(chosen: Collection[int], n: int, what: str) -> None:
    seen: set[int] = set()
    for one in chosen:
        if not 0 <= one < n:
            raise InfeasibleError(f"{what} {one} is chosen, but there are {what}s 0 to {n - 1}")
        if one in seen:
            raise InfeasibleError(f"{what} {one} is chosen twice")
        seen.add(int(one))
