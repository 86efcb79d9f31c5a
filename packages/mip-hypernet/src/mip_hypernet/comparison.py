"""Parametrizations side by side on one task."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

from separata.loop import Track
from separata.output import Output, finite, table
from separata.run import Compute

from .configs import Parametrization, RunConfig
from .trials import Trial, run_trial

COMPARED: tuple[Parametrization, ...] = ("mip", "encoding", "residual", "default")


def compare(
    config: RunConfig,
    names: Sequence[Parametrization] = COMPARED,
    n_seeds: int = 5,
    *,
    device: str = "auto",
    track: Track | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Train each parametrization with several seeds; the first is the configuration's.

    Args:
        config: The task, the hypernetwork, and how all are trained.
        names: Parametrizations.
        n_seeds: Trainings of each.
        device: `auto`, `cpu` or `cuda`.
        track: Shows progress.

    Returns:
        What `trials.run_trial` gives, by parametrization and seed.

    Raises:
        ValueError: if there is no seed, or a setting does not fit the task.
    """
    if n_seeds < 1:
        raise ValueError(f"a comparison needs a seed or more, not {n_seeds}")
    target = str(Compute(device).torch_device)
    jobs = [(name, config.train.seed + i) for name in names for i in range(n_seeds)]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    numbers = range(len(jobs))
    for number in track(numbers, "trainings") if track else numbers:
        name, seed = jobs[number]
        hyper = replace(config.hyper, parametrization=name)
        found[name].append(run_trial(replace(Trial.of(config), hyper=hyper, seed=seed), target))
    return found


def output(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Output:
    """A table of the parametrizations, and their curves as JSON."""
    rows = [
        {
            "parametrization": name,
            "loss": _mean(results, "last"),
            "sd": _sd(results, "last"),
            "test_loss": _mean(results, "test"),
            "steps_to_target": fmean(result["steps"] for result in results),
            "failed": sum(result["failed"] for result in results),
        }
        for name, results in found.items()
    ]
    told = table(rows)
    best = min((row for row in rows if row["loss"] is not None), key=lambda row: float(str(row["loss"])), default=None)
    curves = {name: [result["curve"] for result in results] for name, results in found.items()}
    value = {**told.value, "best": None if best is None else best["parametrization"], "curves": curves}
    return Output(value, told.text + ("" if best is None else f"\nlowest training loss: {best['parametrization']}"))


def _values(results: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    found = [result[key].get("loss") if key == "test" else result[key] for result in results]
    return [value for value in found if value is not None]


def _mean(results: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """Over the seeds; None if a training gave no number."""
    values = _values(results, key)
    return finite(fmean(values) if len(values) == len(results) else math.nan)


def _sd(results: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = _values(results, key)
    return finite(stdev(values) if len(values) == len(results) > 1 else math.nan)
