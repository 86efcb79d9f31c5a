"""Pictures of what was seen and what was completed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fixer3d.geometry.cameras import Intrinsics, look_at, project
from fixer3d.geometry.meshes import Mesh
from fixer3d.scenes.crops import resized
from fixer3d.scenes.rendering import Light, Renderer

BACKGROUND = 255
TURN = 50.0
"""Degrees between the two views of the result."""
RETREAT = 1.3
"""How much farther away the second view is."""
GAP = 4
"""Pixels between the pictures of a row."""


def middle(meshes: Sequence[Mesh]) -> Float[Tensor, "3"]:
    """The middle of some meshes, in double precision."""
    bounds = np.stack([mesh.bounds for mesh in meshes if len(mesh.vertices)])
    return torch.from_numpy((bounds[:, 0].min(0) + bounds[:, 1].max(0)) / 2).double()


def turned(
    c2w: Float[Tensor, "4 4"], center: Float[Tensor, "3"], degrees: float = TURN, retreat: float = RETREAT
) -> Float[Tensor, "4 4"]:
    """A camera's pose after it has gone around a point, about its own vertical, and back from it by a factor."""
    up = c2w[:3, 1]
    angle = torch.deg2rad(torch.tensor(degrees))
    cross = torch.linalg.cross(up.expand(3, 3), torch.eye(3), dim=-1).T
    turn = torch.eye(3) + angle.sin() * cross + (1 - angle.cos()) * cross @ cross
    pose = c2w.clone()
    pose[:3, :3] = turn @ c2w[:3, :3]
    pose[:3, 3] = center + retreat * turn @ (c2w[:3, 3] - center)
    return pose


def around(meshes: Sequence[Mesh], size: int) -> tuple[Intrinsics, Float[Tensor, "4 4"]]:
    """A camera that sees all of some meshes from the front and above, with z up."""
    bounds = np.stack([mesh.bounds for mesh in meshes if len(mesh.vertices)])
    low, high = bounds[:, 0].min(0), bounds[:, 1].max(0)
    center = torch.from_numpy((low + high) / 2).float()
    distance = 1.2 * float(np.linalg.norm(high - low)) + 1e-6
    eye = center + distance * torch.nn.functional.normalize(torch.tensor([0.6, -1.0, 0.6]), dim=0)
    return Intrinsics.from_fov(45.0, size, size), look_at(eye, center)


def draw_meshes(meshes: Sequence[Mesh], camera: Intrinsics, c2w: Float[Tensor, "4 4"]) -> UInt8[Tensor, "h w 3"]:
    """Meshes as a camera sees them, on white."""
    towards = (c2w[:3, 2] + 0.6 * c2w[:3, 1] + 0.3 * c2w[:3, 0]).double().numpy()
    light = Light(towards / np.linalg.norm(towards), 0.5, np.ones(3))
    return Renderer([mesh for mesh in meshes if len(mesh)]).render(camera, c2w, light).rgb


def draw_points(
    points: Float[Tensor, "n 3"], colors: Float[Tensor, "n 3"] | None, camera: Intrinsics, c2w: Float[Tensor, "4 4"]
) -> UInt8[Tensor, "h w 3"]:
    """Points as a camera sees them, on white; near ones cover those behind."""
    image = torch.full((camera.height, camera.width, 3), BACKGROUND, dtype=torch.uint8)
    places, depth = project(points, camera, c2w)
    shades = torch.full_like(points, 0.4) if colors is None else colors
    order = depth.argsort(descending=True)
    order = order[depth[order] > 0]
    radius = max(0, round(camera.width / 256))
    for i in range(-radius, radius + 1):
        for j in range(-radius, radius + 1):
            x, y = (places[order] + places.new_tensor([i, j])).floor().long().unbind(-1)
            inside = (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height)
            image[y[inside], x[inside]] = (shades[order][inside] * 255).round().clamp(0, 255).byte()
    return image


def row(images: Sequence[UInt8[Tensor, "h w 3"]], size: int) -> UInt8[Tensor, "size total 3"]:
    """Pictures beside one another, each within a square of a size."""
    gap = torch.full((size, GAP, 3), BACKGROUND, dtype=torch.uint8)
    parts = []
    for image in images:
        parts += [_squared(image, size), gap]
    return torch.cat(parts[:-1], 1)


def _squared(image: UInt8[Tensor, "h w 3"], size: int) -> UInt8[Tensor, "size size 3"]:
    h, w = image.shape[:2]
    side = max(h, w)
    square = torch.full((side, side, 3), BACKGROUND, dtype=torch.uint8)
    top, left = (side - h) // 2, (side - w) // 2
    square[top : top + h, left : left + w] = image
    return resized(square.permute(2, 0, 1), size).permute(1, 2, 0)


def save_picture(image: UInt8[Tensor, "h w 3"], path: Path) -> None:
    """Write a picture as PNG, whole or not at all.

    Raises:
        ValueError: if the suffix is another.
    """
    from PIL import Image

    from separata import files

    if path.suffix.lower() != ".png":
        raise ValueError(f"cannot write {path}: a picture is written as .png")
    with files.replacing(path) as part:
        Image.fromarray(image.contiguous().numpy()).save(part, format="PNG")
