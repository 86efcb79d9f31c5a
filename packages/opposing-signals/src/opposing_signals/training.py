"""A training with a recorder: full batch or minibatches, any of the optimizers, with the sharpness as it goes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from separata.loop import Loop, Track, step_generator

from .configs import TrainConfig
from .gradients import trained_parameters
from .hessian import SharpnessTracker
from .losses import chunks, loss_function, one_each
from .recorder import Recorder
from .sam import SAM
from .samples import Samples
from .split_sgd import SplitSGD

MOST_SINGLE = 100_000_000
"""Losses that are kept in single precision; more of them in half precision."""


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer of a configuration.

    Raises:
        ValueError: if nothing is trained.
    """
    trained = trained_parameters(model)
    if config.optimizer == "adam":
        return torch.optim.Adam(trained, config.lr, betas=(config.momentum, 0.999))
    if config.optimizer == "sgd":
        return torch.optim.SGD(trained, config.lr, config.momentum, dampening=config.momentum)
    threshold = 0.0 if config.optimizer == "signum" else None
    return SplitSGD(trained, config.lr, config.lr_large, config.momentum, config.quantile, threshold=threshold)


class Trainer:
    """Trains a network step by step and records the losses of all examples.

    Args:
        model: The network, on the device where it trains.
        data: Samples.
        config: Loss, optimizer, and what is recorded.
        recorder: Where losses go; a new one by default.
        checkpoint: File of the progress; the training goes on from it if it exists.
        track: Shows progress over steps.
        log: Called now and then with a row of numbers.

    Raises:
        ValueError: if nothing is trained, or a batch of one meets batch normalization.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Samples,
        config: TrainConfig,
        *,
        recorder: Recorder | None = None,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        trained_parameters(model)
        self.model, self.config = model, config
        self.data = data.to(next(model.parameters()).device)
        self.recorder = recorder or Recorder(
            len(data), keep="fp32" if len(data) * config.n_steps <= MOST_SINGLE else "fp16"
        )
        self._loss = loss_function(config.loss)
        self.optimizer = make_optimizer(model, config)
        self._sam = SAM(self.optimizer, config.rho) if config.rho else None
        self.tracker = SharpnessTracker(
            model, self.data.x, self.data.y, config.loss, batch_size=config.chunk_size or None
        )
        self._order: tuple[int, Tensor] = (-1, torch.zeros(0, dtype=torch.long))
        _check_batches(model, self._batch_size, config.chunk_size)
        model.train()
        self.loop = Loop(
            self,
            config.n_steps,
            checkpoint=checkpoint,
            checkpoint_every=max(100, config.n_steps // 10),
            log_every=max(1, config.n_steps // 20),
            track=track,
            log=log,
        )

    @property
    def _batch_size(self) -> int:
        size = self.config.batch_size
        return len(self.data) if size == 0 else min(size, len(self.data))

    @property
    def _is_full(self) -> bool:
        return self._batch_size == len(self.data)

    def fit(self) -> None:
        """Train to the last step.

        Raises:
            FloatingPointError: if a loss is not finite; the last checkpoint is kept.
        """
        self.loop.run()
        self.model.eval()

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step, for the loop, and record the losses before it."""
        if self.config.sharpness_every and step % self.config.sharpness_every == 0:
            self.recorder.note(step, sharpness=self.tracker.measure().value)
        batch = None if self._is_full else self._batch(step)
        if batch is not None:
            size = self.config.chunk_size or None
            every = self.config.record_every
            self.recorder.watch(step, self.model, self.data.x, self.data.y, self._loss, every=every, batch_size=size)
        self.optimizer.zero_grad()
        mean = self._backward(step, batch, record=batch is None)
        if self._sam is not None:
            trained = [one for one in trained_parameters(self.model) if one.grad is not None]
            self._sam.climb(trained, lambda: self._again(step, batch))
        return {"loss": mean}

    def _again(self, step: int, batch: Tensor | None) -> None:
        self.optimizer.zero_grad()
        self._backward(step, batch, record=False)

    def _batch(self, step: int) -> Tensor:
        """Examples of a step's minibatch: every epoch goes through all of them in another order."""
        per_epoch = len(self.data) // self._batch_size
        epoch, place = divmod(step, per_epoch)
        if self._order[0] != epoch:
            order = torch.randperm(len(self.data), generator=step_generator(self.config.seed, epoch))
            self._order = (epoch, order.to(self.data.y.device))
        return self._order[1][place * self._batch_size : (place + 1) * self._batch_size]

    def _backward(self, step: int, batch: Tensor | None, *, record: bool) -> Tensor:
        x, y = (self.data.x, self.data.y) if batch is None else (self.data.x[batch], self.data.y[batch])
        total = torch.zeros((), device=x.device)
        for part in chunks(len(x), self.config.chunk_size or None):
            losses = one_each(self._loss(self.model(x[part]), y[part]), len(x[part]))
            if record:
                is_whole = len(losses) == len(self.data)
                where = None if is_whole else torch.arange(part.start, part.stop)
                self.recorder.log(step, losses, where)
            value = losses.sum() / len(x)
            value.backward()
            total += value.detach()
        return total

    def update(self) -> None:
        """Update the weights, for the loop."""
        self.optimizer.step()

    def row(self, losses: dict[str, float]) -> dict[str, float]:
        """A row of the history."""
        known = self.recorder.values.get("sharpness", {})
        return {**losses, **({"sharpness": list(known.values())[-1]} if known else {})}

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "recorder": self.recorder.state_dict(),
            "vectors": self.tracker.vectors,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.recorder.load_state_dict(state["recorder"])
        self.tracker.vectors = state["vectors"]


def _check_batches(model: nn.Module, batch_size: int, chunk_size: int) -> None:
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    if min(batch_size, chunk_size or batch_size) < 2 and any(isinstance(one, kinds) for one in model.modules()):
        raise ValueError("batch normalization needs batches of at least 2 samples")


def train(model: nn.Module, data: Samples, config: TrainConfig, *, track: Track | None = None) -> Recorder:
    """Train a network and give back the record of all losses.

    Args:
        model: The network; it is trained in place.
        data: Samples.
        config: Loss, optimizer, and what is recorded.
        track: Shows progress over steps.

    Raises:
        FloatingPointError: if a loss is not finite.
        ValueError: if nothing is trained.
    """
    trainer = Trainer(model, data, config, track=track)
    trainer.fit()
    return trainer.recorder
