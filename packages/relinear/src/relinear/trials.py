"""Trainings that experiments and sweeps repeat: one kind of network with several settings and seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from separata.labeled import LabeledDataset
from separata.models import count_parameters
from separata.training import accuracy, seeded

from .batched import Member, train_together
from .configs import Init, ModelConfig, Neuron, RunConfig, Setting, StrategyConfig, TrainConfig
from .divergence import DivergenceError, collapse
from .layer import quadratic_layers
from .networks import make_kind
from .samples import fitting_parts
from .training import Trainer

Grid = list[list[float | None]]
"""Numbers by setting and seed; None where a number is none."""


@dataclass(frozen=True)
class Trial:
    """Networks of one kind, trained with several settings and seeds.

    Args:
        data: What they learn.
        model: Their structure.
        neuron: Kind of their neurons.
        init: How quadratic layers begin.
        settings: Rates.
        seeds: Of initial weights, splits and batches.
        train: Epochs, batch size, momentum, schedule; rate and seed do not count.
        is_held_out: Train on four fifths of the training part and evaluate on the rest of it.
        n_train: Samples for training, at most.
        size: Pixels to which images are resized.
    """

    data: str
    model: ModelConfig
    neuron: Neuron
    settings: tuple[Setting, ...]
    seeds: tuple[int, ...]
    init: Init = "relinear"
    train: TrainConfig = field(default_factory=TrainConfig)
    is_held_out: bool = False
    n_train: int | None = None
    size: int | None = None


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train and evaluate all.

    Multilayer perceptrons without BatchNorm are trained side by side, other networks one after another.

    Returns:
        By setting and seed: `accuracy` (that of chance of a training that diverged), `loss` of the training in the last
        epoch, `collapse` (1 or 0), `moved` (largest difference of a quadratic parameter from its reference at the
        start); and `n_parameters`.
    """
    held, n, size = trial.is_held_out, trial.n_train, trial.size
    parts = [fitting_parts(trial.data, seed, is_held_out=held, n_train=n, size=size) for seed in trial.seeds]
    parts = [(train.to(device), test.to(device)) for train, test in parts]
    networks = [_network(trial, seed, train) for seed, (train, _) in zip(trial.seeds, parts, strict=True)]
    is_batched = trial.model.depth is None and not trial.model.batchnorm and trial.train.schedule == "constant"
    run = _run_together if is_batched else _run_apart
    found = run(trial, networks, parts, device)
    grids = {name: [[row[name] for row in rows] for rows in found] for name in found[0][0]}
    return {**grids, "n_parameters": count_parameters(networks[0])}


def _network(trial: Trial, seed: int, data: LabeledDataset) -> nn.Module:
    with seeded(seed):
        return make_kind(trial.model, trial.neuron, trial.init, data.sample_shape, data.n_classes)


Parts = Sequence[tuple[LabeledDataset, LabeledDataset]]


def _run_together(
    trial: Trial, networks: Sequence[nn.Module], parts: Parts, device: str
) -> list[list[dict[str, float | None]]]:
    members = [
        Member(network, setting, source, seed)
        for setting in trial.settings
        for source, (network, seed) in enumerate(zip(networks, trial.seeds, strict=True))
    ]
    trained, history = train_together(members, [train for train, _ in parts], trial.train)
    rows = []
    for member, model, losses in zip(members, trained.members(), history.T.tolist(), strict=True):
        test = parts[member.source][1]
        rows.append(_row(member.network.to(device), model, losses, test))
    n = len(trial.seeds)
    return [rows[i : i + n] for i in range(0, len(rows), n)]


def _run_apart(
    trial: Trial, networks: Sequence[nn.Module], parts: Parts, device: str
) -> list[list[dict[str, float | None]]]:
    return [
        [
            _run_one(trial, setting, seed, network, own, device)
            for seed, network, own in zip(trial.seeds, networks, parts, strict=True)
        ]
        for setting in trial.settings
    ]


def _run_one(
    trial: Trial,
    setting: Setting,
    seed: int,
    network: nn.Module,
    parts: tuple[LabeledDataset, LabeledDataset],
    device: str,
) -> dict[str, float | None]:
    model = _network(trial, seed, parts[0]).to(device)
    train = replace(trial.train, lr=setting.lr, weight_decay=setting.weight_decay, clip=setting.clip, seed=seed)
    strategy = StrategyConfig(gamma=setting.gamma)
    if setting.alpha < 1:
        strategy = StrategyConfig("relinear-sw", alpha=setting.alpha, norm=setting.norm)
    losses: list[float] = []
    trainer = Trainer(
        model, parts[0], RunConfig(trial.model, strategy, train), log=lambda row: losses.append(row["loss"])
    )
    try:
        trainer.fit()
    except DivergenceError:
        losses.append(math.nan)
    return _row(network.to(device), model, losses, parts[1])


def _row(start: nn.Module, model: nn.Module, losses: Sequence[float], test: LabeledDataset) -> dict[str, float | None]:
    """What is known of a training."""
    is_finite = all(map(math.isfinite, losses))
    score = accuracy(model, test.x, test.y) if is_finite else 1 / test.n_classes
    report = collapse([{"loss": loss, "accuracy": score} for loss in losses], test.n_classes)
    return {
        "accuracy": score,
        "loss": losses[-1] if is_finite else None,
        "collapse": float(report.is_collapsed),
        "moved": _moved(start, model) if is_finite else None,
    }


def _moved(start: nn.Module, model: nn.Module) -> float:
    """Largest change of a quadratic parameter; 0 of networks that have none."""
    changes: list[Tensor] = []
    for before, after in zip(quadratic_layers(start).values(), quadratic_layers(model).values(), strict=True):
        pairs = zip(before.quadratic_parameters(), after.quadratic_parameters(), strict=True)
        changes += [(one.detach() - other.detach()).abs().max() for (_, one), (_, other) in pairs]
    return float(torch.stack(changes).max()) if changes else 0.0
