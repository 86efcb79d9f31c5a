"""A training as an experiment needs it: from settings to numbers."""

from dataclasses import dataclass, replace
from itertools import takewhile
from math import isfinite
from typing import TYPE_CHECKING, Any

from .configs import MethodConfig, TaskConfig, TrainConfig, TransformerConfig

if TYPE_CHECKING:
    from .training import Trainer

N_FREQUENCIES = 41
"""Frequencies of a residual's spectrum that a trial tells: up to 20 cycles per unit."""
OTHER = 500_000
"""What is added to a seed for another training on the same data."""


@dataclass(frozen=True)
class Trial:
    """A training.

    Args:
        task: What is learned.
        model: The shape of the plain network.
        method: What is done to it.
        train: How it is trained; its seed also draws the curve of a regression.
        split: What it is evaluated on: validation to choose settings, test to measure.
    """

    task: TaskConfig
    model: TransformerConfig
    method: MethodConfig
    train: TrainConfig
    split: str = "test"


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train; returns the curve of evaluation losses, steps, parameters and seconds.

    A training that diverges has the curve up to there, and `diverged`. A regression that did not has the power of its
    residual, above 6 cycles per unit and by frequency, and the fitted curve.
    """
    return _found(trial, device, trial.train.seed)


def run_again(trial: Trial, device: str) -> dict[str, Any]:
    """Train as `run_trial` does, on the same data, with other initial weights and batches."""
    return _found(trial, device, trial.train.seed + OTHER)


def _found(trial: Trial, device: str, seed: int) -> dict[str, Any]:
    from .regression import high_frequency_power
    from .tasks import Regression
    from .training import n_parameters

    trainer = _trainer(trial, device, seed)
    diverged = False
    try:
        trainer.fit()
    except FloatingPointError:
        diverged = True
    curve = [[row["step"], row["eval_loss"]] for row in trainer.history]
    finite = list(takewhile(lambda point: isfinite(point[1]), curve))
    diverged = diverged or len(finite) < len(curve)
    found = {
        "curve": finite,
        "n_steps": trial.train.n_steps,
        "seconds": trainer.history[-1]["seconds"],
        "n_parameters": n_parameters(trainer.model),
        "diverged": diverged,
    }
    if isinstance(trainer.task, Regression) and not diverged:
        spectrum = trainer.task.residual_spectrum(trainer.model.eval())
        found["high_frequency"] = high_frequency_power(spectrum)
        found["spectrum"] = spectrum[:N_FREQUENCIES].tolist()
        found |= trainer.task.fit(trainer.model)
    return found


def _trainer(trial: Trial, device: str, seed: int) -> "Trainer":
    """The trainer of a trial, with the seed of its initial weights and batches."""
    from .tasks import make_task
    from .training import Trainer, make_model

    task = make_task(trial.task, trial.train.seed, device)
    model = make_model(task.network, trial.model, trial.method, seed).to(device)
    return Trainer(model, task, replace(trial.train, seed=seed), split=trial.split)  # type: ignore[arg-type]


def step_costs(trials: list[Trial], repeats: int, device: str) -> list[dict[str, float]]:
    """Seconds of a training step, and the parameters, of the networks of several trials.

    Steps are timed turn by turn, so that what slows the machine down slows all alike.

    Args:
        trials: What is trained; the first steps of each are timed.
        repeats: Steps of each, of which the median counts; one before them does not.
        device: Where they are trained.
    """
    import time
    from statistics import median

    import torch

    from .training import n_parameters

    trainers = [_trainer(trial, device, trial.train.seed) for trial in trials]
    seconds: list[list[float]] = [[] for _ in trials]
    for step in range(repeats + 1):
        for trainer, times in zip(trainers, seconds, strict=True):
            start = time.perf_counter()
            trainer.gradients(step)
            trainer.update()
            if device != "cpu":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    return [
        {"seconds": median(times[1:]), "parameters": n_parameters(trainer.model)}
        for times, trainer in zip(seconds, trainers, strict=True)
    ]


def curve_of(found: dict[str, Any]) -> list[tuple[float, float]]:
    """The curve of a trial, as points."""
    return [(step, loss) for step, loss in found["curve"]]


def best(found: dict[str, Any]) -> float:
    """The lowest evaluation loss of a trial; infinite if it diverged."""
    return float("inf") if found["diverged"] else min(loss for _, loss in found["curve"])


def high_frequency(found: dict[str, Any]) -> float:
    """Power of a regression's residual above 6 cycles per unit; infinite if the training diverged."""
    return float(found.get("high_frequency", "inf"))
