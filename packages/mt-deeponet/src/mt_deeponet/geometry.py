"""Domains as masks on a grid of nodes, from shapes, polygons, pictures, arrays and meshes."""

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from separata import pictures
from separata.arrays import load_npy
from separata.extras import require

from .shapes import NUDGE, SHAPES, SignedDistance, make_shape, polygon

if TYPE_CHECKING:
    import trimesh

SLACK = 1e-6
"""By which corners of a polygon may be outside the unit square."""
TINT, TINTED_SHARE, DRAWN_COLORS = 32, 0.1, 8
"""A pixel is colored if its channels differ by more than the first, and a picture if more than this share of its pixels
is; a drawing has at most so many colors, which are told apart in steps of the first."""
SUFFIXES = (".png", ".npy", ".csv", ".stl")
"""Files that masks are read from."""
CHUNK = 1 << 22
"""Pairs of triangles and columns that are looked at together."""


def nodes(*sizes: int) -> Float[Tensor, "points d"]:
    """Nodes of a grid over the unit square or cube, those on the boundary among them, as rows of coordinates.

    The grid has `sizes` nodes, (rows, columns) or (rows, columns, layers); nodes are in the order of its memory.
    Coordinates are x along columns, y along rows upwards from row 0, and z along layers.

    Raises:
        ValueError: if there are not two or three sizes, of at least 2.
    """
    if len(sizes) not in {2, 3} or min(sizes) < 2:
        raise ValueError(f"a grid has two or three sizes of at least 2, not {sizes}")
    axes = [torch.linspace(0, 1, size, dtype=torch.float64) for size in sizes]
    grid = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([grid[1], grid[0], *grid[2:]], -1).flatten(0, -2)


def grid_sizes(points: Float[Tensor, "points d"]) -> tuple[int, ...]:
    """Rows and columns, and layers, of points that are a grid in the order of its memory; else their number.

    The rows of times and places (t, x) are times, of nodes (x, y) those of y.
    """
    counts = [len(values) for values, _ in axes_of(points)]
    if len(counts) not in {2, 3} or torch.Size(counts).numel() != len(points):
        return (len(points),)
    is_time_first = len(counts) == 2 and bool(points[0, 0] == points[1, 0])
    return (counts[0], counts[1]) if is_time_first else (counts[1], counts[0], *counts[2:])


def axes_of(points: Float[Tensor, "points d"]) -> list[tuple[Tensor, Tensor]]:
    """For each coordinate, its values in increasing order, and which of them each point has.

    Values that differ by less than a hundred-thousandth of their range are one, as single precision may not hold them.
    """
    found = []
    for column in points.T.double():
        low, high = column.aminmax()
        scaled = ((column - low) / (high - low).clamp(min=1e-300) * 1e5).round()
        steps, at = scaled.unique(return_inverse=True)
        found.append((low + steps / 1e5 * (high - low), at))
    return found


def mask_at(path: Path | str, points: Float[Tensor, "points d"]) -> Bool[Tensor, "points"]:
    """Read a domain, as `load_mask`, at points that are a grid: x along columns, y upwards, in whatever order they are.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: as `load_mask`, and if the points are no grid in two or three dimensions.
    """
    axes = axes_of(points)
    counts = [len(values) for values, _ in axes]
    if len(counts) not in {2, 3} or math.prod(counts) != len(points):
        raise ValueError(f"{path}: the network's points are no grid, so that no file of a mask fits them")
    order = (1, 0, 2)[: len(counts)]
    return load_mask(path, *(counts[axis] for axis in order))[tuple(axes[axis][1] for axis in order)]


def rasterize(
    shape: SignedDistance | str | Float[Tensor, "corners 2"] | Sequence[Sequence[float]], *sizes: int
) -> Bool[Tensor, "..."]:
    """The mask of a shape: the nodes inside it or on its edge.

    Args:
        shape: A signed distance function of points in the unit square or cube, negative inside; a name; or the corners
            of a polygon in the unit square.
        sizes: Rows and columns of the grid, and layers of a solid.

    Returns:
        (rows, columns), or (rows, columns, layers).

    Raises:
        ValueError: if there is no such shape, a corner is outside the unit square, a name or polygon is to be a solid,
            or no node is inside.
    """
    points = nodes(*sizes)
    if not callable(shape):
        if len(sizes) != 2:
            raise ValueError(f"names and polygons are shapes in a plane, and the grid has {len(sizes)} dimensions")
        shape = make_shape(shape) if isinstance(shape, str) else _polygon_in_box(shape)
    mask = (shape(points) <= NUDGE).reshape(sizes)
    if not bool(mask.any()):
        raise ValueError("no node of the grid is inside the shape: use a finer grid, or a larger shape")
    return mask


