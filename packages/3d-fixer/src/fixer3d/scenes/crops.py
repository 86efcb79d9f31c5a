"""Square crops of images around an object."""

import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor
from torch.nn import functional as F

MARGIN = 1.2
"""Side of a crop over the longest side of the mask's bounding box."""
SMALLEST = 32
"""Least size to which a crop is shrunk when it is degraded."""
DEPTH_RANGE = 2.0
"""Depth over the median that is white in an image of relative depth."""

Box = tuple[float, float, float]


def crop_box(mask: Bool[Tensor, "h w"]) -> Box:
    """Center (from the left, from the top) and half the side of the square around a mask.

    Raises:
        ValueError: if the mask is empty.
    """
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    if not len(rows):
        raise ValueError("the mask is empty")
    top, bottom, left, right = (float(x) for x in (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1))
    return (left + right) / 2, (top + bottom) / 2, max(bottom - top, right - left) / 2 * MARGIN


def cropped(image: Shaped[Tensor, "c h w"], box: Box, size: int) -> UInt8[Tensor, "c size size"]:
    """The square of an image as bytes; zeros outside.

    Args:
        image: Bytes, or numbers from 0 to 1.
        box: What `crop_box` gave.
        size: Pixels along each side of the crop.
    """
    x, y, half = box
    side = max(1, round(2 * half))
    left, top = round(x - half), round(y - half)
    h, w = image.shape[1:]
    inside = image[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    before = max(-left, 0), max(-top, 0)
    after = max(left + side - w, 0), max(top + side - h, 0)
    padded = F.pad(inside, (before[0], after[0], before[1], after[1]))
    return resized(padded, size)


def resized(image: Shaped[Tensor, "c h w"], size: int) -> UInt8[Tensor, "c size size"]:
    """An image as bytes at another size, antialiased."""
    values = image.float() if image.dtype == torch.uint8 else image.float() * 255
    if values.shape[1:] != (size, size):
        values = F.interpolate(values[None], (size, size), mode="bilinear", antialias=True)[0]
    return values.round().clamp(0, 255).byte()


def degraded(
    image: UInt8[Tensor, "c s s"], generator: torch.Generator, probability: float = 0.5
) -> UInt8[Tensor, "c s s"]:
    """The image, or with some probability shrunk to a random size of at least 32 pixels and enlarged again."""
    draw, place = torch.rand(2, generator=generator).tolist()
    size = image.shape[-1]
    if draw >= probability or size <= SMALLEST:
        return image
    return resized(resized(image, SMALLEST + round(place * (size - SMALLEST))), size)


def relative_depth(depth: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Depth over twice its median, from 0 to 1; 0 where there is none. It does not depend on the unit of length."""
    valid = depth.isfinite() & (depth > 0)
    if not valid.any():
        return torch.zeros_like(depth)
    return torch.where(valid, (depth / depth[valid].median() / DEPTH_RANGE).clamp(0, 1), 0)
