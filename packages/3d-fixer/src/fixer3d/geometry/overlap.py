"""Exact overlap of triangles with the unit cells of a grid."""

from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

CHUNK = 1 << 17
"""Columns of cells that are looked at at once."""
TOLERANCE = 1e-9


def touching(triangles: Float[np.ndarray, "n 3 3"], resolution: int) -> Int[np.ndarray, "m 3"]:
    """The cells of a grid that triangles touch, by the separating-axis theorem; a cell may come more than once.

    Args:
        triangles: Corners in units of cells: cell (i, j, k) is [i, i+1) × [j, j+1) × [k, k+1).
        resolution: Cells along each axis.
    """
    # The axis along which a triangle is steepest comes last: in each column it touches a few cells at most.
    normals = _normals(triangles)
    order = (np.abs(normals).argmax(1)[:, None] + [1, 2, 0]) % 3
    turned = np.take_along_axis(triangles, order[:, None], 2)
    found = []
    for some in _chunks(turned, resolution):
        owner, cell = _near_plane(turned[some], resolution)
        hit = _overlaps(turned[some], owner, cell)
        cells = np.empty_like(cell[hit])
        np.put_along_axis(cells, order[some][owner[hit]], cell[hit], 1)
        found.append(cells)
    return np.concatenate(found) if found else np.zeros((0, 3), np.int64)


def _normals(triangles: np.ndarray) -> np.ndarray:
    return np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])


def _boxes(triangles: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and highest cell of each triangle's bounding box in the grid."""
    lowest = triangles.min(1)
    # The upper faces of the grid belong to its last cells.
    lowest = np.where(lowest <= resolution, lowest.clip(None, resolution - 1e-6), lowest)
    low = np.floor(lowest).astype(np.int64).clip(0, None)
    return low, np.floor(triangles.max(1)).astype(np.int64).clip(None, resolution - 1)


def _chunks(triangles: np.ndarray, resolution: int) -> list[slice]:
    """Runs of triangles that have about `CHUNK` columns each."""
    low, high = _boxes(triangles, resolution)
    ends = np.cumsum((high - low + 1)[:, :2].clip(0, None).prod(1))
    starts, done = [0], 0
    while starts[-1] < len(triangles):
        stop = max(starts[-1] + 1, int(np.searchsorted(ends, done + CHUNK, side="right")))
        starts.append(stop)
        done = int(ends[stop - 1])
    return [slice(*pair) for pair in pairwise(starts)]


def _near_plane(triangles: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells of each triangle's bounding box that its plane touches, with the triangle's index."""
    low, high = _boxes(triangles, resolution)
    sizes = (high - low + 1).clip(0, None)
    owner, rank = _spread(np.where(sizes[:, 2] > 0, sizes[:, 0] * sizes[:, 1], 0))
    column = low[owner, :2] + np.stack(np.divmod(rank, sizes[owner, 1].clip(1)), 1)
    normals = _normals(triangles)
    steep = np.abs(normals[:, 2]) > 1e-12
    slope = -normals[:, :2] / np.where(steep, normals[:, 2], 1)[:, None]
    level = triangles[owner, 0, 2] + np.einsum("md,md->m", slope[owner], column + 0.5 - triangles[owner, 0, :2])
    reach = np.abs(slope).sum(1)[owner] / 2 + TOLERANCE
    first = np.maximum(low[owner, 2], np.ceil(level - reach - 1).astype(np.int64))
    last = np.minimum(high[owner, 2], np.floor(level + reach).astype(np.int64))
    # A triangle without area has no plane.
    first, last = np.where(steep[owner], first, low[owner, 2]), np.where(steep[owner], last, high[owner, 2])
    which, layer = _spread((last - first + 1).clip(0, None))
    return owner[which], np.concatenate([column[which], (first[which] + layer)[:, None]], 1)


def _spread(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each thing as many entries as it counts: its index, and 0, 1, 2, ..."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def _overlaps(triangles: np.ndarray, owner: np.ndarray, cell: np.ndarray) -> Bool[np.ndarray, "m"]:
    """Whether triangles touch cells that their bounding boxes and planes touch: by the nine products of edges."""
    axes = _edge_axes(np.roll(triangles, -1, axis=1) - triangles)
    projected = np.einsum("nad,ncd->nac", axes, triangles)
    middle, half = axes.sum(2) / 2, np.abs(axes).sum(2) / 2 + TOLERANCE
    low, high = projected.min(2) - half - middle, projected.max(2) + half - middle
    shift = np.einsum("mad,md->ma", axes[owner], cell.astype(float))
    return ((low[owner] <= shift) & (shift <= high[owner])).all(1)


def _edge_axes(edges: np.ndarray) -> Float[np.ndarray, "n 9 3"]:
    """Cross products of the three axes of the grid with the three edges of each triangle."""
    x, y, z = edges[..., 0], edges[..., 1], edges[..., 2]
    zero = np.zeros_like(x)
    axes = [np.stack(one, -1) for one in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]
    return np.concatenate(axes, 1)
