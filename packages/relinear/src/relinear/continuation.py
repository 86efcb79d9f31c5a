"""A conventional network that is trained, and goes on as a quadratic one."""

import copy
import math
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from separata.labeled import LabeledDataset
from separata.training import seeded

from .configs import ModelConfig, RunConfig, StrategyConfig, TrainConfig
from .conversion import quadratize
from .divergence import DivergenceError
from .networks import make_kind
from .samples import fitting_parts
from .training import Trainer

BATCH = 1024


@dataclass(frozen=True)
class Continuation:
    """A training in two parts.

    Args:
        data: What is learned.
        model: Structure.
        epochs: As a conventional network.
        further: As a quadratic one, or as before.
        gamma: Of the second part.
        lr: Of the first part; a tenth of it in the second.
        batch_size: Samples in a step.
        n_train: Samples for training, at most.
        seed: Of initial weights and batches.
    """

    data: str = "digits"
    model: str = "mlp:64x3"
    epochs: int = 15
    further: int = 15
    gamma: float = 1e-2
    lr: float = 0.05
    batch_size: int = 64
    n_train: int | None = None
    seed: int = 0


def run_continuation(config: Continuation, device: str) -> dict[str, float | None]:
    """Train, convert, and train further, beside the network that is not converted.

    Returns:
        What the claim measures; None where a number is none.
    """
    train, test = (
        one.to(device) for one in fitting_parts(config.data, config.seed, is_held_out=False, n_train=config.n_train)
    )
    model = ModelConfig(config.model)
    with seeded(config.seed):
        network = make_kind(model, "conventional", "relinear", train.sample_shape, train.n_classes).to(device)
    first = TrainConfig(config.epochs, config.lr, config.batch_size, seed=config.seed)
    _fit(network, train, RunConfig(model, StrategyConfig("conventional"), first))
    second = replace(first, epochs=config.further, lr=config.lr / 10, seed=config.seed + 1)
    skip = () if model.depth is None else ("first", "last")
    quadratic = quadratize(copy.deepcopy(network), skip=skip).model
    with seeded(config.seed):
        random = quadratize(copy.deepcopy(network), init="random", skip=skip).model
    found: dict[str, float] = {
        "difference": _difference(network, quadratic, test),
        "before": _loss(network, test),
        "random_start": _loss(random, test),
    }
    _fit(quadratic, train, RunConfig(model, StrategyConfig(gamma=config.gamma), second))
    _fit(network, train, RunConfig(model, StrategyConfig("conventional"), second))
    found |= {
        "after": _loss(quadratic, test),
        "after_conventional": _loss(network, test),
        "gained": _loss(network, train) - _loss(quadratic, train),
    }
    return {key: value if math.isfinite(value) else None for key, value in found.items()}


def _fit(network: nn.Module, data: LabeledDataset, config: RunConfig) -> None:
    """Train; what diverges has no loss that is a number afterwards."""
    try:
        Trainer(network, data, config).fit()
    except DivergenceError:
        for parameter in network.parameters():
            parameter.data.fill_(math.nan)


@torch.no_grad()
def _loss(network: nn.Module, data: LabeledDataset) -> float:
    network.eval()
    parts = zip(data.x.split(BATCH), data.y.split(BATCH), strict=True)
    return sum(float(cross_entropy(network(x), y, reduction="sum")) for x, y in parts) / len(data)


@torch.no_grad()
def _difference(one: nn.Module, other: nn.Module, data: LabeledDataset) -> float:
    """Largest of an output."""
    x = data.x[:BATCH]
    return float((one.eval()(x) - other.eval()(x)).abs().max())
