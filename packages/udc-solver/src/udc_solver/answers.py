"""Solutions as people have them, from and to the solver's rows, and what the independent evaluators say of them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from . import evaluation
from .evaluation import Distance
from .files.solutions import Answer
from .instances import Instance, Routing, Salesmen
from .problems.problem import AnyProblem
from .selections import ABSENT, Items, Networks


def answer_of(problem: AnyProblem, row: Shaped[Tensor, " length"]) -> Answer:
    """A row of the solver as people have it: places in order, routes, or what is chosen."""
    if row.dtype == torch.bool:
        chosen: list[int] = row.nonzero()[:, 0].tolist()
        return chosen
    if issubclass(problem.instance_type, Routing | Salesmen):
        return evaluation.routes_of(row.tolist())
    if problem.has_depot:
        return [stop for stop in row.tolist() if stop]
    tour: list[int] = row.tolist()
    return tour


def row_of(problem: AnyProblem, instance: Instance, answer: Answer) -> Shaped[Tensor, " length"]:
    """The inverse of `answer_of`, for an instance of one.

    Raises:
        ValueError: if the answer is not of the problem's form, or names what there is not.
    """
    is_nested = any(isinstance(item, list) for item in answer)
    wants_routes = issubclass(problem.instance_type, Routing | Salesmen)
    if is_nested != wants_routes and answer:
        form = "routes, lists of places" if wants_routes else "a list of numbers"
        raise ValueError(f"a solution of {problem.name} is {form}")
    flat = [one for item in answer for one in (item if isinstance(item, list) else [item])]
    n = instance.weights.shape[1] if isinstance(instance, Items) else instance.n_nodes
    if unknown := [one for one in flat if not 0 <= one < n]:
        raise ValueError(f"the solution names {unknown[0]}, but numbers are from 0 to {n - 1}")
    if isinstance(instance, Items | Networks):
        mask = torch.zeros(n, dtype=torch.bool)
        mask[flat] = True
        return mask
    if not problem.has_depot:
        return torch.tensor(flat)
    if wants_routes:
        # The depot stands behind each route, and fills up what is left.
        flat = [one for item in answer if isinstance(item, list) and item for one in [*item, 0]]
        length = 2 * (n - 1)
    else:
        flat, length = [0, *flat], n + 1
    if len(flat) > length:
        raise ValueError(f"the solution visits more places than the {n - 1} that there are")
    return torch.tensor(flat + [0] * (length - len(flat)))


Held = Mapping[str, np.ndarray]
"""The fields of an instance, in double precision."""
Judge = Callable[[Held, Distance, Any], float]
"""What an answer to an instance is worth."""


def _distance(held: Held) -> Distance:
    """Distances between the points, or the costs of the matrix; of neither, nothing that is ever asked."""
    if "costs" in held:
        return evaluation.entries(held["costs"])
    return evaluation.straight(held.get("points", np.zeros((0, 2))))


def _independent_set(held: Held, _: Distance, chosen: list[int]) -> float:
    edges = held["edges"].astype(np.int64)
    return evaluation.independent_set_size(int(held["size"]), edges[edges[:, 0] != ABSENT], chosen)


def _collecting(held: Held, distance: Distance, route: list[int]) -> float:
    minimum = float(held["minimum"])
    return evaluation.prize_collecting_cost(distance, held["prizes"], held["penalties"], minimum, route)


JUDGES: dict[str, Judge] = {
    "tsp": lambda held, distance, tour: evaluation.tour_length(distance, len(held["points"]), tour),
    "atsp": lambda held, distance, tour: evaluation.tour_length(distance, len(held["costs"]), tour),
    "cvrp": lambda held, distance, routes: evaluation.routes_length(
        distance, held["demands"], float(held["capacity"]), routes
    ),
    "ovrp": lambda held, distance, routes: evaluation.routes_length(
        distance, held["demands"], float(held["capacity"]), routes, is_open=True
    ),
    "mtsp": lambda held, distance, routes: evaluation.longest_route(
        distance, len(held["points"]), int(held["n_salesmen"]), routes
    ),
    "op": lambda held, distance, route: evaluation.collected_prize(
        distance, held["prizes"], float(held["limit"]), route
    ),
    "pctsp": _collecting,
    "spctsp": _collecting,
    "kp": lambda held, _, chosen: evaluation.knapsack_value(
        held["weights"], held["values"], float(held["capacity"]), chosen
    ),
    "mis": _independent_set,
}
"""The independent evaluator of each problem; of the SPCTSP that of the plan."""


def judge(problem: AnyProblem, instance: Instance, answer: Answer, distance: Distance | None = None) -> float:
    """What a solution is worth, as people read it, by the independent evaluators.

    Args:
        problem: The problem; one of the user's own says itself what a solution is worth.
        instance: An instance of one.
        answer: The solution.
        distance: Distances of the instance's file; those between its points by default.

    Raises:
        InfeasibleError: if it is not feasible.
        ValueError: if it is not of the problem's form.
    """
    # The form first: an evaluator of routes cannot read a tour.
    row = row_of(problem, instance, answer)[None]
    if problem.name in JUDGES:
        held = arrays_of(instance)
        return float(JUDGES[problem.name](held, distance or _distance(held), answer))
    problem.check(instance, row)
    return float(problem.objective(problem.cost(instance, row)))


def judge_executed(instance: Instance, answer: Answer) -> float:
    """What an executed plan of an SPCTSP costs, with the prizes that were found.

    Raises:
        InfeasibleError: if too little was found.
    """
    held = arrays_of(instance)
    return JUDGES["pctsp"]({**held, "prizes": held["realized"]}, _distance(held), answer)


def arrays_of(instance: Instance) -> dict[str, np.ndarray]:
    """The fields of the first instance in double precision."""
    return {name: getattr(instance, name)[0].cpu().double().numpy() for name in instance.DIMENSIONS}
