"""Training by any rule: two optimizers, one for each direction, and the weights of the lowest validation loss."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from separata.labeled import LabeledDataset
from separata.loop import Loop, Track, step_generator

from .augmentation import augment
from .configs import TrainConfig
from .evaluation import check_samples, evaluate
from .gradients import centralize_gradients, clip_gradients, scale_gradients
from .networks.dual import CounterCurrentNetwork, Standardize
from .rules.base import Rule
from .rules.ccl import CounterCurrent

Row = dict[str, float]
NOISE = 104_729
"""Keeps the generator of a step's noise apart from that of an epoch's order."""


class Trainer:
    """Trains a network by a rule, in place.

    After each epoch the loss on the validation data is compared with the best so far; training ends with the weights of
    the best, or with the last ones if there is no validation data. The same seed gives the same training, also where it
    was interrupted and continued, unless the network itself draws random numbers, as dropout does. Gradients are first
    centralized, then clipped. A single sample left at the end of an epoch joins the batch before it.

    Args:
        network: The network. A `Standardize` that it begins with takes its mean and standard deviation from the data.
        data: What it is trained on; moved to the network's device.
        config: Optimizers and schedule.
        rule: What gives the gradients; counter-current learning with the dot form if not given.
        validation: Data by which the weights are chosen.
        checkpoint: File of the progress; training goes on from it if it exists.
        track: Shows progress over steps.
        log: Takes a row after each epoch.

    Attributes:
        best: The lowest validation loss so far.

    Raises:
        ValueError: if the samples or labels are not those of such a network, a batch is too small for its
            normalization, or the checkpoint is that of another training.
    """

    def __init__(
        self,
        network: CounterCurrentNetwork,
        data: LabeledDataset,
        config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
        rule: Rule | None = None,
        *,
        validation: LabeledDataset | None = None,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[Row], None] | None = None,
    ) -> None:
        weight = next(network.parameters())
        for part in [data, *([validation] if validation is not None else [])]:
            check_samples(network, part.x, part.y)
        if min(config.batch_size, len(data)) == 1 and any(isinstance(m, nn.BatchNorm1d) for m in network.modules()):
            raise ValueError("batch normalization needs batches of at least 2 samples")
        self.network, self.config = network, config
        self.rule = rule if rule is not None else CounterCurrent(network)
        self.data = data.to(weight.device)
        self.validation = None if validation is None else validation.to(weight.device)
        if isinstance(network.standardize, Standardize):
            network.standardize.fit(self.data.x)
        self.parameters = network.forward_parameters()
        self.feedback_parameters = self.rule.feedback_parameters if config.lr_feedback else []
        self.optimizers = self._optimizers()
        self.n_batches = count_batches(len(data), config.batch_size)
        self.best = math.inf
        self._best: dict[str, Tensor] = {}
        self._order = torch.empty(0, dtype=torch.long)
        self.loop = Loop(
            self,
            config.epochs * self.n_batches,
            checkpoint=checkpoint,
            checkpoint_every=self.n_batches,
            log_every=self.n_batches,
            track=track,
            log=log,
        )

    def _optimizers(self) -> list[torch.optim.SGD]:
        config = self.config
        groups = [(self.parameters, config.lr)]
        groups += [(self.feedback_parameters, config.lr_feedback)] if self.feedback_parameters else []
        return [
            torch.optim.SGD(some, lr, momentum=config.momentum, weight_decay=config.weight_decay, foreach=True)
            for some, lr in groups
        ]

    @property
    def done(self) -> int:
        """Steps done."""
        return self.loop.done

    def fit(self) -> CounterCurrentNetwork:
        """Train to the last step, and leave the best weights in the network, in evaluation mode.

        Raises:
            FloatingPointError: if the loss is not finite; the last checkpoint is kept.
        """
        self.network.train()
        self.loop.run()
        if self._best:
            self.network.load_state_dict(self._best)
        return self.network.eval()

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step's batch, for the loop."""
        epoch, place = divmod(step, self.n_batches)
        if place == 0 or not len(self._order):
            order = torch.randperm(len(self.data), generator=step_generator(self.config.seed, epoch))
            self._order = order.to(self.data.x.device)
        end = (place + 1) * self.config.batch_size if place + 1 < self.n_batches else None
        index = self._order[place * self.config.batch_size : end]
        generator = step_generator(self.config.seed + NOISE, step)
        x, labels = self.data.x[index], self.data.y[index]
        if self.config.augment:
            x = augment(x, generator)
        self._set_rates(epoch)
        # Some rules leave gradients where they are not used, such as the feedback's with a rate of 0.
        self.network.zero_grad()
        losses = self.rule.gradients(x, None if self.network.n_classes is None else labels, generator)
        self._prepare_gradients(step)
        return losses

    def _prepare_gradients(self, step: int) -> None:
        config = self.config
        trained = [*self.parameters, *self.feedback_parameters]
        if step < config.warmup:
            scale_gradients(trained, (step + 1) / config.warmup)
        if config.centralize:
            centralize_gradients(trained)
        clip_gradients(self.parameters, config.clip)
        clip_gradients(self.feedback_parameters, config.clip_feedback)

    def _set_rates(self, epoch: int) -> None:
        if self.config.cosine:
            for optimizer, rate in zip(self.optimizers, (self.config.lr, self.config.lr_feedback), strict=False):
                optimizer.param_groups[0]["lr"] = cosine_rate(rate, epoch, self.config)

    def update(self) -> None:
        """Update the weights with these gradients, for the loop."""
        for optimizer in self.optimizers:
            optimizer.step()

    def row(self, losses: dict[str, float]) -> Row:
        """A row of the history, for the loop: the losses, and how the validation data is done.

        Raises:
            FloatingPointError: if the validation loss is not finite.
        """
        row = dict(losses)
        if self.validation is None:
            return row
        report = evaluate(self.network, self.validation)
        if not math.isfinite(report.loss):
            raise FloatingPointError(
                f"training diverged: the validation loss is not finite after {self.done} steps; lower the learning rate"
            )
        if report.loss < self.best:
            self.best = report.loss
            self._best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        row["validation_loss"] = report.loss
        if report.accuracy is not None:
            row["validation_accuracy"] = report.accuracy
        return row

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {
            "network": self.network.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "best_network": self._best,
            "best": self.best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: if it is of another training.
        """
        self.network.load_state_dict(state["network"])
        for optimizer, one in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(one)
        self.best = float(state["best"])
        device = next(self.network.parameters()).device
        self._best = {name: value.to(device) for name, value in state["best_network"].items()}


def count_batches(n: int, batch_size: int) -> int:
    """Batches of an epoch; a single sample left at its end joins the last one, since batch normalization needs two."""
    if batch_size == 1:
        return n
    return max(1, n // batch_size + (n % batch_size > 1))


def cosine_rate(rate: float, epoch: int, config: TrainConfig) -> float:
    """The learning rate of an epoch, from `rate` down to `eta_min`, which it would have after the last one."""
    end = min(config.eta_min, rate)
    return end + (rate - end) * (1 + math.cos(math.pi * epoch / config.epochs)) / 2
