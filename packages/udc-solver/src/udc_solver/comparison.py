"""The solver and the baselines on the same instances: quality against seconds."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from separata.extras import MissingExtraError

from .answers import answer_of, arrays_of, judge
from .baselines.methods import METHODS
from .files.solutions import Answer
from .solver import UDC, Track
from .sources import Source

OWN = "udc"


@dataclass(frozen=True)
class MethodReport:
    """How a method did.

    Args:
        method: Its name.
        objective: Mean over the instances, by the independent evaluators.
        seconds: Mean for an instance.
        objectives: Of each instance.
    """

    method: str
    objective: float
    seconds: float
    objectives: tuple[float, ...]


def methods_of(problem: str) -> list[str]:
    """Names of the baselines of a problem; none of one that the package does not ship."""
    return list(METHODS.get(problem, {}))


def compare(
    solver: UDC,
    source: Source,
    baselines: Sequence[str],
    *,
    samples: int = 8,
    rounds: Sequence[int] = (0, 10),
    seconds: float = 10.0,
    seed: int = 0,
    track: Track | None = None,
) -> tuple[list[MethodReport], list[str]]:
    """Solve the same instances by the solver, with several numbers of rounds, and by baselines.

    Args:
        solver: The solver.
        source: The instances.
        baselines: Names of methods; see `methods_of`.
        samples: Solutions of each instance that the solver builds.
        rounds: Numbers of conquering rounds, each a run of its own.
        seconds: Time for each instance of methods that search.
        seed: Random seed.
        track: Shows progress over methods.

    Returns:
        The reports, and what could not be run and why.

    Raises:
        ValueError: if there is no such method.
        InfeasibleError: if a method's answer breaks a rule of the problem.
    """
    name = solver.problem.name
    if unknown := [one for one in baselines if one not in METHODS.get(name, {})]:
        raise ValueError(f"there is no baseline {unknown[0]} of {name}; there are {', '.join(methods_of(name))}")
    runs = [(f"{OWN} ({samples}, {r})", partial(_solve, solver, source, samples, r, seed)) for r in rounds]
    runs += [(one, partial(_run, name, source, one, seconds, seed)) for one in baselines]
    reports, notes = [], []
    numbers: Iterable[int] = range(len(runs))
    for number in track(numbers, "methods") if track else numbers:
        method, run = runs[number]
        begin = time.perf_counter()
        try:
            answers = run()
        except MissingExtraError as error:
            notes.append(f"{method} was left out: {error}")
            continue
        spent = (time.perf_counter() - begin) / len(answers)
        objectives = tuple(
            judge(solver.problem, source.instance[i : i + 1], answer, source.distance)
            for i, answer in enumerate(answers)
        )
        reports.append(MethodReport(method, float(np.mean(objectives)), spent, objectives))
    return reports, notes


def _solve(solver: UDC, source: Source, samples: int, rounds: int, seed: int) -> list[Answer]:
    found = solver.solve(source.instance, samples, rounds, torch.Generator().manual_seed(seed))
    return [answer_of(solver.problem, row) for row in found.solution]


def _run(problem: str, source: Source, method: str, seconds: float, seed: int) -> list[Answer]:
    rule = METHODS[problem][method]
    n = len(source.instance)
    return [rule(arrays_of(source.instance[i : i + 1]), seconds, seed + i) for i in range(n)]
