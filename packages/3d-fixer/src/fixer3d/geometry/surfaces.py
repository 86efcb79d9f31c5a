"""Surfaces nearest to points, with their colors, and how far the colors of a mesh are from the true ones."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .distances import nearest
from .libraries import open3d
from .meshes import Mesh

GRAY = 0.7
"""Albedo of a mesh without colors."""


@dataclass(frozen=True)
class SurfacePoints:
    """Points of a surface.

    Args:
        positions: Where they are.
        normals: Of the triangles that they lie on, of length 1.
        colors: Red, green and blue in [0, 1], interpolated between the corners of the triangles.
    """

    positions: Float[Tensor, "n 3"]
    normals: Float[Tensor, "n 3"]
    colors: Float[Tensor, "n 3"]


@dataclass(frozen=True)
class ColorReport:
    """Mean absolute errors of the colors of a mesh's vertices, in [0, 1].

    Args:
        all: Over all vertices.
        hidden: Over those that the image does not show; NaN if there is none.
        n_hidden: How many these are.
    """

    all: float
    hidden: float
    n_hidden: int


def nearest_surface(mesh: Mesh, points: Float[Tensor, "n 3"]) -> SurfacePoints:
    """The point of a surface that is nearest to each point.

    Args:
        mesh: The surface; gray where it has no colors.
        points: Where to look from.

    Raises:
        ValueError: if the mesh has no triangle.
        ModuleNotFoundError: if Open3D is not installed.
    """
    if not len(mesh):
        raise ValueError("the mesh has no triangle to be near to")
    core = open3d().core
    scene = open3d().t.geometry.RaycastingScene(nthreads=1)
    corners = core.Tensor(np.ascontiguousarray(mesh.vertices, np.float32))
    scene.add_triangles(corners, core.Tensor(np.ascontiguousarray(mesh.faces, np.uint32)))
    found = scene.compute_closest_points(core.Tensor(points.detach().cpu().float().contiguous().numpy()))
    u, v = found["primitive_uvs"].numpy().T
    faces = mesh.faces[found["primitive_ids"].numpy().astype(np.int64)]
    colors = np.full(mesh.vertices.shape, GRAY) if mesh.colors is None else mesh.colors
    mixed = np.einsum("nk,nkc->nc", np.stack([1 - u - v, u, v], 1), colors[faces])
    parts = found["points"].numpy(), found["primitive_normals"].numpy(), mixed
    return SurfacePoints(*(torch.from_numpy(np.array(part, np.float32)) for part in parts))


def color_error(mesh: Mesh, truth: Mesh, visible: Float[Tensor, "n 3"], reach: float) -> ColorReport:
    """How far the colors of a mesh's vertices are from those of the true surface nearest to each.

    Args:
        mesh: A mesh with colors.
        truth: The true object at the same place, with colors.
        visible: Points of the object that the image shows.
        reach: A vertex is hidden if it is farther than this from every visible point.

    Raises:
        ValueError: if the mesh has no colors or no vertex, or the truth no triangle.
    """
    if mesh.colors is None or not len(mesh.vertices):
        raise ValueError("the mesh has no colors to compare")
    vertices = torch.from_numpy(mesh.vertices).float()
    errors = (torch.from_numpy(mesh.colors).float() - nearest_surface(truth, vertices).colors).abs().mean(1)
    hidden = nearest(vertices[None], visible[None].to(vertices))[0][0] > reach
    return ColorReport(float(errors.mean()), float(errors[hidden].mean()), int(hidden.sum()))
