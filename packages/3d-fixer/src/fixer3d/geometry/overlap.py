"""Exact overlap of triangles with the unit cells of a grid."""

import numpy as np
from jaxtyping import Bool, Float, Int

CHUNK = 1 << 18
"""Candidate pairs of triangle and cell that are tested at once."""


def touching(triangles: Float[np.ndarray, "n 3 3"], resolution: int) -> Int[np.ndarray, "m 3"]:
    """The cells of a grid that triangles touch, by the separating-axis theorem; a cell may come more than once.

    Args:
        triangles: Corners in units of cells: cell (i, j, k) is [i, i+1) × [j, j+1) × [k, k+1).
        resolution: Cells along each axis.
    """
    lowest = triangles.min(1)
    # The upper faces of the grid belong to its last cells.
    lowest = np.where(lowest <= resolution, lowest.clip(None, resolution - 1e-6), lowest)
    low = np.floor(lowest).astype(np.int64).clip(0, None)
    high = np.floor(triangles.max(1)).astype(np.int64).clip(None, resolution - 1)
    sizes = (high - low + 1).clip(0, None)
    counts = sizes.prod(1)
    ends = np.cumsum(counts)
    found = []
    start = 0
    while start < len(triangles):
        stop = max(start + 1, int(np.searchsorted(ends, (ends[start - 1] if start else 0) + CHUNK, side="right")))
        owner, cell = _candidates(low[start:stop], sizes[start:stop], counts[start:stop])
        found.append(cell[_overlaps(triangles[start:stop], owner, cell)])
        start = stop
    return np.concatenate(found) if found else np.zeros((0, 3), np.int64)


def _candidates(low: np.ndarray, sizes: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every cell in the bounding box of every triangle: indices of the triangles, and the cells."""
    owner = np.repeat(np.arange(len(counts)), counts)
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    _, ny, nz = sizes[owner].T
    offsets = np.stack([rank // (ny * nz), rank // nz % ny, rank % nz], 1) if len(owner) else np.zeros((0, 3), int)
    return owner, low[owner] + offsets


def _overlaps(triangles: np.ndarray, owner: np.ndarray, cell: np.ndarray) -> Bool[np.ndarray, "m"]:
    """Whether each triangle touches its candidate cell: first by its plane, then by the nine products of edges."""
    edges = np.roll(triangles, -1, axis=1) - triangles
    normals = np.cross(edges[:, 0], edges[:, 1])
    center = cell + 0.5
    reach = np.abs(normals).sum(1)[owner] / 2
    offset = np.einsum("md,md->m", normals[owner], triangles[owner, 0] - center)
    near = np.flatnonzero(np.abs(offset) <= reach + 1e-9)
    owner, center = owner[near], center[near]
    axes = _edge_axes(edges)
    projected = np.einsum("nad,ncd->nac", axes, triangles)
    radius = np.abs(axes).sum(2) / 2
    shift = np.einsum("mad,md->ma", axes[owner], center)
    low, high = projected.min(2)[owner] - shift, projected.max(2)[owner] - shift
    apart = ((low > radius[owner] + 1e-9) | (high < -radius[owner] - 1e-9)).any(1)
    result = np.zeros(len(cell), bool)
    result[near[~apart]] = True
    return result


def _edge_axes(edges: np.ndarray) -> Float[np.ndarray, "n 9 3"]:
    """Cross products of the three axes of the grid with the three edges of each triangle."""
    x, y, z = edges[..., 0], edges[..., 1], edges[..., 2]
    zero = np.zeros_like(x)
    axes = [np.stack(one, -1) for one in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]
    return np.concatenate(axes, 1)
