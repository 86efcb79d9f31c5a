"""One piece of an experiment each, in a process of its own."""

from dataclasses import dataclass
from typing import Any

import torch

from separata.labeled import load_splits

from .configs import RunConfig
from .training import CurveTrainer


@dataclass(frozen=True)
class CurveTrial:
    """Learning curves of several seeds.

    Attributes:
        dataset: Name of the data.
        config: Network, training and data.
    """

    dataset: str
    config: RunConfig


def run_curve(trial: CurveTrial, device: str) -> dict[str, Any]:
    """The rows of the curves, and how many samples were tested."""
    part = trial.config.data
    data = load_splits(trial.dataset, seed=0, size=part.size, n_train=part.n_train)
    target = torch.device(device)
    trainer = CurveTrainer(trial.config.network, data.train.to(target), data.test.to(target), trial.config.train)
    return {"rows": trainer.fit(), "n_test": len(data.test)}
