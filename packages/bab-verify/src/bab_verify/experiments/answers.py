"""What the answers of trials come to."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Answers = Sequence[Mapping[str, Mapping[str, Any]]]
"""Of each property, the answer of each method."""


def proven(answers: Answers, method: str) -> int:
    """How many properties a method has proven."""
    return sum(one[method]["status"] == "unsat" for one in answers)


def solved(answers: Answers, method: str) -> int:
    """How many it has proven or refuted."""
    return sum(one[method]["status"] != "unknown" for one in answers)


def tried(answers: Answers, methods: Iterable[str]) -> Answers:
    """The answers to the properties that all of the methods were tried on."""
    return [one for one in answers if one.keys() >= set(methods)]


def branched(answers: Answers) -> list[Mapping[str, Mapping[str, Any]]]:
    """The answers to the properties that were not decided before branching."""
    return [one for one in answers if one["alpha"]["status"] == "unknown"]


def cost(answer: Mapping[str, Any], limit: int) -> float:
    """Branches that an answer took; the limit where there is none."""
    return min(answer["visited"], limit) if answer["status"] != "unknown" else limit


def mean_cost(answers: Answers, method: str, limit: int) -> float:
    """Geometric mean of the branches that a method visited, over the properties that needed any."""
    costs = [cost(one[method], limit) for one in branched(answers)]
    return math.exp(sum(math.log(max(1, one)) for one in costs) / len(costs)) if costs else math.nan


def ratios(answers: Answers, method: str, other: str) -> list[float]:
    """Branches of a method over those of another, for each property that both have decided by branching."""
    both = [one for one in branched(answers) if "unknown" not in (one[method]["status"], one[other]["status"])]
    return [max(1, one[method]["visited"]) / max(1, one[other]["visited"]) for one in both]


def mean_ratio(values: Sequence[float]) -> float:
    """Their geometric mean."""
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else math.nan
