"""Segmentation at any internal resolution: γ is the rescaling factor of a U-Net (Gonzalez Ortiz et al. 2023)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from mip_hypernet.configs import TaskConfig
from mip_hypernet.encoding import InputScaler
from mip_hypernet.networks import UNet

from .task import Batch, Part

FACTOR = InputScaler(0.125, 0.5)
"""From γ to the lower resolution by the full one."""
SIZE, N_TRAIN, N_HELD_OUT = 24, 600, 150
NOISE = 0.4
SEEDS = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True)
class Segments:
    """Images and what is to be found in them.

    Attributes:
        images: The images.
        masks: 1 inside, 0 outside.
    """

    images: Float[Tensor, "n 1 height width"]
    masks: Float[Tensor, "n 1 height width"]


@dataclass(frozen=True)
class ScaleSpace:
    """Bright ellipses are told from a noisy ground with dark ones; the loss is the cross-entropy of pixels.

    The lower resolution of the U-Net is 1/8 to 1/2 of the full one, so that one network serves every compromise of
    accuracy and time.

    Args:
        parts: Images and masks by part.
        config: The network's width.
    """

    parts: Mapping[str, Segments]
    config: TaskConfig

    def __post_init__(self) -> None:
        if self.config.dim != 1:
            raise ValueError(f"scale-space has a single factor, so that dim must be 1, not {self.config.dim}")
        self.make_network()

    @classmethod
    def of(cls, config: TaskConfig, seed: int = 0) -> "ScaleSpace":
        """Ellipses drawn by a seed."""
        size, n = config.size or SIZE, config.n_train or N_TRAIN
        counts = {"train": n, "validation": N_HELD_OUT, "test": N_HELD_OUT}
        return cls({part: make_ellipses(counts[part], size, 3 * seed + SEEDS[part]) for part in SEEDS}, config)

    @property
    def dim(self) -> int:
        """Numbers in γ."""
        return 1

    @property
    def chance(self) -> float:
        """Cross-entropy of the share of the foreground."""
        share = float(self.parts["train"].masks.mean())
        return -share * math.log(share) - (1 - share) * math.log(1 - share)

    @property
    def failure(self) -> float:
        """A loss hardly below that of the share of the foreground."""
        return 0.95 * self.chance

    @property
    def target(self) -> float:
        """A third of the loss of the share of the foreground."""
        return self.chance / 3

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of an image."""
        return tuple(self.parts["train"].images.shape[1:])

    def to(self, device: str | torch.device) -> "ScaleSpace":
        """The same with its data on a device."""
        moved = {part: Segments(own.images.to(device), own.masks.to(device)) for part, own in self.parts.items()}
        return replace(self, parts=moved)

    def make_network(self) -> nn.Module:
        """A U-Net."""
        return UNet(1, 1, self.config.width, self.config.norm)

    def bind(self, network: nn.Module, gamma: Float[Tensor, "d"]) -> nn.Module:
        """The network with its factor set."""
        if not isinstance(network, UNet):
            raise ValueError(f"scale-space has a U-Net, not a {type(network).__name__}")
        network.factor = factor_of(gamma)
        return network

    def batch(self, n: int, generator: torch.Generator) -> Batch:
        """Images and masks for training."""
        images, masks = self.samples("train")
        index = torch.randint(len(images), (n,), generator=generator).to(images.device)
        return images[index], masks[index]

    def samples(self, part: Part) -> Batch:
        """Images and masks."""
        return self.parts[part].images, self.parts[part].masks

    def loss(
        self,
        call: Callable[..., Any],
        weights: Mapping[str, Tensor],  # noqa: ARG002 - of every task
        batch: Batch,
        gamma: Float[Tensor, "d"],
    ) -> Float[Tensor, ""]:
        """Cross-entropy of the pixels."""
        images, masks = batch
        return binary_cross_entropy_with_logits(call(images, factor=factor_of(gamma)), masks)

    @torch.no_grad()
    def metrics(self, network: nn.Module, part: Part, gamma: Float[Tensor, "d"]) -> dict[str, float]:
        """`loss`, and the overlap `dice`."""
        images, masks = self.samples(part)
        logits = network(images, factor=factor_of(gamma))
        found = (logits > 0).float()
        overlap = 2 * (found * masks).sum() / (found.sum() + masks.sum()).clamp(min=1)
        return {"loss": float(binary_cross_entropy_with_logits(logits, masks)), "dice": float(overlap)}


def factor_of(gamma: Float[Tensor, "d"]) -> float:
    """The lower resolution by the full one."""
    return float(FACTOR.inverse(gamma.detach().squeeze()))


def make_ellipses(n: int, size: int, seed: int) -> Segments:
    """Images of a bright ellipse and a dark one on a noisy ground, and masks of the bright one.

    Args:
        n: Number of images.
        size: Their height and width in pixels.
        seed: Draws them.
    """
    generator = torch.Generator().manual_seed(seed)
    bright, dark = (_inside(n, size, generator) for _ in range(2))
    dark = dark & ~bright
    noise = NOISE * torch.randn(n, 1, size, size, generator=generator)
    return Segments(bright.float() - dark.float() + noise, bright.float())


def _inside(n: int, size: int, generator: torch.Generator) -> Tensor:
    """Pixels in a random ellipse: center in the middle half, semi-axes of 0.1 to 0.3, at any angle."""
    center, axes, turn = (torch.rand(n, k, 1, 1, generator=generator) for k in (2, 2, 1))
    center, axes, angle = 0.25 + 0.5 * center, 0.1 + 0.2 * axes, math.pi * turn[:, 0]
    at = (torch.arange(size) + 0.5) / size
    down, right = at[:, None] - center[:, 0], at - center[:, 1]
    along = (down * angle.cos() + right * angle.sin()) / axes[:, 0]
    across = (right * angle.cos() - down * angle.sin()) / axes[:, 1]
    return (along.square() + across.square() <= 1)[:, None]
