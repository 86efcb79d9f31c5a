"""A trial: one setting of one family at one task, trained with several seeds. What searches and experiments repeat."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from kan_assessment.configs import TrainConfig
from kan_assessment.models.family import DEPTH, ModelFamily
from kan_assessment.models.registry import get_family
from kan_assessment.tasks.suites import load_task
from kan_assessment.tasks.task import Task
from separata.output import finite
from separata.training import seeded

from .members import MemberData, Members, Separate, Stacked
from .training import Fit, train_members


@dataclass(frozen=True)
class Trial:
    """All that the numbers of a trial depend on.

    Args:
        task: Name of the task.
        model: Name of the family.
        hidden: Widths of the hidden layers.
        settings: Other settings of the family, as pairs of name and value.
        lr: Learning rate.
        train: How it is trained.
        seeds: Of initial weights, splits and order, each a network of its own.
        target: The column of a table to predict.
        n_train: Samples for training; 0 for all.
        data: Fingerprint of a file that the task comes from.
    """

    task: str
    model: str
    hidden: tuple[int, ...]
    settings: tuple[tuple[str, Any], ...] = ()
    lr: float = 1e-2
    train: TrainConfig = field(default_factory=TrainConfig)
    seeds: tuple[int, ...] = (0, 1, 2)
    target: str | None = None
    n_train: int = 0
    data: str = ""

    @property
    def named_settings(self) -> dict[str, Any]:
        """The settings by name, without the depth, which `hidden` has."""
        return {name: value for name, value in self.settings if name != DEPTH}


def make_member(task: Task, family: ModelFamily, trial: Trial, seed: int) -> nn.Module:
    """The network of a seed before training, with the task's front before it, which is the same for every family."""
    with seeded(seed):
        front = task.front() if task.front else None
        model = family.build(task.n_inputs, trial.hidden, task.n_outputs, **trial.named_settings)
    return model if front is None else nn.Sequential(front, model)


def run_trial(trial: Trial, device: str = "cpu") -> dict[str, Any]:
    """Train the networks of a trial.

    Returns:
        The lists of `Fit`, without numbers where a training diverged.
    """
    return run_on(load_task(trial.task, trial.target), trial, device)


def run_on(task: Task, trial: Trial, device: str = "cpu") -> dict[str, Any]:
    """The same with a task that is there already."""
    fit = fit_members(task, get_family(trial.model), trial, device)
    values = asdict(fit)
    return {
        key: [finite(v) if isinstance(v, float) else v for v in value] if isinstance(value, list) else value
        for key, value in values.items()
    }


def fit_members(task: Task, family: ModelFamily, trial: Trial, device: str = "cpu") -> Fit:
    """Train the networks of a trial of a family."""
    models = [make_member(task, family, trial, seed).to(torch.device(device)) for seed in trial.seeds]
    heads = [model[1] if task.front else model for model in models]  # type: ignore[index] # made above
    follow = [family.follow(head) for head in heads] if family.follow else []
    is_stacked = family.is_batched and not any(True for model in models for _ in _stateful(model))
    members: Members = Stacked(models) if is_stacked else Separate(models)
    data = MemberData(task, trial.seeds, device, trial.n_train)
    epochs = trial.train.epochs or task.epochs

    def make_optimizer() -> torch.optim.Optimizer:
        if family.groups is None:
            return torch.optim.Adam(members.parameters(), trial.lr)
        fronts = [p for model in models if task.front for p in model[0].parameters()]  # type: ignore[index] # made above
        groups = [group for head in heads for group in family.groups(head, trial.lr)]
        # Adam for groups without a decay; where one is asked for, it is decoupled.
        return torch.optim.AdamW([*groups, *([{"params": fronts}] if fronts else [])], trial.lr, weight_decay=0.0)

    with seeded(trial.seeds[0]):
        return train_members(members, data, trial.train, epochs, make_optimizer, follow)


def _stateful(model: nn.Module) -> list[nn.Module]:
    """Modules that change in a forward pass while they are trained."""
    return [one for one in model.modules() if isinstance(one, (nn.modules.batchnorm._BatchNorm, nn.Dropout))]


def values_of(found: dict[str, Any], key: str) -> list[float]:
    """A list of a trial's result as numbers; what is missing is not a number."""
    return [math.nan if value is None else float(value) for value in found[key]]
