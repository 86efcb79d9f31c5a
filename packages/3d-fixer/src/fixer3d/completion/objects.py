"""Completed objects, and the files that hold them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fixer3d.geometry.distances import nearest
from fixer3d.geometry.frames import Frame
from fixer3d.geometry.meshes import Mesh, save_glb, save_mesh

SCENE, VISIBLE = "scene.glb", "visible.ply"


@dataclass(frozen=True)
class CompletedObject:
    """An object that was completed at its place.

    Args:
        name: Its name.
        mesh: In the world, each vertex in the color of the nearest visible point, or where that is far, a decoded one.
        voxels: Occupancy in its frame.
        frame: From the cube of its voxels to the world.
        coarse: The frame of the coarse stage in the world; that of the fine stage is within it.
    """

    name: str
    mesh: Mesh
    voxels: Bool[Tensor, "R R R"]
    frame: Frame
    coarse: Frame


def colored(mesh: Mesh, points: Float[Tensor, "n 3"], colors: Float[Tensor, "n 3"] | None) -> Mesh:
    """A mesh with the color of the nearest point at each vertex; as it is where there are no colors."""
    if colors is None or not len(mesh.vertices):
        return mesh
    vertices = torch.from_numpy(mesh.vertices).to(points.dtype)
    found = nearest(vertices[None], points[None].cpu())[1][0]
    return Mesh(mesh.vertices, mesh.faces, colors.cpu()[found].double().numpy())


def save_objects(objects: Sequence[CompletedObject], folder: Path, *, ply: bool = True) -> list[Path]:
    """Write `scene.glb`, with a named node for each object in world coordinates, and a PLY file for each.

    Files are named by `file_names`.

    Raises:
        ValueError: if no object has a triangle.
        PermissionError: if the folder cannot be written to.
    """
    named = {one.name: one.mesh for one in objects if len(one.mesh)}
    save_glb(named, folder / SCENE)
    paths = [folder / SCENE]
    if ply:
        stems = file_names(named)
        for name, mesh in named.items():
            paths.append(folder / f"{stems[name]}.ply")
            save_mesh(mesh, paths[-1])
    return paths


def file_names(names: Iterable[str]) -> dict[str, str]:
    """A file name, without suffix, for each of several names, all different, also where upper case does not count.

    Where two would be the same, or one is that of the visible points, it has a number at its end.
    """
    found: dict[str, str] = {}
    taken = {Path(VISIBLE).stem}
    for name in names:
        stem = own = file_name(name)
        number = 2
        while stem.casefold() in taken:
            stem, number = f"{own}_{number}", number + 1
        taken.add(stem.casefold())
        found[name] = stem
    return found


def file_name(name: str) -> str:
    """A name that any file system takes."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "object"