def _polygon_in_box(corners: Float[Tensor, "corners 2"] | Sequence[Sequence[float]]) -> SignedDistance:
    shape = polygon(corners)
    ends = torch.as_tensor(corners, dtype=torch.float64)
    low, high = float(ends.min()), float(ends.max())
    if low < -SLACK or high > 1 + SLACK:
        raise ValueError(f"corners are in the unit square, and these go from {low:g} to {high:g}: scale them")
    return shape


def load_mask(path: Path | str, *sizes: int) -> Bool[Tensor, "..."]:
    """Read a domain.

    | file | holds |
    | --- | --- |
    | .png | a picture, upright: white is inside, black outside; of one that is partly transparent, what is opaque |
    | .npy | an array of zeros and ones; row 0 is the lowest |
    | .csv | corners of a polygon in the unit square, one a line |
    | .stl | a closed mesh, scaled into the unit cube; for a plane grid, its slice at half the height |

    Args:
        path: The file.
        sizes: Rows and columns of the grid, and layers of a solid, to which the nearest pixels are taken; of a picture
            or an array, its own if not given.

    Returns:
        (rows, columns), or (rows, columns, layers).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file, an array is not binary, a corner is outside the unit square, a mesh is not
            closed, a plane domain is to be a solid, or nothing is inside.
        MissingExtraError: for an .stl, if the extra `stl` is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"masks are read from {', '.join(SUFFIXES)}, not from {path.name}")
    try:
        if suffix == ".png":
            mask = _resized(_of_picture(path), sizes)
        elif suffix == ".npy":
            mask = _resized(_of_array(path), sizes)
        elif not sizes:
            raise ValueError("its grid must be given: rows and columns, and layers of a solid")
        elif suffix == ".csv":
            mask = rasterize(_corners(path), *sizes)
        else:
            mask = _of_mesh(path, sizes)
    except ValueError as error:
        raise ValueError(f"{path}: {error}".replace(f"{path}: {path}", str(path))) from None
    if not bool(mask.any()):
        raise ValueError(f"{path}: nothing is inside; in a picture, the domain is white on black")
    return mask


def make_mask(geometry: str, *sizes: int) -> Bool[Tensor, "..."]:
    """The mask of a name in `SHAPES`, or of a file.

    Raises:
        FileNotFoundError: if it looks like a file, and there is none.
        ValueError: if it is neither.
    """
    is_file = geometry not in SHAPES and Path(geometry).suffix.lower() in SUFFIXES
    return load_mask(geometry, *sizes) if is_file else rasterize(geometry, *sizes)


def _of_picture(path: Path) -> Tensor:
    from PIL import Image

    _, pixels = pictures.decode(None, (str(path), path.read_bytes()))
    colors = np.asarray(pixels, dtype=np.float64)
    with Image.open(path) as picture:
        # A palette or a single color can be transparent without a band for it.
        if "A" in picture.getbands() or "transparency" in picture.info:
            alpha = np.asarray(picture.convert("RGBA").getchannel("A"), dtype=np.float64)
            # Of a drawing on transparent ground the opaque part is meant, whatever its color.
            if alpha.min() < alpha.max():
                return torch.from_numpy(np.flipud(alpha > 127.5).copy())
    _check_drawing(colors)
    return torch.from_numpy(np.flipud(colors.mean(0) > 127.5).copy())


def _check_drawing(colors: np.ndarray) -> None:
    """Refuse a photograph: much of it is colored, in more colors than a drawing has."""
    tint = np.ptp(colors, axis=0) > TINT
    steps = (colors[:, tint] // TINT).T
    if tint.mean() > TINTED_SHARE and len(np.unique(steps, axis=0)) > DRAWN_COLORS:
        raise ValueError(
            "a mask is drawn in black and white, but this picture has many colors, as a photograph has; save it as a "
            "picture of what is inside (white) and outside (black)"
        )


def _of_array(path: Path) -> Tensor:
    array = load_npy(path)
    if array.dtype.kind not in "biuf" or array.ndim not in {2, 3} or not array.size:
        raise ValueError(f"a mask is an array of two or three dimensions, not of shape {array.shape}")
    if not np.isin(array, (0, 1)).all():
        raise ValueError(
            "a mask has zeros and ones only: of a picture from 0 to 255 save picture > 127, of a signed distance d <= 0"
        )
    return torch.from_numpy(array.astype(bool))


def _corners(path: Path) -> Tensor:
    try:
        with warnings.catch_warnings():
            # Of an empty file it only warns; the polygon has too few corners then.
            warnings.simplefilter("ignore")
            rows = np.loadtxt(path, delimiter=",", ndmin=2)
    except ValueError:
        raise ValueError("corners are two numbers a line, with a comma between them") from None
    if len(rows) < 3 or rows.shape[1] != 2:
        raise ValueError(
            f"a polygon needs three or more corners of two coordinates, and the file has {len(rows)} of {rows.shape[1]}"
        )
    return torch.from_numpy(rows)


def _resized(mask: Tensor, sizes: Sequence[int]) -> Tensor:
    """The nearest nodes of another grid."""
    if not sizes or tuple(mask.shape) == tuple(sizes):
        return mask
    if mask.ndim != len(sizes):
        raise ValueError(f"it has {mask.ndim} dimensions, and the grid {len(sizes)}")
    for axis, size in enumerate(sizes):
        at = torch.linspace(0, mask.shape[axis] - 1, size).round().long()
        mask = mask.index_select(axis, at)
    return mask


def _of_mesh(path: Path, sizes: Sequence[int]) -> Tensor:
    require("trimesh", extra="mt-deeponet[stl]")
    import trimesh

    try:
        mesh = trimesh.load_mesh(path, file_type="stl")
    except Exception as error:
        raise ValueError("it is not an STL file") from error
    return voxelize(mesh, *sizes)


def voxelize(mesh: "trimesh.Trimesh", *sizes: int) -> Bool[Tensor, "..."]:
    """The nodes inside a closed mesh, which is scaled into the unit cube and centered, keeping its proportions.

    A node is inside if the ray from it upwards crosses the surface an odd number of times.

    Args:
        mesh: Of `trimesh`: its x is along columns, y along rows, z along layers.
        sizes: Rows, columns and layers; of a plane grid, rows and columns: it gets the slice at half the mesh's height.

    Returns:
        (rows, columns, layers), or (rows, columns).

    Raises:
        ValueError: if the mesh is empty or not closed.
    """
    if not len(mesh.faces) or not mesh.is_watertight:
        raise ValueError("the mesh is empty or not closed, so it has no inside: repair it first")
    low, high = (torch.from_numpy(np.array(bound)) for bound in mesh.bounds)
    scale = float((high - low)[: len(sizes)].max())
    corners = (torch.from_numpy(np.array(mesh.triangles)) - (low + high) / 2) / scale + 0.5
    rows, columns = sizes[:2]
    heights = torch.linspace(0, 1, sizes[2], dtype=torch.float64) if len(sizes) == 3 else torch.tensor([0.5]).double()
    # Rays that meet no edge, and planes of the grid that are in none of the mesh's.
    inner = 1 - 4 * NUDGE
    planes = nodes(rows, columns)
    at = 0.5 + (planes - 0.5) * inner + torch.tensor([1.1, 1.7]) * NUDGE
    crossed = torch.zeros(len(at), len(heights), dtype=torch.long)
    for part in corners.split(max(1, CHUNK // len(at))):
        crossed += _crossings(part, at, 0.5 + (heights - 0.5) * inner)
    mask = (crossed % 2 == 1).reshape(rows, columns, len(heights))
    return mask if len(sizes) == 3 else mask[..., 0]


def _crossings(triangles: Tensor, at: Tensor, heights: Tensor) -> Tensor:
    """How many triangles are above each height at each place."""
    a, b, c = triangles.unbind(1)
    first, second = b - a, c - a
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    usable = area.abs() > 1e-18
    a, first, second, area = (part[usable] for part in (a, first, second, area))
    to = at[:, None] - a[:, :2]
    s = (to[..., 0] * second[:, 1] - to[..., 1] * second[:, 0]) / area
    t = (first[:, 0] * to[..., 1] - first[:, 1] * to[..., 0]) / area
    hits = (s >= 0) & (t >= 0) & (s + t <= 1)
    z = a[:, 2] + s * first[:, 2] + t * second[:, 2]
    counts = torch.zeros(len(at), len(heights), dtype=torch.long)
    place, triangle = hits.nonzero(as_tuple=True)
    counts.index_add_(0, place, (z[place, triangle][:, None] > heights).long())
    return counts
