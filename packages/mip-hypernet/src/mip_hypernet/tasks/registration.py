"""Registration of two images for every trade-off between similarity and smoothness (HyperMorph, Hoopes et al. 2021)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter, map_coordinates
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from mip_hypernet.configs import TaskConfig
from mip_hypernet.networks import UNet
from separata.labeled import Splits

from .task import Batch, Part

NOISE_VARIANCE = 0.01
"""Of image intensities, by which squared differences are divided."""
AMPLITUDE = 0.08
"""Root mean square of each component of the true displacement, as a part of the image."""
SMOOTHNESS = 0.2
"""Standard deviation of the filter that makes the true displacement smooth, as a part of the image."""
SEEDS = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True)
class Pairs:
    """Pairs of images, one the other's warp.

    Attributes:
        images: The moving and the fixed image as channels.
        flows: The true displacement in pixels, down and right: fixed(p) = moving(p + flow(p)).
    """

    images: Float[Tensor, "n 2 height width"]
    flows: Float[Tensor, "n 2 height width"]


@dataclass(frozen=True)
class Registration:
    """A U-Net predicts the displacement φ that makes a moving image m a fixed one f.

    The loss is L = (1 − γ) ‖m ∘ (id + φ) − f‖² / σ² + γ ‖∇φ‖², with means over pixels and σ² = 0.01.

    Args:
        pairs: Pairs of images by part.
        config: The network's width.
    """

    pairs: Mapping[str, Pairs]
    config: TaskConfig

    def __post_init__(self) -> None:
        if self.config.dim != 1:
            raise ValueError(f"registration has a single trade-off, so that dim must be 1, not {self.config.dim}")
        self.make_network()

    @classmethod
    def of(cls, splits: Splits, config: TaskConfig, seed: int = 0) -> "Registration":
        """Images of any kind and smooth random warps of them.

        Raises:
            ValueError: if the samples are no images.
        """
        if len(splits.train.sample_shape) != 3:
            raise ValueError(f"registration takes images, not samples of shape {splits.train.sample_shape}")
        return cls({part: make_pairs(getattr(splits, part).x, 3 * seed + SEEDS[part]) for part in SEEDS}, config)

    @property
    def dim(self) -> int:
        """Numbers in γ."""
        return 1

    @property
    def failure(self) -> float:
        """The mean loss of no displacement at all, but for 5 %."""
        return 0.95 * self.identity

    @property
    def target(self) -> float:
        """Two thirds of the mean loss of no displacement."""
        return self.identity * 2 / 3

    @property
    def identity(self) -> float:
        """The loss of no displacement on the training part, mean over γ."""
        images = self.pairs["train"].images
        return float((images[:, 0] - images[:, 1]).square().mean()) / NOISE_VARIANCE / 2

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of a pair."""
        return tuple(self.pairs["train"].images.shape[1:])

    def to(self, device: str | torch.device) -> "Registration":
        """The same with its data on a device."""
        moved = {part: Pairs(own.images.to(device), own.flows.to(device)) for part, own in self.pairs.items()}
        return replace(self, pairs=moved)

    def make_network(self) -> nn.Module:
        """A U-Net, which begins with displacements near 0."""
        return UNet(2, 2, self.config.width, self.config.norm, scale=0.1)

    def bind(self, network: nn.Module, gamma: Float[Tensor, "d"]) -> nn.Module:  # noqa: ARG002 - of every task
        """The network as it is."""
        return network

    def batch(self, n: int, generator: torch.Generator) -> Batch:
        """Pairs for training."""
        images = self.pairs["train"].images
        return (images[torch.randint(len(images), (n,), generator=generator).to(images.device)],)

    def samples(self, part: Part) -> Batch:
        """Pairs, and the true displacement."""
        return self.pairs[part].images, self.pairs[part].flows

    def loss(
        self,
        call: Callable[..., Any],
        weights: Mapping[str, Tensor],  # noqa: ARG002 - of every task
        batch: Batch,
        gamma: Float[Tensor, "d"],
    ) -> Float[Tensor, ""]:
        """Dissimilarity and roughness, weighed by γ."""
        images = batch[0]
        flow = call(images)
        weight = gamma.squeeze()
        return (1 - weight) * dissimilarity(images, flow) + weight * roughness(flow)

    @torch.no_grad()
    def metrics(self, network: nn.Module, part: Part, gamma: Float[Tensor, "d"]) -> dict[str, float]:
        """`loss`, `mse` of intensities, `roughness`, and `error` of the displacement in pixels."""
        images, flows = self.samples(part)
        flow = network(images)
        value = self.loss(lambda _: flow, {}, (images,), gamma)
        return {
            "loss": float(value),
            "mse": float(dissimilarity(images, flow)) * NOISE_VARIANCE,
            "roughness": float(roughness(flow)),
            "error": float((flow - flows).norm(dim=1).mean()),
        }


def warp(
    image: Float[Tensor, "n channels height width"], flow: Float[Tensor, "n 2 height width"]
) -> Float[Tensor, "n channels height width"]:
    """image(p + flow(p)) at every pixel p, linearly interpolated; beyond the border, as on it.

    Args:
        image: The images.
        flow: Displacements in pixels, down and right.
    """
    height, width = image.shape[-2:]
    down = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 0]
    right = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 1]
    grid = torch.stack([2 * right / (width - 1) - 1, 2 * down / (height - 1) - 1], dim=-1)
    return grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)


def dissimilarity(
    images: Float[Tensor, "n 2 height width"], flow: Float[Tensor, "n 2 height width"]
) -> Float[Tensor, ""]:
    """Mean squared difference of the warped moving image and the fixed one, by the variance of the noise."""
    return (warp(images[:, :1], flow) - images[:, 1:]).square().mean() / NOISE_VARIANCE


def roughness(flow: Float[Tensor, "n 2 height width"]) -> Float[Tensor, ""]:
    """Mean squared difference of neighboring displacements, down and right together."""
    down, right = flow.diff(dim=-2), flow.diff(dim=-1)
    return down.square().mean() + right.square().mean()


def make_pairs(images: Float[Tensor, "n channels height width"], seed: int) -> Pairs:
    """Pairs of images and smooth random warps of them.

    Args:
        images: The moving images; of several channels, the mean is taken.
        seed: Draws the warps.
    """
    moving = images.mean(1).double().cpu().numpy()
    n, height, width = moving.shape
    noise = np.random.default_rng(seed).normal(size=(n, 2, height, width))
    smooth = gaussian_filter(noise, (0, 0, SMOOTHNESS * height, SMOOTHNESS * width), mode="reflect")
    smooth *= AMPLITUDE * np.array([height, width])[:, None, None] / np.sqrt(np.mean(smooth**2))
    number, down, right = np.meshgrid(np.arange(n), np.arange(height), np.arange(width), indexing="ij")
    fixed = map_coordinates(moving, [number, down + smooth[:, 0], right + smooth[:, 1]], order=1, mode="nearest")
    pair = np.stack([moving, fixed], axis=1)
    return Pairs(torch.from_numpy(pair).float(), torch.from_numpy(smooth).float())
