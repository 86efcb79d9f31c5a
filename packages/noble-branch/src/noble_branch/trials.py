"""A training as an experiment needs it: from settings to numbers."""

from dataclasses import dataclass
from typing import Any

from .configs import MethodConfig, TaskConfig, TrainConfig, TransformerConfig


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
    """Train; returns the curve of evaluation losses, the last training loss, parameters and seconds.

    A training that diverges has the curve up to there, and `diverged`.
    """
    from .tasks import Regression, make_task
    from .training import Trainer, make_model, n_parameters

    task = make_task(trial.task, trial.train.seed, device)
    model = make_model(task, trial.model, trial.method, trial.train.seed).to(device)
    trainer = Trainer(model, task, trial.train, split=trial.split)  # type: ignore[arg-type]
    diverged = False
    try:
        trainer.fit()
    except FloatingPointError:
        diverged = True
    found = {
        "curve": [[row["step"], row["eval_loss"]] for row in trainer.history],
        "train_loss": trainer.history[-1].get("train_loss"),
        "seconds": trainer.history[-1]["seconds"],
        "n_parameters": n_parameters(model),
        "diverged": diverged,
    }
    if isinstance(task, Regression) and not diverged:
        found["high_frequency"] = task.high_frequency_residual(model.eval())
    return found


def curve_of(found: dict[str, Any]) -> list[tuple[float, float]]:
    """The curve of a trial, as points."""
    return [(step, loss) for step, loss in found["curve"]]


def best(found: dict[str, Any]) -> float:
    """The lowest evaluation loss of a trial; infinite if it diverged."""
    return float("inf") if found["diverged"] else min(loss for _, loss in found["curve"])
