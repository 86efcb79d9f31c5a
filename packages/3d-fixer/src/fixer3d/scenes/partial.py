"""The visible part of an object: points behind its mask, and how far each is to be trusted."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fixer3d.geometry.cameras import Intrinsics, back_project

REFERENCE_SIZE = 512
"""Image size for which the kernel of the edge band is 7×7."""
KERNEL_RADIUS = 3
ITERATIONS = 2
EDGE_CONFIDENCE = 0.5


def edge_band(mask: Bool[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    """Pixels at the edge of a mask: dilated, but not eroded, twice by an ellipse of 7×7 pixels at size 512.

    The kernel grows and shrinks with the image; the border of the image is no edge.
    """
    from scipy.ndimage import binary_dilation, binary_erosion

    radius = max(1, round(KERNEL_RADIUS * max(mask.shape) / REFERENCE_SIZE))
    kernel = _ellipse(radius)
    inside = mask.cpu().numpy()
    grown = binary_dilation(inside, kernel, ITERATIONS)
    shrunk = binary_erosion(inside, kernel, ITERATIONS, border_value=1)
    return torch.from_numpy(grown ^ shrunk).to(mask.device)


def _ellipse(radius: int) -> np.ndarray:
    """The elliptic kernel of OpenCV."""
    offsets = np.arange(-radius, radius + 1)
    reach = np.rint(np.sqrt(radius**2 - offsets**2))
    return np.abs(offsets)[None] <= reach[:, None]


def mask_confidence(mask: Bool[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """1 inside a mask, 0.5 in its edge band, where depth bleeds, and 0 outside."""
    inside = mask.float()
    return torch.where(edge_band(mask), EDGE_CONFIDENCE * inside, inside)


def partial_points(
    depth: Float[Tensor, "h w"], mask: Bool[Tensor, "h w"], intrinsics: Intrinsics, c2w: Float[Tensor, "4 4"]
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n"]]:
    """The points of an object that an image shows, and their confidence.

    Args:
        depth: Planar depth; pixels where it is not positive and finite are left out.
        mask: Where the object is.
        intrinsics: The camera.
        c2w: Its pose.

    Returns:
        Points in the world, and 1 or, in the edge band of the mask, 0.5 for each.
    """
    kept = mask & depth.isfinite() & (depth > 0)
    points = back_project(torch.where(kept, depth, 1), intrinsics, c2w)
    return points[kept], mask_confidence(mask).to(depth)[kept]
