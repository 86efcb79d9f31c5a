"""Training in two stages: sine weights, then binary ones; the baselines in one."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from separata.labeled import LabeledDataset
from separata.loop import Loop, Track, step_generator

from .augmentation import augment
from .configs import Stage, TwoStageConfig
from .evaluation import evaluate
from .layers import SQUARE, PeriodicLayer, after_update, begin_epoch, binary_layers
from .regularizer import biper_regularizer
from .schedules import exponential, learning_rate

AUGMENTATION = 104_729
"""Keeps the generator of a step's augmentation apart from that of an epoch's order."""
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class TwoStageTrainer:
    """Trains a classifier with binary layers, in place.

    A network with BiPer's layers is trained with sine weights for `config.epochs`, then with binary ones for
    `config.stage2_epochs` by a new optimizer. Any other one is trained for as many epochs in all by the settings of the
    first stage. With validation data, each stage ends with the weights of its best epoch.

    The same seed gives the same training, also where it was interrupted and continued.

    Args:
        model: Maps images to logits.
        data: What it is trained on; moved to the model's device.
        config: Stages, optimizer and schedule.
        validation: Data by which the weights of each stage are chosen; the last ones if not given.
        checkpoint: File of the progress; training goes on from it if it exists.
        track: Shows progress over steps.
        log: Takes a row after each epoch.

    Attributes:
        first_stage: The state of the network at the end of the first stage, once there.

    Raises:
        ValueError: if a batch is too small for batch normalization, or the checkpoint is of another training.
    """

    def __init__(
        self,
        model: nn.Module,
        data: LabeledDataset,
        config: TwoStageConfig = TwoStageConfig(),  # noqa: B008 - immutable
        *,
        validation: LabeledDataset | None = None,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        device = next(model.parameters()).device
        if min(config.batch_size, len(data)) < 2:
            raise ValueError("batch normalization needs batches of at least 2 images")
        self.model, self.config = model, config
        self.data = data.to(device)
        self.validation = None if validation is None else validation.to(device)
        self.is_periodic = any(isinstance(layer, PeriodicLayer) for _, layer in binary_layers(model))
        self.plan = _plan(config, is_periodic=self.is_periodic)
        self.n_batches = max(1, len(data) // config.batch_size + (len(data) % config.batch_size > 1))
        self.number = 0
        self.first_stage: dict[str, Tensor] = {}
        self._best: dict[str, Tensor] = {}
        self._best_accuracy = -math.inf
        self._order = torch.empty(0, dtype=torch.long)
        self._begin(0)
        self.loop = Loop(
            self,
            sum(stage.epochs for _, stage in self.plan) * self.n_batches,
            checkpoint=checkpoint,
            checkpoint_every=self.n_batches,
            log_every=self.n_batches,
            track=track,
            log=log,
        )

    @property
    def done(self) -> int:
        """Steps done."""
        return self.loop.done

    def fit(self) -> None:
        """Train to the last step; the network is left in evaluation mode, with the best weights of its last stage.

        Raises:
            FloatingPointError: if a loss or a weight is not finite; the last checkpoint is kept.
        """
        self.model.train()
        self.loop.run()
        self._take_best()
        self.model.eval()

    def _begin(self, number: int) -> None:
        """Begin a part of the plan."""
        kind, stage = self.plan[number]
        for _, layer in binary_layers(self.model):
            if isinstance(layer, PeriodicLayer):
                # Also back to the first stage: a network that was through both may be trained again.
                layer.set_stage(kind)
        self.number, self._best, self._best_accuracy = number, {}, -math.inf
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            stage.lr,
            momentum=self.config.momentum,
            weight_decay=stage.weight_decay,
            foreach=True,
        )

    def _take_best(self) -> None:
        if self._best:
            self.model.load_state_dict(self._best)

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step's batch, for the loop."""
        epoch, place = divmod(step, self.n_batches)
        before = sum(stage.epochs for _, stage in self.plan[: self.number])
        if self.number + 1 < len(self.plan) and epoch == before + self.plan[self.number][1].epochs:
            self._take_best()
            self.first_stage = _copied(self.model)
            before = epoch
            self._begin(self.number + 1)
        stage = self.plan[self.number][1]
        self._set_rate(stage, epoch - before)
        if place == 0 or not len(self._order):
            order = torch.randperm(len(self.data), generator=step_generator(self.config.seed, epoch))
            self._order = order.to(self.data.x.device)
        end = (place + 1) * self.config.batch_size if place + 1 < self.n_batches else None
        index = self._order[place * self.config.batch_size : end]
        x = self.data.x[index]
        if self.config.augment:
            x = augment(x, step_generator(self.config.seed + AUGMENTATION, step))
        tau = exponential(stage.tau, stage.tau_end, (epoch - before) / stage.epochs)
        return self._losses(x, self.data.y[index], tau)

    def _losses(self, x: Tensor, y: Tensor, tau: float) -> dict[str, Tensor]:
        """The losses of a batch, whose gradients are left in the parameters."""
        precision = PRECISIONS[self.config.precision]
        with torch.autocast(x.device.type, precision, enabled=precision != torch.float32):
            logits = self.model(x)
        loss = cross_entropy(logits.float(), y)
        term = biper_regularizer(self.model, tau)
        self.optimizer.zero_grad()
        (loss + term).backward()
        return {"loss": loss, "regularizer": term, "accuracy": (logits.argmax(1) == y).float().mean()}

    def _set_rate(self, stage: Stage, epoch: int) -> None:
        warmup = min(self.config.warmup, stage.epochs)
        self.optimizer.param_groups[0]["lr"] = learning_rate(stage.lr, epoch, stage.epochs, warmup)
        begin_epoch(self.model, epoch / stage.epochs)

    def update(self) -> None:
        """Update the weights with these gradients, for the loop."""
        self.optimizer.step()
        after_update(self.model)

    def row(self, losses: dict[str, float]) -> dict[str, float]:
        """A row of the history, for the loop: losses, rate, stage, mean phase, and how the validation data is done.

        Raises:
            FloatingPointError: if a weight is not finite; the sign would hide it from the loss.
        """
        if not all(bool(parameter.isfinite().all()) for parameter in self.model.parameters()):
            raise FloatingPointError(
                f"training diverged: a weight is not finite before step {self.done}; lower the learning rate"
            )
        row = {**losses, "lr": self.optimizer.param_groups[0]["lr"], "stage": float(self.plan[self.number][0])}
        if self.is_periodic:
            row["phase"] = mean_phase(self.model)
        if self.validation is not None:
            report = evaluate(self.model, self.validation)
            row |= {"validation_loss": report.loss, "validation_accuracy": report.accuracy}
            if report.accuracy > self._best_accuracy:
                self._best, self._best_accuracy = _copied(self.model), report.accuracy
        return row

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {
            "number": self.number,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self._best,
            "best_accuracy": self._best_accuracy,
            "first_stage": self.first_stage,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: if it is of another training.
        """
        self._begin(int(state["number"]))
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._best, self._best_accuracy = dict(state["best"]), float(state["best_accuracy"])
        self.first_stage = dict(state["first_stage"])


def _plan(config: TwoStageConfig, *, is_periodic: bool) -> list[tuple[int, Stage]]:
    """The stages that have epochs, each with its number; one for what has no first stage."""
    stages = [(number, config.stage(number)) for number in (1, 2)]
    if is_periodic:
        return [(number, stage) for number, stage in stages if stage.epochs]
    total = sum(stage.epochs for _, stage in stages)
    first = stages[0][1]
    return [(SQUARE, Stage(total, first.lr, first.weight_decay, 0.0, 0.0))]


def mean_phase(model: nn.Module) -> float:
    """Mean of |ωw| over the layers of BiPer's, in radians.

    Where it grows to several periods, weights hop from one to the next: lower the learning rate, of which the phases
    see ω² times. Where it falls to 0, the sine is a straight line, as under a strong weight decay.
    """
    layers = [layer for _, layer in binary_layers(model) if isinstance(layer, PeriodicLayer)]
    return sum(layer.omega * layer.weight.detach().abs().mean().item() for layer in layers) / len(layers)


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
