"""Where objects and cameras of a scene stand, as in the paper's scene generator."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fixer3d.configs import SceneConfig
from fixer3d.geometry.cameras import Intrinsics, look_at
from fixer3d.geometry.meshes import Mesh

FLOOR = -0.5
"""Height of the floor."""
RADIUS = 12**0.5 / 2
"""Of the sphere that a camera sees whole: half the diagonal of a cube with side 2."""
NEAREST = RADIUS / np.sin(np.radians(35))
FARTHEST = RADIUS / np.sin(np.radians(10))
CLEARANCE = 0.3
"""No camera is closer to the bounding box of an object."""


@dataclass(frozen=True)
class Placement:
    """Where a normalized object stands in the world: `x -> scale R_z(yaw) x + translation`.

    Args:
        scale: Longest side of the object.
        yaw: Turn around the vertical, in radians.
        translation: Its middle.
    """

    scale: float
    yaw: float
    translation: tuple[float, float, float]

    @property
    def matrix(self) -> Float[np.ndarray, "3 3"]:
        """The linear part of the map."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return self.scale * np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])

    def apply(self, mesh: Mesh) -> Mesh:
        """The mesh in its place."""
        return mesh.mapped(self.matrix, np.array(self.translation, float))


def place(meshes: Sequence[Mesh], config: SceneConfig, rng: np.random.Generator) -> list[Placement | None]:
    """Drop objects on the floor, one after the other, each at random where its bounding box meets no other's.

    Args:
        meshes: Normalized objects.
        config: The floor, sizes, and how often an object is tried.
        rng: Draws the places.

    Returns:
        A placement for each, or None where no room was found.
    """
    taken: list[np.ndarray] = []
    placements: list[Placement | None] = []
    for mesh in meshes:
        found = _find_room(mesh, taken, config, rng)
        placements.append(found)
        if found is not None:
            taken.append(found.apply(mesh).bounds)
    return placements


def _find_room(mesh: Mesh, taken: list[np.ndarray], config: SceneConfig, rng: np.random.Generator) -> Placement | None:
    for _ in range(config.n_tries):
        scale, yaw = rng.uniform(*config.scale), rng.uniform(0, 2 * np.pi)
        low, high = Placement(scale, yaw, (0, 0, 0)).apply(mesh).bounds
        least, most = -config.floor_size / 2 - low[:2], config.floor_size / 2 - high[:2]
        if (least > most).any():
            continue
        x, y = rng.uniform(least, most)
        shift = np.array([x, y, FLOOR - low[2]])
        if not any(_overlap(np.stack([low, high]) + shift, other) for other in taken):
            return Placement(float(scale), float(yaw), (float(x), float(y), float(shift[2])))
    return None


def _overlap(first: np.ndarray, second: np.ndarray) -> bool:
    return bool(((first[0] < second[1]) & (second[0] < first[1])).all())


def cameras(
    n: int, image_size: int, boxes: Sequence[Float[np.ndarray, "2 3"]], rng: np.random.Generator
) -> list[tuple[Intrinsics, Float[Tensor, "4 4"]]]:
    """Cameras on the upper hemisphere that look at the origin, and see the unit cube around it whole.

    Directions are a jittered Hammersley sequence; the inverse square of the distance is uniform.

    Args:
        n: How many.
        image_size: Pixels of each side of their images.
        boxes: Bounding boxes that a camera stays away from.
        rng: Draws directions and distances.
    """
    offsets = rng.random(2)
    found = []
    for i in range(n):
        for _ in range(100):
            eye = _eye(i, n, offsets, rng)
            if not any(_is_near(eye, box) for box in boxes):
                break
        fov = 2 * np.degrees(np.arcsin(RADIUS / np.linalg.norm(eye)))
        pose = look_at(torch.from_numpy(eye), torch.zeros(3, dtype=torch.double)).float()
        found.append((Intrinsics.from_fov(float(fov), image_size, image_size), pose))
    return found


def _eye(i: int, n: int, offsets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A position in the i-th of n strata."""
    height = (i + rng.random()) / n
    yaw = 2 * np.pi * (_radical_inverse(i) + offsets[1] + rng.uniform(-0.5, 0.5) / n)
    ring = np.sqrt(1 - height**2)
    radius = rng.uniform(1 / FARTHEST**2, 1 / NEAREST**2) ** -0.5
    return radius * np.array([ring * np.cos(yaw), ring * np.sin(yaw), height])


def _radical_inverse(i: int) -> float:
    """The binary digits of a number, mirrored at the point."""
    return int(f"{i:032b}"[::-1], 2) / 2**32


def _is_near(eye: np.ndarray, box: np.ndarray) -> bool:
    return bool(((eye > box[0] - CLEARANCE) & (eye < box[1] + CLEARANCE)).all())


@dataclass(frozen=True)
class Room:
    """The floor and four walls, of which some are left out.

    Args:
        size: Side of the floor.
        is_there: The walls at -x, +x, -y and +y, and the floor.
        colors: Albedo of each.
    """

    size: float
    is_there: Bool[np.ndarray, "5"]
    colors: Float[np.ndarray, "5 3"]

    @property
    def height(self) -> float:
        """Of the walls."""
        return self.size * 0.6

    @property
    def normals(self) -> Float[np.ndarray, "5 3"]:
        """Of each, into the room."""
        return np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]])

    @property
    def offsets(self) -> Float[np.ndarray, "5"]:
        """The planes are `normal @ x = offset`."""
        half = self.size / 2
        return np.array([-half, -half, -half, -half, FLOOR])

    def shown(self, eye: Float[np.ndarray, "3"], margin: float = 0.5) -> Bool[np.ndarray, "5"]:
        """Which are seen from there: a camera behind a wall, or closer than the margin, looks through it."""
        inside = self.normals @ eye - self.offsets > margin
        inside[4] = eye[2] > FLOOR
        return self.is_there & inside
