"""Voxel grids of the cube [-0.5, 0.5]³: from points and meshes, and back to a mesh."""

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from fixer3d.configs import BLOCK

from .meshes import Mesh
from .overlap import touching

MARGIN = 1e-6
"""Points are clipped to the cube less this much, so that its upper faces belong to the last voxels."""


def voxelize(
    points: Float[Tensor, "n 3"], resolution: int, confidence: Float[Tensor, "n"] | None = None
) -> tuple[Float[Tensor, "r r r"], Float[Tensor, "r r r"]]:
    """Which voxels hold points, and the mean confidence of the points in each.

    Args:
        points: In the cube; what is outside is clipped to it.
        resolution: Voxels along each axis.
        confidence: Of each point; 1 where it is left out.

    Returns:
        Occupancy, 0 or 1, and confidence, 0 in empty voxels; indexed by x, y, z.
    """
    points = points.float()
    weights = torch.ones_like(points[:, 0]) if confidence is None else confidence.to(points)
    cells = ((points.clamp(MARGIN - 0.5, 0.5 - MARGIN) + 0.5) * resolution).long().clamp(0, resolution - 1)
    flat = (cells[:, 0] * resolution + cells[:, 1]) * resolution + cells[:, 2]
    counts = points.new_zeros(resolution**3).index_add_(0, flat, torch.ones_like(weights))
    sums = points.new_zeros(resolution**3).index_add_(0, flat, weights)
    shape = (resolution,) * 3
    return (counts > 0).to(points).reshape(shape), (sums / counts.clamp(min=1)).reshape(shape)


def space_to_depth(grid: Shaped[Tensor, "*batch r r r"], block: int = BLOCK) -> Shaped[Tensor, "*batch c s s s"]:
    """Blocks of voxels as channels: `(x n1) (y n2) (z n3) -> (n1 n2 n3) x y z`.

    Raises:
        ValueError: if the resolution is not a multiple of the block.
    """
    *batch, resolution = grid.shape[:-2]
    if resolution % block:
        raise ValueError(f"the resolution must be a multiple of {block}, not {resolution}")
    size, n = resolution // block, len(batch)
    split = grid.reshape(*batch, size, block, size, block, size, block)
    order = [*range(n), n + 1, n + 3, n + 5, n, n + 2, n + 4]
    return split.permute(order).reshape(*batch, block**3, size, size, size)


def depth_to_space(channels: Shaped[Tensor, "*batch c s s s"], block: int = BLOCK) -> Shaped[Tensor, "*batch r r r"]:
    """The inverse of `space_to_depth`.

    Raises:
        ValueError: if there are not `block³` channels.
    """
    *batch, n_channels, size = channels.shape[:-2]
    if n_channels != block**3:
        raise ValueError(f"blocks of {block} have {block**3} channels, not {n_channels}")
    n, resolution = len(batch), block * size
    split = channels.reshape(*batch, block, block, block, size, size, size)
    order = [*range(n), n + 3, n, n + 4, n + 1, n + 5, n + 2]
    return split.permute(order).reshape(*batch, resolution, resolution, resolution)


def voxelize_mesh(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], resolution: int, *, overhang: float = 0.0
) -> Float[Tensor, "r r r"]:
    """The voxels that a surface touches, by exact overlap of triangles and cubes; what lies outside the cube is cut.

    Args:
        vertices: In the cube [-0.5, 0.5]³.
        faces: Indices of the vertices of each triangle.
        resolution: Voxels along each axis.
        overhang: What lies up to this far outside is moved to the faces of the cube instead, so that a closed surface
            stays closed.

    Returns:
        Occupancy, 0 or 1, indexed by x, y, z.
    """
    occupancy = torch.zeros((resolution,) * 3)
    if len(faces):
        beyond = round(overhang * resolution)
        cells = touching((vertices[faces] + 0.5) * resolution + beyond, resolution + 2 * beyond)
        inside = (cells - beyond).clip(0, resolution - 1)
        occupancy[tuple(torch.from_numpy(inside).T)] = 1
    return occupancy


def fill(occupancy: Float[Tensor, "r r r"]) -> Float[Tensor, "r r r"]:
    """The solid that a closed shell of voxels encloses."""
    from scipy.ndimage import binary_fill_holes

    return torch.from_numpy(binary_fill_holes(occupancy.cpu().numpy() > 0)).to(occupancy)


def mesh_from_logits(logits: Float[Tensor, "r r r"]) -> Mesh:
    """The surface where logits are zero, by marching cubes; it is closed at the faces of the cube, too.

    Voxel i has its center at (i + 0.5) / R - 0.5.

    Args:
        logits: Positive inside.

    Returns:
        The mesh, with outward normals; no vertices where no logit is positive.
    """
    from skimage.measure import marching_cubes

    resolution = logits.shape[0]
    values = logits.detach().float().cpu().numpy()
    if not (values > 0).any():
        return Mesh.empty()
    # A border below every logit closes the surface half a voxel beyond the last center at most.
    border = -max(1.0, float(np.abs(values).max()))
    padded = np.pad(values, 1, constant_values=border)
    # In the order of its axes (x, y, z), "ascent" is the one whose faces look outwards.
    vertices, faces, *_ = marching_cubes(padded, 0.0, gradient_direction="ascent")
    return Mesh((vertices.astype(float) - 0.5) / resolution - 0.5, faces.astype(np.int64))
