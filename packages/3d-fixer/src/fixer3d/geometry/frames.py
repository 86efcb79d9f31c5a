"""Frames in which objects are completed: a shift and a uniform scale, never a rotation."""

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fixer3d.configs import CONFIDENT

EPSILON = 1e-6
"""Added to every scale, in units of what it is the scale of."""
MIN_POINTS = 10
"""The least number of confident points from which an object is completed."""


@dataclass(frozen=True)
class Frame:
    """A map `world = local * scale + center`; leading dimensions are a batch of frames.

    Far from the origin of the world, only double precision tells nearby points apart: give points there as doubles, and
    the frame that is made of them holds doubles, too.

    Args:
        center: Where the frame's origin is in the world.
        scale: World units per local unit.
    """

    center: Float[Tensor, "*batch 3"]
    scale: Float[Tensor, "*batch"]

    @classmethod
    def identity(cls) -> "Frame":
        """The frame in which local and world coordinates are the same."""
        return cls(torch.zeros(3), torch.ones(()))

    @classmethod
    def stack(cls, frames: "list[Frame]") -> "Frame":
        """A batch of frames."""
        return cls(torch.stack([frame.center for frame in frames]), torch.stack([frame.scale for frame in frames]))

    def __getitem__(self, index: int) -> "Frame":
        """One frame of a batch."""
        return Frame(self.center[index], self.scale[index])

    def to(self, like: Tensor | torch.device | torch.dtype) -> "Frame":
        """The same frame on another device or in another precision."""
        return Frame(self.center.to(like), self.scale.to(like))

    def to_local(self, points: Float[Tensor, "*points 3"]) -> Float[Tensor, "*points 3"]:
        """World coordinates in this frame. With a batch of frames, the points' leading dimensions are that batch."""
        center, scale = self._beside(points)
        return (points - center) / scale

    def to_world(self, points: Float[Tensor, "*points 3"]) -> Float[Tensor, "*points 3"]:
        """Coordinates of this frame in the world; the inverse of `to_local`."""
        center, scale = self._beside(points)
        return points * scale + center

    def compose(self, inner: "Frame") -> "Frame":
        """The frame `inner`, given in the coordinates of this one, as a frame of the world.

        Of a coarse and a fine frame, `x = (x_f s_f + t_f) s_c + t_c`.
        """
        inner = inner.to(self.center)
        return Frame(self.center + self.scale[..., None] * inner.center, self.scale * inner.scale)

    def _beside(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Center and scale with dimensions of size one between the batch and the coordinates."""
        batch = self.scale.shape
        between = (1,) * (points.ndim - 1 - len(batch))
        frame = self.to(points)
        return frame.center.reshape(*batch, *between, 3), frame.scale.reshape(*batch, *between, 1)


def coarse_frame(points: Float[Tensor, "n 3"], confidence: Float[Tensor, "n"]) -> Frame:
    """The frame of a partial object: its bounding box fills [-0.25, 0.25] on the longest side.

    That leaves twice the room of the visible part on every side for what is not seen: `s_c = (2 + 1e-6) max extent`.

    Args:
        points: Visible points in the world.
        confidence: Of each point; only those above 0.8 count.

    Raises:
        ValueError: if fewer than 10 points are confident, or those that are lie at one place.
    """
    kept = points[confidence > CONFIDENT]
    if len(kept) < MIN_POINTS:
        raise ValueError(
            f"only {len(kept)} points have a confidence above {CONFIDENT}; "
            f"at least {MIN_POINTS} are needed to place an object"
        )
    low, high = kept.amin(0), kept.amax(0)
    extent = (high - low).max()
    if not extent > 0:
        raise ValueError("all confident points lie at the same place, so the object has no size")
    return Frame((low + high) / 2, (2 + EPSILON) * extent)


def fine_frame(occupancy: Bool[Tensor, "r r r"] | Float[Tensor, "r r r"]) -> Frame:
    """The frame of a coarse completion: the centers of its occupied voxels fill [-0.5, 0.5] on the longest side.

    Args:
        occupancy: The coarse completion, in the coarse frame; occupied where positive.

    Returns:
        The frame, in the coordinates of the coarse one. Where no voxel is occupied, the coarse frame itself, with a
        warning; a single voxel is as large as it is.
    """
    occupied = torch.nonzero(occupancy > 0)
    resolution = occupancy.shape[0]
    if not len(occupied):
        warnings.warn("the coarse completion is empty; its frame is kept", stacklevel=2)
        return Frame(torch.zeros(3, device=occupancy.device), torch.ones((), device=occupancy.device))
    centers = (occupied + 0.5) / resolution - 0.5
    low, high = centers.amin(0), centers.amax(0)
    return Frame((low + high) / 2, (high - low).max().clamp(min=1 / resolution) + EPSILON)
