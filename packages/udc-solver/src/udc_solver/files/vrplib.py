"""CVRPLIB: `.vrp` problems, and `.sol` solutions with a line for each route."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from separata import files

from .text import numbers, read_text, whole
from .tsplib import TsplibProblem, load_tsplib


def load_vrp(path: Path) -> TsplibProblem:
    """Read a CVRP.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a CVRPLIB file, or a customer's demand is negative or more than a vehicle holds.
    """
    problem = load_tsplib(path)
    if problem.demands is None or problem.capacity is None:
        raise ValueError(f"{path} is a problem of type {problem.kind}, not a CVRP")
    if problem.capacity <= 0:
        raise ValueError(f"{path}: CAPACITY is {problem.capacity:g}, but must be positive")
    for place, demand in enumerate(problem.demands[1:], 2):
        if not 0 <= demand <= problem.capacity:
            raise ValueError(
                f"{path}: place {place} has demand {demand:g}, but a vehicle holds {problem.capacity:g}; demands must "
                f"be from 0 to that"
            )
    return problem


def save_vrp(
    path: Path,
    points: Float[np.ndarray, "n 2"],
    demands: Float[np.ndarray, " n"],
    capacity: float,
    name: str,
    weights: str = "EXACT_2D",
) -> None:
    """Write a CVRP whose depot is the first place.

    Args:
        path: The file.
        points: Coordinates, [n, 2].
        demands: Demand of each place, [n].
        capacity: What a vehicle holds.
        name: Name of the problem.
        weights: How distances come from coordinates; EXACT_2D, which does not round, is no type of TSPLIB's.
    """
    lines = [f"NAME : {name}", "TYPE : CVRP", f"DIMENSION : {len(points)}", f"EDGE_WEIGHT_TYPE : {weights}"]
    lines += [f"CAPACITY : {_plain(capacity)}", "NODE_COORD_SECTION"]
    lines += [f"{place} {float(x)!r} {float(y)!r}" for place, (x, y) in enumerate(points, 1)]
    lines += ["DEMAND_SECTION", *(f"{place} {_plain(demand)}" for place, demand in enumerate(demands, 1))]
    files.write_text(path, "\n".join([*lines, "DEPOT_SECTION", "1", "-1", "EOF", ""]))


def load_routes(path: Path) -> tuple[list[list[int]], float | None]:
    """Read the routes of a `.sol` file, customers counted from 1, and the cost that it states.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file.
    """
    routes: list[list[int]] = []
    cost = None
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = line.replace(":", " ").split()
        where = f"{path}, line {number}"
        if not words:
            continue
        if words[0].lower() == "route":
            start = 2 if len(words) > 1 and words[1].startswith("#") and len(words[1]) > 1 else 3
            routes.append([whole(word, where) for word in words[start:]])
        elif words[0].lower() == "cost" and len(words) > 1:
            cost = numbers(words[1:2], where)[0]
    if not routes:
        raise ValueError(f"{path} is not a solution of routes: it has no line 'Route #1: ...'")
    return routes, cost


def save_routes(path: Path, routes: Sequence[Sequence[int]], cost: float) -> None:
    """Write routes as CVRPLIB does."""
    lines = [f"Route #{number}: {' '.join(map(str, route))}" for number, route in enumerate(routes, 1)]
    files.write_text(path, "\n".join([*lines, f"Cost {_plain(cost)}", ""]))


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
