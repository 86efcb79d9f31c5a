"""Objects of one's own, each half hidden behind a board: a test of completion whose truth is known."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fixer3d.configs import MAX_OBJECTS
from fixer3d.geometry.cameras import Intrinsics, look_at, rays
from fixer3d.geometry.meshes import Mesh

from .categories import painted, random_albedo
from .generation import SceneObject, SyntheticScene
from .layout import FLOOR, Placement, Room
from .primitives import box
from .rendering import Light, Renderer

SPACING = 1.5
"""Between the middles of neighbors, whose longest side is 1."""
CLEARANCE, THICKNESS = 0.08, 0.03
"""Between an object and its board, and of a board."""
HEIGHT = 25.0
"""Degrees of the camera above the floor."""
FOV = 40.0
LIGHT = Light(np.array([-0.35, -0.6, 0.72]), 0.5, np.ones(3))
WOOD = np.array([0.72, 0.6, 0.45])


def half_hidden(
    meshes: Mapping[str, Mesh], *, hidden: float = 0.5, image_size: int = 256, seed: int = 0
) -> SyntheticScene:
    """Stand objects in a row on a floor, each behind a board that hides the lower part of it from the only camera.

    Args:
        meshes: Objects with z up, by name, of any size; those without colors get one.
        hidden: Share of an object's pixels that its board hides, to a row of pixels.
        image_size: Pixels along the width of the image; its height is less for more than two objects. A long row needs
            a wide image.
        seed: Draws how each object is turned about the vertical, and its color.

    Returns:
        A scene with the objects; boards and floor belong to no object.

    Raises:
        ValueError: if there is no object or more than an index image can hold, one has no extent or no pixel, or the
            share is not between 0 and 1.
    """
    if not meshes:
        raise ValueError("there is no mesh to hide")
    if len(meshes) > MAX_OBJECTS:
        raise ValueError(f"a scene has at most {MAX_OBJECTS} objects, not {len(meshes)}")
    if image_size < 1:
        raise ValueError(f"the image must be at least 1 pixel wide, not {image_size}")
    if not 0 < hidden < 1:
        raise ValueError(f"the hidden share must be between 0 and 1, not {hidden}")
    rng = np.random.default_rng(seed)
    objects, placements = [], []
    for k, (name, given) in enumerate(meshes.items()):
        mesh = _prepared(name, given, random_albedo(rng))
        yaw, x = float(rng.uniform(0, 2 * np.pi)), SPACING * (k - (len(meshes) - 1) / 2)
        low = Placement(1.0, yaw, (0, 0, 0)).apply(mesh).bounds[0]
        placements.append(Placement(1.0, yaw, (x, 0.0, float(FLOOR - low[2]))))
        objects.append(SceneObject(name, name, placements[-1].apply(mesh)))
    intrinsics, c2w = _camera(len(meshes), image_size)
    boards = [_board(one, hidden, intrinsics, c2w) for one in objects]
    floor = Room(SPACING * len(meshes) + 4, np.array([False] * 4 + [True]), np.full((5, 3), 0.8))
    view = Renderer([one.mesh for one in objects], floor, boards).render(intrinsics, c2w, LIGHT)
    return SyntheticScene(tuple(objects), (view,), tuple(placements), seed)


def _prepared(name: str, mesh: Mesh, color: np.ndarray) -> Mesh:
    """A mesh at one size, with a color if it has none."""
    try:
        normal = mesh.normalized()
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return painted(normal, color) if mesh.colors is None else normal


def _camera(n: int, image_size: int) -> tuple[Intrinsics, Float[Tensor, "4 4"]]:
    """A camera before the middle of a row of n that sees all of it."""
    intrinsics = Intrinsics.from_fov(FOV, image_size, round(image_size * min(1, 2 / n)))
    distance = (SPACING * n / 2 + 0.2) / np.tan(np.radians(FOV / 2)) + 0.7
    angle = np.radians(HEIGHT)
    eye = torch.tensor([0.0, -distance * np.cos(angle), distance * np.sin(angle)])
    return intrinsics, look_at(eye, torch.zeros(3, dtype=torch.double)).float()


def _board(one: SceneObject, hidden: float, intrinsics: Intrinsics, c2w: Float[Tensor, "4 4"]) -> Mesh:
    """A board before an object whose upper edge is where a share of the object's pixels is below it."""
    mesh = one.mesh
    rows = np.flatnonzero(Renderer([mesh]).depth(intrinsics, c2w).numpy() > 0) // intrinsics.width
    if not len(rows):
        raise ValueError(f"{one.name}: it covers no pixel of an image that is {intrinsics.width} wide; make it wider")
    # The rays of a row all meet a plane that faces the camera at the same height.
    row = int(np.quantile(rows, 1 - hidden))
    origin, directions = rays(intrinsics, c2w)
    near = mesh.bounds[0, 1] - CLEARANCE
    _, y, z = directions[row, intrinsics.width // 2]
    top = float(origin[2] + z * (near - origin[1]) / y)
    eye = origin.double().numpy()
    seen = eye[0] + (mesh.vertices[:, 0] - eye[0]) * (near - eye[1]) / (mesh.vertices[:, 1] - eye[1])
    left, right = seen.min() - CLEARANCE, seen.max() + CLEARANCE
    size, middle = (right - left, THICKNESS, top - FLOOR), (left + right) / 2
    board = box(size, (middle, near - THICKNESS / 2, (top + FLOOR) / 2))
    return painted(board, WOOD)
