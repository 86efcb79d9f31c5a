"""SGD, SplitSGD and Adam with tuned rates on text and images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

import numpy as np

from opposing_signals.charts import draw_optimizers
from opposing_signals.configs import DataConfig, ModelConfig, OptimizerName, TrainConfig
from opposing_signals.trials import OptimizerTrial, run_optimizer
from separata import Run, Unmeasured, experiment

from .natural import Found


@dataclass(frozen=True)
class Optimizers:
    """Optimizers with tuned rates on text and images.

    Args:
        text: The training on text.
        images: The training on images.
        rates: Candidate learning rates of SGD.
        small_rates: Candidate learning rates of Adam, and of the steps of fixed size.
    """

    text: OptimizerTrial = field(
        default_factory=lambda: OptimizerTrial(
            "text",
            DataConfig(5000),
            ModelConfig(hidden="64"),
            TrainConfig(400, "cross-entropy", batch_size=250, record_every=5, sharpness_every=0, momentum=0.9),
        )
    )
    images: OptimizerTrial = field(
        default_factory=lambda: OptimizerTrial(
            "mnist5k",
            DataConfig(2000, pool=2),
            ModelConfig(activation="relu"),
            TrainConfig(300, "cross-entropy", batch_size=200, record_every=5, sharpness_every=0, momentum=0.9),
        )
    )
    rates: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0)
    small_rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)


PATIENCE = 2
"""How many times SGD's steps the others have to come down to its loss."""
KINDS: dict[str, tuple[OptimizerName, float]] = {
    "sgd": ("sgd", 0.9),
    "adam": ("adam", 0.9),
    "sgd_plain": ("sgd", 0.0),
    "adam_plain": ("adam", 0.0),
    "signum": ("signum", 0.9),
}
"""Optimizer and momentum by key; SplitSGD, with and without momentum, is tuned after SGD."""
LABELS = {
    "sgd": "SGD, momentum",
    "adam": "Adam",
    "split": "SplitSGD",
    "sgd_plain": "SGD, no momentum",
    "adam_plain": "Adam, beta1 = 0",
    "split_plain": "SplitSGD, no momentum",
    "signum": "sign of the momentum",
}


@experiment(
    "adam-and-sgd",
    smoke=Optimizers(
        replace(Optimizers().text, data=DataConfig(500), train=replace(Optimizers().text.train, n_steps=20)),
        replace(
            Optimizers().images,
            dataset="digits",
            data=DataConfig(300),
            train=replace(Optimizers().images.train, n_steps=20),
        ),
        (1.0,),
        (1e-2,),
    ),
    quick=Optimizers(),
    paper=Unmeasured("GPT-2 on OpenWebText is not among the experiments; see the evidence at gpu"),
)
def optimizers(config: Optimizers, run: Run) -> None:
    """Steps to the training loss that SGD ends with, with tuned rates."""
    trials = {"text": config.text, "images": config.images}
    base = {(data, key): (trial, *kind) for data, trial in trials.items() for key, kind in KINDS.items()}
    candidates = {name: _candidates(config, *one) for name, one in base.items()}
    chosen = run.choose(run_optimizer, candidates, _score, "choosing learning rates", every_seed=True)
    split = {
        (data, key): [
            replace(
                trial,
                train=replace(
                    trial.train, optimizer="split-sgd", lr=chosen[data, sgd].train.lr, lr_large=rate, momentum=momentum
                ),
                is_tuning=True,
            )
            for rate in config.small_rates
        ]
        for data, trial in trials.items()
        for key, sgd, momentum in (("split", "sgd", 0.9), ("split_plain", "sgd_plain", 0.0))
    }
    chosen |= run.choose(run_optimizer, split, _score, "choosing step sizes", every_seed=True)
    final = {name: replace(one, is_tuning=False, patience=PATIENCE) for name, one in chosen.items()}
    found = run.over_seeds(run_optimizer, final, "optimizers")
    for i in range(len(run.seeds)):
        shares = {
            f"{data}_{key}": share_of_steps(found[data, key][i], found[data, "sgd"][i]["final"], trial.train.n_steps)
            for data, trial in trials.items()
            for key in ("sgd", "adam", "split")
        }
        run.measure("adam-and-sgd", **shares)
    _note_optimizers(config, run, chosen, found)
    run.figure(
        "optimizers",
        draw_optimizers(
            {
                title: {
                    LABELS[key]: [(one["steps"], one["loss"]) for one in found[data, key]]
                    for key in ("sgd", "split", "adam")
                }
                for data, title in (("text", "Generated text"), ("images", "MNIST"))
            }
        ),
        caption="Training loss of SGD with momentum, SplitSGD and Adam with tuned rates.",
    )


def _candidates(
    config: Optimizers, trial: OptimizerTrial, kind: OptimizerName, momentum: float
) -> list[OptimizerTrial]:
    rates = config.rates if kind == "sgd" else config.small_rates
    return [
        replace(
            trial, train=replace(trial.train, optimizer=kind, lr=rate, lr_large=rate, momentum=momentum), is_tuning=True
        )
        for rate in rates
    ]


def _score(found: Found) -> float:
    return math.nan if found["final"] is None else -found["final"]


def share_of_steps(found: Found, target: float | None, n_steps: int) -> float:
    """Steps until the loss, averaged over three records as the target is, is down there, as a share of `n_steps`.

    SGD itself has a share below 1 where its loss was as low before: what is compared with it must be below that.
    Where the loss never comes down, the share is that of the whole training, above 1.
    """
    if target is None or not found["steps"]:
        return math.nan
    means = np.convolve(found["loss"], np.full(3, 1 / 3), "valid")
    reached = np.flatnonzero(means <= target * (1 + 1e-9))
    row = int(reached[0]) + 2 if len(reached) else -1
    return float(found["steps"][row] / n_steps)


def _note_optimizers(
    config: Optimizers,
    run: Run,
    chosen: Mapping[tuple[str, str], OptimizerTrial],
    found: Mapping[tuple[str, str], list[dict[str, Any]]],
) -> None:
    """The rates that were chosen, the final losses, and the ablations."""
    told = []
    for data in ("text", "images"):
        some = []
        for key, label in LABELS.items():
            train = chosen[data, key].train
            rate = f"{train.lr_large:g}" if train.optimizer == "signum" else f"{train.lr:g}"
            rate += f" and {train.lr_large:g}" if train.optimizer == "split-sgd" else ""
            finals = [math.nan if one["final"] is None else one["final"] for one in found[data, key]]
            some.append(f"{label} {fmean(finals):.3g} (at {rate})")
        told.append(f"{'Text' if data == 'text' else 'Images'}: {', '.join(some)}.")
    run.note(
        "adam-and-sgd",
        f"Rates are the best of {len(config.rates)} each, on average over as many other samples with other weights; "
        f"SplitSGD has SGD's rate and chooses its fixed step among {len(config.small_rates)}. Training losses after "
        f"SGD's steps. {' '.join(told)}",
    )
