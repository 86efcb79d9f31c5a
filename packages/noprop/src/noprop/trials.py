"""One training and what is measured of it: what experiments repeat over seeds and models."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from separata.labeled import LabeledDataset, Splits, load_splits
from separata.training import seeded

from .baselines.forward_forward import ForwardForward
from .baselines.unrolled import BackpropUnrolled
from .block_files import assemble, train_block
from .chain import chain_accuracy
from .configs import DataConfig, ModelConfig, RunConfig, TrainConfig, numbers
from .discrete import NoPropDT
from .memory import held_for_backward
from .runs import initial_model
from .training.blockwise import BlockwiseTrainer, make_trainer
from .training.trainer import evaluate

NOISE = 1_000_000
"""Added to a seed for the noise of inference."""


@dataclass(frozen=True)
class Trial:
    """A training, with all that its numbers depend on.

    Args:
        dataset: Name of the data set.
        n_train: Training samples; all if not given.
        model: The model.
        train: How it is trained; its seed does not count.
        layers: Widths of the layers of a Forward-Forward network in place of the model, with commas.
        seconds: Train for so long instead of the epochs.
        n_runs: Runs of the chain that an accuracy averages.
        is_held_out: Evaluate on the validation part, by which settings are chosen, instead of the test part.
        seed: Of weights, batches, noise and the validation part.
    """

    dataset: str = "mnist5k"
    n_train: int | None = None
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    layers: str = ""
    seconds: float | None = None
    n_runs: int = 5
    is_held_out: bool = False
    seed: int = 0

    @property
    def config(self) -> RunConfig:
        """The settings of a training, with the trial's seed."""
        return RunConfig(self.model, replace(self.train, seed=self.seed), DataConfig(n_train=self.n_train))

    def load(self) -> Splits:
        """The data."""
        return load_splits(self.dataset, seed=self.seed, n_train=self.n_train)

    def make(self, data: LabeledDataset) -> nn.Module:
        """The model before training."""
        if not self.layers:
            return initial_model(self.config, data)
        with seeded(self.seed):
            return ForwardForward(data.x[0].numel(), data.n_classes, numbers(self.layers))


def clock_of(device: str) -> Callable[[], float]:
    """Seconds of work: of the processor, which other processes do not lengthen, or on a GPU of the wall clock."""
    if device == "cpu":
        return time.process_time

    def after_all_work() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return after_all_work


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train and evaluate.

    Returns:
        `accuracy`, `train_accuracy`, `untrained`, the `seconds` of training and the `steps` done, and of a model with a
        chain, `chain`, the accuracies along it; accuracies are None if the training diverged.
    """
    splits = trial.load().to(device)
    model = trial.make(splits.train).to(device)
    test = splits.validation if trial.is_held_out else splits.test
    untrained = _accuracy(model, test, trial)
    trainer, clock = make_trainer(model, splits.train, trial.config.train), clock_of(device)
    start = clock()
    try:
        if trial.seconds is None:
            trainer.fit()
            steps = trainer.loop.done
        else:
            steps = trainer.fit_for(trial.seconds, clock)
    except FloatingPointError:
        return {"accuracy": None, "train_accuracy": None, "untrained": untrained, "seconds": None, "steps": 0}
    seconds = clock() - start
    found: dict[str, Any] = {
        "accuracy": _accuracy(model, test, trial),
        "train_accuracy": _accuracy(model, splits.train, trial),
        "untrained": untrained,
        "seconds": seconds,
        "steps": steps,
    }
    if isinstance(model, NoPropDT):
        found["chain"] = chain_accuracy(model, test.x, test.y, _noise(trial))
    return found


def _accuracy(model: nn.Module, data: LabeledDataset, trial: Trial) -> float:
    return evaluate(model, data, steps=trial.train.steps, n_runs=trial.n_runs, seed=trial.seed + NOISE)


def _noise(trial: Trial) -> torch.Generator:
    return torch.Generator().manual_seed(trial.seed + NOISE)


def run_memory(trial: Trial, device: str) -> dict[str, float]:
    """MiB held for the backward pass of a step: of one block (the largest), of all at once, and of back-propagation."""
    data = trial.load().train.to(device)
    model = trial.make(data).to(device).train()
    assert isinstance(model, NoPropDT)  # noqa: S101 - for the type checker
    size = min(trial.train.batch_size, len(data))
    x, y = data.x[:size], data.y[:size]

    def held(loss: Callable[[], Any], *models: nn.Module) -> float:
        with held_for_backward(model, *models, inputs=(x, y)) as found:
            loss()
        return found.bytes / 2**20

    unrolled = BackpropUnrolled(model)
    trainer = BlockwiseTrainer(model, data, trial.config.train)
    stacked = [group for _, group in trainer.groups]
    return {
        "block": max(held(partial(model.block_loss, t, x, y)) for t in range(1, model.n_steps + 1)),
        "stacked": held(lambda: list(trainer.losses(0)), *stacked),
        "backprop": held(lambda: unrolled.loss(x, y)),
    }


def run_apart(trial: Trial, device: str) -> dict[str, float]:
    """Train every block by itself, in a random order, to a file of its own; assemble and evaluate.

    Returns:
        `accuracy`, and `elsewhere`: the largest gradient that the loss of a block leaves in another one;
        `backprop_elsewhere`: the same of back-propagation, in the blocks before the last.
    """
    splits = trial.load()
    order = torch.randperm(trial.model.n_steps, generator=_noise(trial)) + 1
    kind = torch.device(device).type
    with tempfile.TemporaryDirectory() as folder:
        for t in order.tolist():
            train_block(splits.train, t, Path(folder, "blocks"), trial.config, device=kind)
        model = assemble(Path(folder, "blocks"), Path(folder, "model")).to(device)
    test = (splits.validation if trial.is_held_out else splits.test).to(device)
    x, y = splits.train.x[: trial.train.batch_size].to(device), splits.train.y[: trial.train.batch_size].to(device)
    found = {"accuracy": _accuracy(model, test, trial)}
    found["elsewhere"] = max(
        largest_gradient(model, partial(model.block_loss, t, x, y), t) for t in range(1, model.n_steps + 1)
    )
    found["backprop_elsewhere"] = largest_gradient(model, lambda: BackpropUnrolled(model).loss(x, y), model.n_steps)
    return found


def largest_gradient(model: NoPropDT, loss: Callable[[], torch.Tensor], t: int) -> float:
    """The largest gradient that a loss leaves in a block other than t; zero where there is none at all."""
    model.zero_grad(set_to_none=True)
    loss().backward()
    others = [one for number, block in enumerate(model.blocks, 1) if number != t for one in block.parameters()]
    found = [float(one.grad.abs().max()) for one in others if one.grad is not None]
    model.zero_grad(set_to_none=True)
    return max(found, default=0.0)
