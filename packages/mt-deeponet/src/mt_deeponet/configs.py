"""Settings of networks, trainings and generated data; without PyTorch, so that the command line answers at once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from separata.configs import check_positive, check_seed

Architecture = Literal["auto", "mlp", "conv", "residual"]
"""Networks as published: mlp for source terms (Fisher), conv for shapes (Darcy), residual for designs (plates)."""
Loss = Literal["mse", "relative"]
ProblemName = Literal["fisher", "darcy", "plate"]
Designs = Literal["all", "train", "test"]
FAMILIES: Mapping[str, Sequence[str]] = {"F1": ("a",), "F2": ("a",), "F4": ("a", "b")}
"""Reaction laws of the Fisher equation, and their parameters."""
TRANSFER = "branch.conv.0,branch.dense,trunk.out"
"""Parts that the paper trains on a new shape."""


def widths(text: str) -> tuple[int, ...]:
    """Widths of layers from their text, `128,128`.

    Raises:
        ValueError: if they are not positive whole numbers with commas between them.
    """
    words = text.split(",")
    if not all(word.strip().isdecimal() and int(word) for word in words):
        raise ValueError(f"widths are positive whole numbers with commas between them, such as 128,128, not '{text}'")
    return tuple(map(int, words))


def names(text: str) -> tuple[str, ...]:
    """Names from a list with commas.

    Raises:
        ValueError: if one is empty or stands twice.
    """
    found = tuple(word.strip() for word in text.split(","))
    if not all(found) or len(set(found)) < len(found):
        raise ValueError(f"names stand once each, with commas between them, not '{text}'")
    return found


@dataclass(frozen=True)
class ModelConfig:
    """A network, but for what the data says of it; what is not given is as published.

    Args:
        architecture: auto takes conv for functions on a grid of a plane, residual for points with three coordinates,
            and mlp otherwise.
        branch: Widths of the branch's hidden layers, with commas; of conv, those after the convolutions.
        trunk: Widths of the trunk's hidden layers, with commas.
        filters: Of conv: channels of the convolutions, each followed by a pooling that halves the resolution.
        kernel: Of conv: size of the convolutions' kernels, odd.
        latent: Features p that branch and trunk share.
        dropout: Share that is dropped out in the branch while training.
        mask_in_branch: Of conv: show the branch the mask.

    Raises:
        ValueError: if a number is out of range.
    """

    architecture: Architecture = "auto"
    branch: str | None = None
    trunk: str | None = None
    filters: str = "16,32,64,64"
    kernel: int = 5
    latent: int | None = None
    dropout: float | None = None
    mask_in_branch: bool = True

    def __post_init__(self) -> None:
        for text in (self.branch, self.trunk, self.filters):
            if text is not None:
                widths(text)
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"the kernel must be a positive odd number, not {self.kernel}")
        if self.latent is not None and self.latent < 1:
            raise ValueError(f"latent must be at least 1, not {self.latent}")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and less than 1, not {self.dropout}")


@dataclass(frozen=True)
class TrainConfig:
    """Optimizer and schedule; the defaults are those of the Fisher equation.

    Args:
        steps: Steps in all.
        lr: Learning rate of Adam at first.
        decay: Factor of the learning rate after every `decay_every` steps.
        decay_every: Steps between decays.
        drops: Steps and learning rates instead of the decay, such as 5001:5e-4,8001:1e-4.
        beta2: Adam's second decay rate.
        batch_size: Samples in a step, of all tasks together; all if not given.
        n_points: Points in a step, drawn at random; all if not given.
        loss: mse, or the mean of the samples' relative L2 errors.
        mask_in_loss: Leave what is outside the domains out of the loss.
        l2: Weight of the sum of squares of the branch's weight matrices.
        lion_steps: The last steps, which Lion takes instead of Adam.
        lion_lr: Learning rate of Lion, which decays by 0.9 every 100 steps.
        check_every: Steps between rows of the history.
        seed: Random seed of initial weights and batches.

    Raises:
        ValueError: if a number is out of range.
    """

    steps: int = 100_000
    lr: float = 1e-3
    decay: float = 0.95
    decay_every: int = 1000
    drops: str | None = None
    beta2: float = 0.999
    batch_size: int | None = 200
    n_points: int | None = None
    loss: Loss = "mse"
    mask_in_loss: bool = True
    l2: float = 0.0
    lion_steps: int = 0
    lion_lr: float = 1e-5
    check_every: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "check_every", "decay_every", "batch_size", "n_points"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name.replace('_', ' ')} must be at least 1, not {value}")
        for name in ("lr", "lion_lr", "decay", "beta2"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name.replace('_', ' ')} must be positive and at most 1, not {getattr(self, name)}")
        if not (self.l2 >= 0 and math.isfinite(self.l2)):
            raise ValueError(f"l2 must not be negative, not {self.l2}")
        if not 0 <= self.lion_steps <= self.steps:
            raise ValueError(f"lion steps must be at most the {self.steps} steps, not {self.lion_steps}")
        self.learning_rates()
        check_seed(self.seed)

    def learning_rates(self) -> tuple[tuple[int, float], ...]:
        """Steps, counted from 1, and the learning rates that hold from them on.

        Raises:
            ValueError: if `drops` is not such a list, or its steps do not increase.
        """
        pairs = [(1, self.lr)]
        for word in self.drops.split(",") if self.drops else ():
            step, _, rate = word.partition(":")
            try:
                pairs.append((int(step), float(rate)))
            except ValueError:
                raise ValueError(f"drops are steps and rates such as 5001:5e-4,8001:1e-4, not '{self.drops}'") from None
        steps = [step for step, _ in pairs]
        if steps != sorted(set(steps)) or not all(0 < rate <= 1 for _, rate in pairs):
            raise ValueError(f"drops are increasing steps with positive rates of at most 1, not '{self.drops}'")
        return tuple(pairs)

    def lr_at(self, step: int) -> float:
        """Adam's learning rate in a step, counted from 0: boundaries count optimizer steps, not epochs."""
        if self.drops:
            return [rate for first, rate in self.learning_rates() if step + 1 >= first][-1]
        return self.lr * self.decay ** (step // self.decay_every)


DARCY = TrainConfig(steps=27_000, drops="5001:5e-4,8001:1e-4", beta2=0.99, batch_size=1000, check_every=100)
"""Source training on several shapes, as published: 5000 epochs of 5400 samples."""
TARGET = TrainConfig(
    steps=5000, lr=5e-4, drops="2001:1e-4,3001:1e-5", beta2=0.99, batch_size=100, loss="relative", check_every=100
)
"""Fine-tuning on a new shape, as published."""
PLATE = TrainConfig(steps=20_000, decay=0.9, beta2=0.95, batch_size=None, lion_steps=5000, check_every=200)
"""Plates with holes, as published."""
FISHER = TrainConfig(l2=1e-3)
"""The Fisher equation, as published."""


@dataclass(frozen=True)
class DataShape:
    """What data says of a network.

    Args:
        functions: Shape of an input function: (m,), or (rows, columns).
        n_codes: Numbers that tell the task, such as coefficients.
        n_coordinates: Coordinates of a point.
        n_points: Points of the grid.
    """

    functions: tuple[int, ...]
    n_codes: int = 0
    n_coordinates: int = 2
    n_points: int = 1


@dataclass(frozen=True)
class RunConfig:
    """All that a training depends on, besides its data.

    Args:
        model: The network.
        train: How it is trained.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class ProblemConfig:
    """A problem.

    Args:
        geometry: Of darcy: shapes, with commas, or files of masks (.png, .npy) or polygons (.csv).
        families: Of fisher: reaction laws, with commas.
        resolution: Nodes along an edge; of fisher, points in space.
        n_times: Of fisher: times.
        depth: Of plate: nodes through the thickness.
        designs: Of plate: all 64, the 24 that the paper trains on, or the 40 of its test.
        diffusivity: Of fisher: D.
        length_scale: Correlation length of the random fields.
        sigma: Of darcy: standard deviation of the logarithm of the coefficient; 0 makes it the Poisson equation.

    Raises:
        ValueError: if a number is out of range.
    """

    geometry: str = "square,disc,triangle"
    families: str = "F1,F2,F4"
    resolution: int = 64
    n_times: int = 20
    depth: int = 6
    designs: Designs = "all"
    diffusivity: float = 0.01
    length_scale: float = 0.2
    sigma: float = 1.0

    def __post_init__(self) -> None:
        for name, least in (("resolution", 4), ("n_times", 2), ("depth", 3)):
            if getattr(self, name) < least:
                raise ValueError(f"{name.replace('_', ' ')} must be at least {least}, not {getattr(self, name)}")
        check_positive(length_scale=self.length_scale)
        for name in ("diffusivity", "sigma"):
            if not (getattr(self, name) >= 0 and math.isfinite(getattr(self, name))):
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
