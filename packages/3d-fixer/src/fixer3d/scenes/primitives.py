"""Closed surfaces of which objects are built: boxes, surfaces of revolution and tubes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from fixer3d.geometry.meshes import Mesh

Numbers = Sequence[float] | np.ndarray
"""A position, a size, or a radius at each point."""

_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_QUADS = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]


def _triangles(quads: np.ndarray) -> np.ndarray:
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def box(size: Numbers, center: Numbers = (0, 0, 0), taper: float = 1.0) -> Mesh:
    """A box.

    Args:
        size: Its sides.
        center: Its middle.
        taper: How much wider or narrower it is at the top than at the bottom.
    """
    vertices = _CORNERS * np.asarray(size, float)
    vertices[_CORNERS[:, 2] > 0, :2] *= taper
    return Mesh(vertices + np.asarray(center, float), _triangles(np.array(_QUADS)))


def revolved(profile: Sequence[tuple[float, float]], n: int = 24) -> Mesh:
    """The surface that a line turns around the z axis.

    Args:
        profile: Radius and height of each corner of the line, counterclockwise with the axis on the left: a cylinder is
            (0, 0), (r, 0), (r, h), (0, h). It begins and ends on the axis.
        n: Corners of each circle.
    """
    angles = np.arange(n) * 2 * np.pi / n
    radii, heights = np.asarray(profile[1:-1], float).T
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    body = np.concatenate([radii[:, None, None] * ring, np.broadcast_to(heights[:, None, None], (len(radii), n, 1))], 2)
    ends = [[0, 0, profile[0][1]], [0, 0, profile[-1][1]]]
    vertices = np.concatenate([body.reshape(-1, 3), ends])
    first, last = len(vertices) - 2, len(vertices) - 1
    here, there = np.arange(n), (np.arange(n) + 1) % n
    top = (len(radii) - 1) * n
    caps = [np.stack([np.full(n, first), there, here], 1), np.stack([np.full(n, last), top + here, top + there], 1)]
    return Mesh(vertices, np.concatenate([_rings(len(radii), n), *caps]))


def cylinder(radius: float, height: float, center: Numbers = (0, 0, 0), top: float | None = None) -> Mesh:
    """A cylinder along z, or a cut cone where the radius `top` is another."""
    upper = radius if top is None else top
    mesh = revolved([(0, -height / 2), (radius, -height / 2), (upper, height / 2), (0, height / 2)])
    return replace(mesh, vertices=mesh.vertices + np.asarray(center, float))


def ellipsoid(radii: Numbers, center: Numbers = (0, 0, 0), n: int = 24) -> Mesh:
    """An ellipsoid with axes along x, y and z."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, n // 2 + 1)
    mesh = revolved([(float(np.cos(a)), float(np.sin(a))) for a in angles], n)
    return replace(mesh, vertices=mesh.vertices * np.asarray(radii, float) + np.asarray(center, float))


def cushion(size: Numbers, center: Numbers = (0, 0, 0), roundness: float = 0.35, n: int = 24) -> Mesh:
    """A box with round edges and corners: a superellipsoid.

    Args:
        size: Its sides.
        center: Its middle.
        roundness: From 0, a box, to 1, an ellipsoid.
        n: Corners of its widest section.
    """
    mesh = ellipsoid((1, 1, 1), n=n)
    # Turned by half a step, so that the edges of the box lie in the middle of faces and are cut evenly.
    around = np.arctan2(mesh.vertices[:, 1], mesh.vertices[:, 0]) + np.pi / n
    up = np.arcsin(mesh.vertices[:, 2].clip(-1, 1))
    ring = _power(np.cos(up), roundness)
    shape = [_power(np.cos(around), roundness) * ring, _power(np.sin(around), roundness) * ring]
    vertices = np.stack([*shape, _power(np.sin(up), roundness)], 1)
    return replace(mesh, vertices=vertices * np.asarray(size, float) / 2 + np.asarray(center, float))


def _power(x: np.ndarray, exponent: float) -> np.ndarray:
    return np.sign(x) * np.abs(x) ** exponent


def tube(path: Float[np.ndarray, "k 3"], radius: float | Numbers, n: int = 10, *, closed: bool = False) -> Mesh:
    """A round tube along a path, with flat ends; a torus where the path is closed.

    Args:
        path: Points in order, no two neighbors the same.
        radius: Of the tube, everywhere or at each point.
        n: Corners of its section.
        closed: Whether the last point is joined to the first.
    """
    tangents = _tangents(path, closed=closed)
    normal, binormal = _sections(tangents)
    angles = np.arange(n) * 2 * np.pi / n
    offsets = np.cos(angles)[:, None] * normal[:, None] + np.sin(angles)[:, None] * binormal[:, None]
    radii = np.broadcast_to(np.asarray(radius, float), len(path))
    vertices = (path[:, None] + radii[:, None, None] * offsets).reshape(-1, 3)
    if closed:
        return Mesh(vertices, _rings(len(path) + 1, n) % len(vertices))
    here, there = np.arange(n), (np.arange(n) + 1) % n
    start, end, last = len(vertices), len(vertices) + 1, (len(path) - 1) * n
    caps = [np.stack([np.full(n, start), there, here], 1), np.stack([np.full(n, end), last + here, last + there], 1)]
    return Mesh(np.concatenate([vertices, path[[0, -1]]]), np.concatenate([_rings(len(path), n), *caps]))


def rod(start: Numbers, end: Numbers, radius: float | Numbers, n: int = 10) -> Mesh:
    """A straight round rod."""
    return tube(np.array([start, end], float), radius, n)


def torus(radius: float, thickness: float, n: int = 24) -> Mesh:
    """A ring around the z axis: `radius` to the middle of the tube, whose radius is `thickness`."""
    angles = np.arange(n) * 2 * np.pi / n
    circle = np.stack([np.cos(angles), np.sin(angles), np.zeros(n)], 1)
    return tube(radius * circle, thickness, closed=True)


def _rings(n_rings: int, n: int) -> np.ndarray:
    """Triangles between neighboring rings of n corners each."""
    ring, corner = np.meshgrid(np.arange(n_rings - 1), np.arange(n), indexing="ij")
    here, there = ring * n + corner, ring * n + (corner + 1) % n
    return _triangles(np.stack([here, there, there + n, here + n], -1).reshape(-1, 4))


def _tangents(path: np.ndarray, *, closed: bool) -> np.ndarray:
    steps = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    return steps / np.linalg.norm(steps, axis=1, keepdims=True)


def _sections(tangents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two axes across the path at each point, carried along it without twisting."""
    first = np.eye(3)[np.abs(tangents[0]).argmin()]
    normals = []
    for tangent in tangents:
        first = first - tangent * (first @ tangent)
        first = first / np.linalg.norm(first)
        normals.append(first)
    normal = np.stack(normals)
    return normal, np.cross(tangents, normal)
