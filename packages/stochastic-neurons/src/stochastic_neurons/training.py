"""Training a network with stochastic gates: SGD, a sparsity penalty, a norm constraint, the best weights kept."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from separata.labeled import LabeledDataset
from separata.loop import Loop, Track, step_generator

from .conditional import Gater
from .configs import TrainConfig
from .evaluation import check_samples, evaluate
from .networks import ConditionalNetwork
from .neuron import seed_neurons
from .norms import max_norm_
from .reinforce import score_function_loss
from .sparsity import Penalty, sparsity_penalty

Row = dict[str, float]


def network_penalty(model: nn.Module, target: float, kind: Penalty = "kl") -> Float[Tensor, ""]:
    """The sparsity penalty of all gaters of a network for its last pass in training mode, to be added to its loss.

    Args:
        model: The network, which has just been run.
        target: Share of the gates that are to be active.
        kind: `"kl"` or `"l2"`.

    Raises:
        ValueError: if it has no gaters, they have not been run, or the target is not within 0 and 1.
    """
    gaters = [module for module in model.modules() if isinstance(module, Gater)]
    if not gaters:
        raise ValueError("the network has no gates whose activity could be penalized")
    total = torch.zeros((), device=next(model.parameters()).device)
    for gater in gaters:
        if gater.probability is None:
            raise ValueError("the gates have not been run in training mode since their last penalty")
        total = total + sparsity_penalty(gater.probability, target, kind)
        gater.probability = None
    return total


def parameter_groups(model: nn.Module, lr: float, gater_lr_scale: float = 1.0) -> list[dict[str, Any]]:
    """Groups for an optimizer: all of a network at one rate, its gaters at a fraction of it.

    Raises:
        ValueError: if a rate is not positive.
    """
    if not (lr > 0 and gater_lr_scale > 0):
        raise ValueError(f"the learning rate and the gater's share of it must be positive, not {lr}, {gater_lr_scale}")
    gaters = {id(p) for module in model.modules() if isinstance(module, Gater) for p in module.parameters()}
    groups = (
        {"params": [p for p in model.parameters() if (id(p) in gaters) is is_gater], "lr": rate}
        for is_gater, rate in ((False, lr), (True, lr * gater_lr_scale))
    )
    return [group for group in groups if group["params"]]


class Trainer:
    """Trains a conditional network, in place.

    Each step is one of SGD on the mean loss, with what `UnbiasedBernoulli` gates need, plus the sparsity penalty; then
    the weights into each unit are scaled down to their largest norm. After each epoch the validation error is compared
    with the lowest so far; training ends with the weights of that. The same seed gives the same training, also where it
    was interrupted and continued.

    Args:
        model: The network.
        data: What it is trained on; moved to the network's device.
        config: Optimizer and schedule.
        validation: Data by which the weights are chosen; the last ones are taken without.
        checkpoint: File of the progress; training goes on from it if it exists.
        track: Shows progress over steps.
        log: Takes a row after each epoch.

    Attributes:
        best: The lowest validation error so far.

    Raises:
        ValueError: if the samples or labels are not those of such a network, or the checkpoint is of another training.
    """

    def __init__(
        self,
        model: ConditionalNetwork,
        data: LabeledDataset,
        config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
        *,
        validation: LabeledDataset | None = None,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[Row], None] | None = None,
    ) -> None:
        for part in [data, *([] if validation is None else [validation])]:
            check_samples(model, part.x, part.y)
        device = next(model.parameters()).device
        self.model, self.config = model, config
        self.data, self.validation = data.to(device), None if validation is None else validation.to(device)
        groups = parameter_groups(model, config.lr, config.gater_lr_scale)
        self.optimizer = torch.optim.SGD(groups, momentum=config.momentum)
        self.n_batches = math.ceil(len(data) / config.batch_size)
        self.best, self.since_best = math.inf, 0
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

    @property
    def done(self) -> int:
        """Steps done."""
        return self.loop.done

    @property
    def has_ended_early(self) -> bool:
        """Whether the validation error has not fallen for as long as it may."""
        return bool(self.config.patience) and self.since_best >= self.config.patience

    def fit(self) -> None:
        """Train to the end, and leave the best weights in the network, in evaluation mode.

        Raises:
            FloatingPointError: if the loss is not finite; the last checkpoint is kept.
        """
        self.model.train()
        try:
            self.loop.run()
        except _Enough:
            self.loop.save()
        finally:
            seed_neurons(self.model, None)
        if self._best:
            self.model.load_state_dict(self._best)
        self.model.eval()

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step's batch, for the loop."""
        if self.has_ended_early:
            raise _Enough
        epoch, place = divmod(step, self.n_batches)
        if place == 0 or not len(self._order):
            order = torch.randperm(len(self.data), generator=step_generator(self.config.seed, epoch))
            self._order = order.to(self.data.x.device)
        # An interrupted step is done again, and must find the baselines of UnbiasedBernoulli as they were.
        before = {name: value.clone() for name, value in self.model.named_buffers()}
        try:
            return self._gradients(step, place)
        except BaseException:
            for name, value in self.model.named_buffers():
                value.copy_(before[name])
            raise

    def _gradients(self, step: int, place: int) -> dict[str, Tensor]:
        index = self._order[place * self.config.batch_size : (place + 1) * self.config.batch_size]
        seed_neurons(self.model, step_generator(self.config.seed + NOISE, step))
        losses = cross_entropy(self.model(self.data.x[index]), self.data.y[index], reduction="none")
        total = losses.mean() + score_function_loss(losses, self.model)
        found = {"loss": losses.mean().detach()}
        if self.config.penalty_weight:
            penalty = network_penalty(self.model, self.config.target, self.config.penalty)
            total = total + self.config.penalty_weight * penalty
            found["penalty"] = penalty.detach()
        self.optimizer.zero_grad()
        total.backward()
        return found

    def update(self) -> None:
        """Update the weights with these gradients, for the loop."""
        self.optimizer.step()
        if self.config.max_norm:
            max_norm_(self.model, self.config.max_norm)

    def row(self, losses: dict[str, float]) -> Row:
        """A row of the history, for the loop: the losses, and how the validation data is done."""
        row = dict(losses)
        if self.validation is None:
            return row
        report = evaluate(self.model, self.validation)
        self.since_best += 1
        if report.error < self.best:
            self.best, self.since_best = report.error, 0
            self._best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        return row | {
            "validation_loss": report.loss,
            "validation_error": report.error,
            "validation_activity": report.activity,
        }

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best_model": self._best,
            "best": self.best,
            "since_best": self.since_best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: if it is of another training.
        """
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.since_best = float(state["best"]), int(state["since_best"])
        device = next(self.model.parameters()).device
        self._best = {name: value.to(device) for name, value in state["best_model"].items()}


NOISE = 104_729
"""Keeps the noise of a step apart from the order of an epoch."""


class _Enough(Exception):  # noqa: N818 - no error
    """The validation error has not fallen for as long as it may."""
