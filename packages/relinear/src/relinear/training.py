"""A training step by step, with ReLinear's second step in the optimizer."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from separata.labeled import LabeledDataset
from separata.loop import Loop, Track, step_generator

from .configs import RunConfig, StrategyConfig, TrainConfig
from .divergence import DivergenceError, check_divergence
from .layer import quadratic_layers
from .relinear import QuadraticShrinkage, param_groups
from .samples import augment, batch_indices, steps_per_epoch


def make_optimizer(model: nn.Module, config: TrainConfig, strategy: StrategyConfig) -> torch.optim.Optimizer:
    """The optimizer of a setting, with lower rates for quadratic parameters where the strategy says so."""
    groups: list[dict[str, Any]]
    if quadratic_layers(model):
        share = strategy.share
        gating = None if all(layer.weight_g is None for layer in quadratic_layers(model).values()) else share
        groups = param_groups(model, config.lr, gating, share, config.weight_decay)
    else:
        groups = [{"params": list(model.parameters()), "weight_decay": config.weight_decay, "name": "regular"}]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, config.lr, momentum=config.momentum)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, config.lr)


class Trainer:
    """Trains a classifier on labeled samples.

    Args:
        model: The network, on the device where it trains.
        data: Samples, which are moved there.
        config: Optimizer, schedule, and what slows quadratic parameters down; its network does not count.
        checkpoint: File of the progress; the training goes on from it if it exists.
        track: Shows progress over steps.
        log: Called after each epoch with a row: step, loss, lr, grad_norm.

    Raises:
        ValueError: if images are to be augmented and samples are none, or the checkpoint is that of another training.
    """

    def __init__(
        self,
        model: nn.Module,
        data: LabeledDataset,
        config: RunConfig,
        *,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        self.model, self.config = model, config.train
        self.data = data.to(next(model.parameters()).device)
        if config.train.augment and self.data.x.ndim != 4:
            raise ValueError(f"only images are augmented, not samples of shape {data.sample_shape}")
        self.optimizer = make_optimizer(model, config.train, config.strategy)
        self._rates = [group["lr"] for group in self.optimizer.param_groups]
        self._shrinkage: QuadraticShrinkage | None = None
        if config.strategy.kept < 1 and quadratic_layers(model):
            kept = config.strategy.kept
            self._shrinkage = QuadraticShrinkage(model, kept, kept, config.strategy.norm)
        per_epoch = steps_per_epoch(len(data), config.train.batch_size)
        model.train()
        self.loop = Loop(
            self,
            config.train.epochs * per_epoch,
            checkpoint=checkpoint,
            checkpoint_every=per_epoch,
            log_every=per_epoch,
            track=track,
            log=log,
        )

    def fit(self) -> None:
        """Train to the last step, and leave the network in evaluation mode.

        Raises:
            DivergenceError: if a loss is not finite; it names the layer. The last checkpoint is kept.
        """
        self.loop.run()
        self.model.eval()

    def gradients(self, step: int) -> dict[str, Tensor]:
        """Leave the gradients of a step, for the loop."""
        factor = _factor(self.config.schedule, step / self.loop.n_steps)
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = factor * rate
        index = batch_indices(self.config.seed, step, len(self.data), self.config.batch_size).to(self.data.y.device)
        x, y = self.data.x[index], self.data.y[index]
        if self.config.augment:
            x = augment(x, step_generator(self.config.seed + 1, step))
        self.optimizer.zero_grad()
        loss = cross_entropy(self.model(x), y)
        if not bool(loss.isfinite()):
            found = check_divergence(self.model, x)
            raise DivergenceError(f"training diverged in step {step + 1}: {found}; lower lr or gamma")
        loss.backward()
        if self.config.clip:
            self._clip()
        return {"loss": loss}

    def _clip(self) -> None:
        """Bound the norm of the gradient, of which quadratic parameters have the share of their rate.

        So that at gamma = 0 they do not count, and the network is trained as the conventional one.
        """
        groups = [
            (group["params"], rate / self.config.lr)
            for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True)
        ]
        shares = {id(one): share for parameters, share in groups for one in parameters}
        parameters = list(self.model.parameters())
        norm = nn.utils.get_total_norm([shares[id(one)] * one.grad for one in parameters if one.grad is not None])
        nn.utils.clip_grads_with_norm_(parameters, self.config.clip, norm)

    def update(self) -> None:
        """Update the weights, for the loop."""
        self.optimizer.step()
        if self._shrinkage is not None:
            self._shrinkage.step()

    def row(self, losses: dict[str, float]) -> dict[str, float]:
        """A row of the history."""
        gradients = [one.grad for one in self.model.parameters() if one.grad is not None]
        norm = float(nn.utils.get_total_norm(gradients))
        return {**losses, "lr": self.optimizer.param_groups[0]["lr"], "grad_norm": norm}

    def state_dict(self) -> dict[str, Any]:
        """What the training goes on from."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


def _factor(schedule: str, progress: float) -> float:
    """Of the learning rate, after a share of the training."""
    if schedule == "steps":
        return 1.0 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01
    if schedule == "cosine":
        return 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * progress))))
    return 1.0
