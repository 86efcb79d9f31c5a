"""A stand-in for a monocular depth estimator, and its alignment with true depth."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

NOISE_GRID = 5
"""Knots of the low-frequency error along each side of the image."""
JUMP = 0.05
"""Depth bleeds where it jumps by more than this part of itself."""


def estimate_depth(
    depth: Float[Tensor, "h w"],
    generator: torch.Generator,
    *,
    low_frequency: float = 0.03,
    noise: float = 0.005,
    bleeding: int = 1,
) -> Float[Tensor, "h w"]:
    """What an estimator might say: `a depth (1 + low-frequency error)`, smeared where depth jumps, with noise.

    The scale a is unknown to whoever uses it, between 1/2 and 2.

    Args:
        depth: True planar depth; 0 where there is none, and there it stays 0.
        generator: Draws the errors.
        low_frequency: Standard deviation of the error that varies slowly over the image.
        noise: Standard deviation of the error of each pixel.
        bleeding: Pixels around a jump over which near and far are mixed.
    """
    valid = depth > 0
    scale = 2 ** (2 * torch.rand((), generator=generator) - 1)
    knots = torch.randn(1, 1, NOISE_GRID, NOISE_GRID, generator=generator)
    smooth = F.interpolate(knots, depth.shape, mode="bicubic", align_corners=True)[0, 0].to(depth)
    grain = torch.randn(depth.shape, generator=generator).to(depth)
    bled = _bleed(depth, bleeding) if bleeding else depth
    estimate = scale.to(depth) * bled * (1 + low_frequency * smooth + noise * grain)
    return torch.where(valid, estimate.clamp(min=1e-6), 0)


def _bleed(depth: Tensor, radius: int) -> Tensor:
    """Depth averaged over the valid neighbors where it jumps."""
    size = 2 * radius + 1
    valid = (depth > 0).to(depth)[None, None]
    values = depth[None, None]
    highest = F.max_pool2d(values, size, 1, radius)
    lowest = -F.max_pool2d(torch.where(valid > 0, -values, -torch.inf), size, 1, radius)
    count = F.avg_pool2d(valid, size, 1, radius).clamp(min=1e-6)
    mean = F.avg_pool2d(values, size, 1, radius) / count
    jumps = highest - lowest > JUMP * values
    return torch.where(jumps, mean, values)[0, 0]


def align_scale(
    estimate: Float[Tensor, "h w"], depth: Float[Tensor, "h w"], mask: Bool[Tensor, "h w"] | None = None
) -> Float[Tensor, ""]:
    """The scale a, without shift, that minimizes `sum (a estimate - depth)²`.

    Args:
        estimate: Estimated depth.
        depth: True depth.
        mask: Pixels that count, such as the foreground; both depths must be positive there, too.

    Raises:
        ValueError: if no pixel counts.
    """
    counts = (estimate > 0) & (depth > 0)
    if mask is not None:
        counts &= mask
    if not counts.any():
        raise ValueError("no pixel has both an estimated and a true depth")
    x, y = estimate[counts].double(), depth[counts].double()
    return ((x @ y) / (x @ x)).to(depth)


def mixed_depth(
    depth: Float[Tensor, "h w"],
    estimate: Float[Tensor, "h w"],
    ratio: float,
    mask: Bool[Tensor, "h w"] | None = None,
) -> Float[Tensor, "h w"]:
    """Depth between the truth (ratio 0) and the aligned estimate (ratio 1), on which the network is trained.

    `ratio a estimate + (1 - ratio) depth` with the scale a of `align_scale`; 0 where either is missing.
    """
    aligned = align_scale(estimate, depth, mask) * estimate
    return torch.where((estimate > 0) & (depth > 0), ratio * aligned + (1 - ratio) * depth, 0)
