"""Trainings of one architecture that differ in seeds and settings, as one batched computation."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from separata.ensembles import Ensemble
from separata.labeled import LabeledDataset

from .configs import Setting, TrainConfig
from .layer import REFERENCE
from .relinear import shrink
from .samples import batch_indices, steps_per_epoch


@dataclass(frozen=True)
class Member:
    """One of the trainings.

    Attributes:
        network: As it begins; not changed.
        setting: Its rates.
        source: Which of the data sets it learns.
        seed: Draws its batches.
    """

    network: nn.Module
    setting: Setting
    source: int
    seed: int


def train_together(
    members: Sequence[Member], data: Sequence[LabeledDataset], config: TrainConfig
) -> tuple[Ensemble, Float[Tensor, "epochs members"]]:
    """Train networks of one architecture side by side with SGD; each as `Trainer` would by itself.

    A member that diverges goes on with numbers that are none, and does not disturb the others.

    Args:
        members: Networks without BatchNorm and dropout.
        data: Data sets of the same number of samples, on the device.
        config: Epochs, batch size and momentum; rates are those of the members.

    Raises:
        ValueError: if the norms of their settings differ.

    Returns:
        The trained networks, and the mean training loss of each epoch.
    """
    device, n = data[0].y.device, len(data[0])
    ensemble = Ensemble([one.network for one in members]).to(device)
    source = torch.tensor([one.source for one in members], device=device)
    x, y = torch.stack([one.x for one in data]), torch.stack([one.y for one in data])
    settings = [one.setting for one in members]
    update = _Update(ensemble, settings, config.momentum)
    per_epoch = steps_per_epoch(n, config.batch_size)
    total, history = torch.zeros(len(members), device=device), []
    for step in range(config.epochs * per_epoch):
        index = _indices(members, step, n, config.batch_size).to(device)
        losses = _losses(ensemble(x[source[:, None], index]), y[source[:, None], index])
        ensemble.zero_grad()
        losses.sum().backward()
        update.step()
        total += losses.detach()
        if (step + 1) % per_epoch == 0:
            history.append(total / per_epoch)
            total = torch.zeros_like(total)
    return ensemble, torch.stack(history)


def _indices(members: Sequence[Member], step: int, n: int, batch_size: int) -> Int[Tensor, "members batch"]:
    drawn = {seed: batch_indices(seed, step, n, batch_size) for seed in {one.seed for one in members}}
    return torch.stack([drawn[one.seed] for one in members])


def _losses(
    logits: Float[Tensor, "members batch classes"], y: Int[Tensor, "members batch"]
) -> Float[Tensor, "members"]:
    found = cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
    return found.view(y.shape).mean(1)


class _Update:
    """SGD with momentum, in which each member has its own rates."""

    def __init__(self, ensemble: Ensemble, settings: Sequence[Setting], momentum: float) -> None:
        self.momentum = momentum
        self.parameters = dict(ensemble.named_parameters())
        self.velocity = {name: torch.zeros_like(one) for name, one in self.parameters.items()}
        device = next(iter(self.parameters.values())).device
        columns = {
            name: torch.tensor([getattr(one, name) for one in settings], device=device)
            for name in ("lr", "gamma", "alpha", "weight_decay", "clip")
        }
        self.lr, self.gamma, self.alpha, self.decay, self.clip = columns.values()
        if len(norms := {one.norm for one in settings}) > 1:
            raise ValueError("trainings that are done together shrink weights by the same norm")
        (self.norm,) = norms
        self.is_shrunk = bool((self.alpha < 1).any())

    @torch.no_grad()
    def step(self) -> None:
        scale = self._clipping()
        for name, parameter in self.parameters.items():
            last = name.rpartition("__")[2]
            shape = (-1, *[1] * (parameter.ndim - 1))
            assert parameter.grad is not None  # noqa: S101 - every parameter of these networks has one
            gradient = parameter.grad if scale is None else parameter.grad * scale.view(shape)
            if last in REFERENCE:
                rate = self.lr * self.gamma
            else:
                rate = self.lr
                gradient = gradient + self.decay.view(shape) * parameter
            velocity = self.velocity[name].mul_(self.momentum).add_(gradient)
            parameter.addcmul_(velocity, rate.view(shape), value=-1)
            if self.is_shrunk and last in REFERENCE:
                parameter.copy_(shrink(parameter, REFERENCE[last], self.alpha.view(shape), self.norm))

    def _clipping(self) -> Float[Tensor, "members"] | None:
        """What each member's gradient is multiplied by; quadratic parameters count with the share of their rate."""
        if not bool((self.clip > 0).any()):
            return None
        squares = torch.stack(
            [
                (self.gamma if name.rpartition("__")[2] in REFERENCE else 1) ** 2 * one.grad.flatten(1).square().sum(1)
                for name, one in self.parameters.items()
                if one.grad is not None
            ]
        ).sum(0)
        bound = torch.where(self.clip > 0, self.clip, torch.inf)
        return (bound / (squares.sqrt() + 1e-6)).clamp(max=1)
