"""The surface of a whole object as the texturing stage learns it: the colors of its voxels, and where they are seen."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from fixer3d.geometry.cameras import Intrinsics
from fixer3d.geometry.surfaces import nearest_surface
from fixer3d.network.texture import MAX_OFFSET, MAX_VOXELS, Voxels

from .framing import Framed
from .observations import see_voxels


@dataclass(frozen=True)
class SurfaceVoxels:
    """Active voxels of objects, padded to as many in each.

    Args:
        coordinates: Indices along x, y and z.
        exists: False for what only pads.
        rgb: Color of the surface nearest to each voxel's center.
        offset: Of the surface from the center, along its normal, in voxels.
        places: Of the centers in the image; see `SeenVoxels`.
        behind: How far they are behind what the image shows; see `SeenVoxels`.
    """

    coordinates: UInt8[Tensor, "*batch n 3"]
    exists: Bool[Tensor, "*batch n"]
    rgb: UInt8[Tensor, "*batch n 3"]
    offset: Float[Tensor, "*batch n"]
    places: Float[Tensor, "*batch n 2"]
    behind: Float[Tensor, "*batch n"]

    @classmethod
    def stack(cls, parts: "list[SurfaceVoxels]") -> "SurfaceVoxels":
        """A batch of several."""
        return cls(*(torch.stack(columns) for columns in zip(*(vars(one).values() for one in parts), strict=True)))

    def __getitem__(self, index: slice | tuple[Int[Tensor, "b"] | Int[Tensor, "b 1"], Tensor]) -> "SurfaceVoxels":
        """Those of some objects, or some of their voxels."""
        return SurfaceVoxels(*(part[index] for part in vars(self).values()))

    def to(self, device: torch.device | str) -> "SurfaceVoxels":
        """The same on a device."""
        return SurfaceVoxels(*(part.to(device) for part in vars(self).values()))

    @property
    def voxels(self) -> Voxels:
        """Their indices, for the flow."""
        return Voxels(self.coordinates.long(), self.exists)


def surface_voxels(
    framed: Framed,
    depth: Float[Tensor, "h w"],
    intrinsics: Intrinsics,
    c2w: Float[Tensor, "4 4"],
    n: int = MAX_VOXELS,
) -> SurfaceVoxels:
    """The voxels of an object in its frame, n of them where there are more, padded to n where there are fewer.

    Args:
        framed: The object.
        depth: Planar depth of the image, as far as it is known.
        intrinsics: The camera.
        c2w: Its pose.
        n: How many.

    Raises:
        ValueError: if the object has no voxel in its frame.
    """
    resolution = len(framed.occupancy)
    voxels = Voxels.from_occupancy(framed.occupancy[None] > 0, n)
    centers = voxels.centers(resolution)[0]
    nearest = nearest_surface(framed.mesh, centers)
    offset = ((nearest.positions - centers) * nearest.normals).sum(-1) * resolution
    size = float(framed.coarse.scale * framed.fine.scale)
    seen = see_voxels(framed.to_world(centers), size, depth, intrinsics, c2w)
    parts = (
        voxels.coordinates[0].byte(),
        voxels.exists[0],
        (nearest.colors * 255).round().clamp(0, 255).byte(),
        offset.clamp(-MAX_OFFSET, MAX_OFFSET).half(),
        seen.places.half(),
        seen.behind.half(),
    )
    return SurfaceVoxels(*(_padded(part, n) for part in parts))


def _padded(part: Tensor, n: int) -> Tensor:
    return F.pad(part, (0, 0) * (part.ndim - 1) + (0, n - len(part)))
