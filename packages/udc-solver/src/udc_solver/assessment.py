"""The independent evaluator, applied to instances and solutions as this package has them."""

from typing import Any

import numpy as np
from torch import Tensor

from . import evaluation
from .instances import Instance


def assess(name: str, instance: Instance, solution: Tensor) -> list[float]:
    """The objective of each solution, by code that shares nothing with the solver; of SPCTSP, that of the plan.

    Args:
        name: Of the problem.
        instance: Instances.
        solution: Rows in the problem's form; row r belongs to instance r // (rows / instances).

    Raises:
        InfeasibleError: if one breaks a rule of its problem.
        ValueError: if there is no evaluator for the problem.
    """
    rows = solution.cpu().numpy()
    each = len(rows) // len(instance)
    return [_assess_one(name, _arrays(instance, number // each), row) for number, row in enumerate(rows)]


def _arrays(instance: Instance, number: int) -> dict[str, Any]:
    """One instance as NumPy arrays and numbers."""
    held = {field: getattr(instance, field)[number].cpu().numpy() for field in instance.DIMENSIONS}
    return {field: value.item() if value.ndim == 0 else value for field, value in held.items()}


def _assess_one(name: str, held: dict[str, Any], row: np.ndarray) -> float:
    match name:
        case "tsp":
            return evaluation.tour_length(evaluation.straight(held["points"]), len(held["points"]), row.tolist())
        case "atsp":
            return evaluation.tour_length(evaluation.entries(held["costs"]), len(held["costs"]), row.tolist())
        case "kp":
            chosen = row.nonzero()[0].tolist()
            return evaluation.knapsack_value(held["weights"], held["values"], held["capacity"], chosen)
        case "mis":
            edges = held["edges"][(held["edges"] >= 0).all(1)]
            return float(evaluation.independent_set_size(len(row), edges, row.nonzero()[0].tolist()))
        case "cvrp" | "ovrp" | "mtsp" | "op" | "pctsp" | "spctsp":
            return _assess_routes(name, held, evaluation.routes_of(row.tolist()))
    raise ValueError(f"there is no independent evaluator for the problem '{name}'")


def _assess_routes(name: str, held: dict[str, Any], routes: list[list[int]]) -> float:
    distance = evaluation.straight(held["points"])
    if name in {"cvrp", "ovrp"}:
        return evaluation.routes_length(distance, held["demands"], held["capacity"], routes, is_open=name == "ovrp")
    if name == "mtsp":
        return evaluation.longest_route(distance, len(held["points"]), held["n_salesmen"], routes)
    if len(routes) > 1:
        raise evaluation.InfeasibleError(f"there is one route, but the solution has {len(routes)}")
    route = routes[0] if routes else []
    if name == "op":
        return evaluation.collected_prize(distance, held["prizes"], held["limit"], route)
    return evaluation.prize_collecting_cost(distance, held["prizes"], held["penalties"], held["minimum"], route)
