"""A training on a data set known by name: what experiments repeat over seeds, networks and settings."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from separata.labeled import load_splits
from separata.training import seeded

from .configs import DataShape, ModelConfig, TrainConfig
from .measurement import cost, measure
from .networks.factory import make_network
from .samples import DataSplits, Samples

N_TIMED = 30
"""Steps of which the time is measured; the median counts."""


@dataclass(frozen=True)
class Trial:
    """A training, with all that its numbers depend on.

    Args:
        dataset: Name of the data set.
        model: The network.
        train: How it is trained; its seed does not count.
        is_shuffled: Train on the labels of other samples: a control.
        seed: Of the weights, of the validation part and of the order of the samples.
    """

    dataset: str = "mnist5k"
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=lambda: TrainConfig(epochs=15))
    is_shuffled: bool = False
    seed: int = 0

    def data(self) -> DataSplits:
        """The three parts; the test part is always the same."""
        parts = [
            Samples(part.x, part.y, DataShape(part.sample_shape, part.classes))
            for part in load_splits(self.dataset, seed=self.seed)
        ]
        if self.is_shuffled:
            parts[:2] = [_shuffled(part, self.seed) for part in parts[:2]]
        train, validation, test = parts
        return DataSplits(train, validation, test)


def _shuffled(part: Samples, seed: int) -> Samples:
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(seed))
    return replace(part, y=part.y[order])


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train and test.

    Returns:
        `validation` and `accuracy` (on the test part), `macro_f1`, `n_parameters`, `flops` and `seconds`, the time
        of an epoch; of what diverged, the first three are None.
    """
    found = measure(trial.data(), trial.model, replace(trial.train, seed=trial.seed), device)
    return {
        "validation": None if found.validation is None else found.validation.accuracy,
        "accuracy": None if found.test is None else found.test.accuracy,
        "macro_f1": None if found.test is None else found.test.macro_f1,
        "n_parameters": found.n_parameters,
        "flops": found.flops,
        "seconds": found.seconds_per_epoch,
    }


@dataclass(frozen=True)
class CostTrial:
    """Networks whose training steps are timed in turn.

    Args:
        networks: The networks.
        n_inputs: Width of their input.
        n_outputs: Width of their output.
        batch_size: Samples of a step.
        seed: Of weights and samples.
    """

    networks: tuple[ModelConfig, ...]
    n_inputs: int = 784
    n_outputs: int = 10
    batch_size: int = 64
    seed: int = 0


def run_cost(trial: CostTrial, device: str) -> dict[str, list[float]]:
    """What a training step costs.

    The networks take turns, so that what else the machine does falls on all alike.

    Returns:
        For each network `milliseconds`, the median time of a step, and `flops` of a forward pass for each sample.
    """
    generator = torch.Generator().manual_seed(trial.seed)
    x = (2 * torch.rand(trial.batch_size, trial.n_inputs, generator=generator) - 1).to(device)
    y = torch.randint(trial.n_outputs, (trial.batch_size,), generator=generator).to(device)
    steps = [_step(model, x, y, trial) for model in trial.networks]
    seconds: list[list[float]] = [[] for _ in steps]
    for turn in range(-2, N_TIMED):
        for one, step in zip(seconds, steps, strict=True):
            begun = perf_counter()
            step()
            if turn >= 0:
                one.append(perf_counter() - begun)
    shape = DataShape((trial.n_inputs,), tuple(map(str, range(trial.n_outputs))))
    return {
        "milliseconds": [1000 * median(one) for one in seconds],
        "flops": [cost(model, shape)[1] for model in trial.networks],
    }


def _step(model: ModelConfig, x: Tensor, y: Tensor, trial: CostTrial) -> Callable[[], None]:
    """A function that does a training step on the same batch."""
    with seeded(trial.seed):
        network = make_network(model, trial.n_inputs, trial.n_outputs).to(x.device)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
        if x.device.type == "cuda":
            torch.cuda.synchronize()

    return step
