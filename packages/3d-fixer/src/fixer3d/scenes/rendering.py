"""Images of a scene by ray casting: color under one light, planar depth, and what each pixel shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from fixer3d.geometry.cameras import Intrinsics, rays
from fixer3d.geometry.libraries import open3d
from fixer3d.geometry.meshes import Mesh, combine
from fixer3d.geometry.surfaces import GRAY

from .layout import Room

NOTHING, WALL, FLOOR_INDEX, FIRST_OBJECT = 0, 1, 2, 3
"""What a pixel shows, as the index images of scenes say it."""
GAMMA = 2.2
"""Of a display."""


@dataclass(frozen=True, eq=False)
class View:
    """A scene as a camera sees it.

    Args:
        rgb: The image.
        depth: Planar depth along the camera's axis; 0 where nothing is hit.
        index: 0 nothing, 1 wall, 2 floor, from 3 the objects in order.
        intrinsics: The camera.
        c2w: Its pose, OpenGL.
    """

    rgb: UInt8[Tensor, "h w 3"]
    depth: Float[Tensor, "h w"]
    index: Int[Tensor, "h w"]
    intrinsics: Intrinsics
    c2w: Float[Tensor, "4 4"]

    def mask(self, number: int) -> Bool[Tensor, "h w"]:
        """Where an object is seen, by its number in the scene, from 0."""
        return self.index == number + FIRST_OBJECT

    def visible(self, min_area: float = 0.005) -> list[int]:
        """Numbers of the objects that cover at least this part of the image."""
        counts = torch.bincount(self.index.flatten(), minlength=FIRST_OBJECT)[FIRST_OBJECT:]
        return [
            number for number, count in enumerate(counts.tolist()) if count >= max(1, min_area * self.index.numel())
        ]


@dataclass(frozen=True)
class Light:
    """Sunlight, and light from everywhere.

    Args:
        direction: Towards the sun, of length 1.
        ambient: Share of the light that comes from everywhere.
        sky: Color where nothing is hit.
    """

    direction: Float[np.ndarray, "3"]
    ambient: float
    sky: Float[np.ndarray, "3"]


def random_light(rng: np.random.Generator) -> Light:
    """A sun between 35 and 80 degrees above the horizon."""
    height, yaw = np.radians(rng.uniform(35, 80)), rng.uniform(0, 2 * np.pi)
    direction = np.array([np.cos(yaw) * np.cos(height), np.sin(yaw) * np.cos(height), np.sin(height)])
    return Light(direction, rng.uniform(0.35, 0.55), np.repeat(rng.uniform(0.75, 1.0), 3))


@dataclass(frozen=True)
class _Hits:
    """What rays hit: their parameter, the surface's normal and color, and the index of it."""

    t: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    index: np.ndarray


class Renderer:
    """Casts rays at meshes, and at a room around them.

    Args:
        meshes: Objects in the world.
        room: The floor and walls; none where it is left out.
        obstacles: What else stands there; in the index it is wall.

    Raises:
        ModuleNotFoundError: if Open3D is not installed.
    """

    def __init__(self, meshes: Sequence[Mesh], room: Room | None = None, obstacles: Sequence[Mesh] = ()) -> None:
        owners = [*range(FIRST_OBJECT, FIRST_OBJECT + len(meshes)), *(WALL for _ in obstacles)]
        meshes = [*meshes, *obstacles]
        whole = combine(meshes)
        self.room = room
        self.faces = whole.faces
        self.owners = np.repeat(np.array(owners, int), [len(mesh) for mesh in meshes])
        colors = [np.full(mesh.vertices.shape, GRAY) if mesh.colors is None else mesh.colors for mesh in meshes]
        self.colors = np.concatenate([np.zeros((0, 3)), *colors]).astype(np.float32)
        core = open3d().core
        self._tensor = core.Tensor
        self._scene = open3d().t.geometry.RaycastingScene(nthreads=1)
        if len(whole):
            vertices = core.Tensor(np.ascontiguousarray(whole.vertices, np.float32))
            self._scene.add_triangles(vertices, core.Tensor(np.ascontiguousarray(whole.faces, np.uint32)))

    def depth(self, intrinsics: Intrinsics, c2w: Float[Tensor, "4 4"]) -> Float[Tensor, "h w"]:
        """Planar depth of the meshes and the room; 0 where nothing is hit."""
        t = self._cast(*_flat_rays(intrinsics, c2w)).t
        return _image(np.where(np.isfinite(t), t, 0), intrinsics).float()

    def render(self, intrinsics: Intrinsics, c2w: Float[Tensor, "4 4"], light: Light, supersampling: int = 2) -> View:
        """Color, depth and index of each pixel.

        Args:
            intrinsics: The camera.
            c2w: Its pose.
            light: Lights the surfaces by Lambert's law, with shadows.
            supersampling: Rays along each side of a pixel for its color; depth and index are those of its center.
        """
        hits = self._cast(*_flat_rays(intrinsics, c2w))
        t = _image(np.where(np.isfinite(hits.t), hits.t, 0), intrinsics).float()
        fine = intrinsics.resized(intrinsics.width * supersampling, intrinsics.height * supersampling)
        eye, directions = _flat_rays(fine, c2w)
        shaded = self._shade(eye, directions, self._cast(eye, directions), light)
        shape = (intrinsics.height, supersampling, intrinsics.width, supersampling, 3)
        rgb = (shaded.reshape(shape).mean((1, 3)) * 255).round().clip(0, 255).astype(np.uint8)
        return View(torch.from_numpy(rgb), t, _image(hits.index, intrinsics), intrinsics, c2w.float())

    def _cast(self, eye: np.ndarray, directions: np.ndarray) -> _Hits:
        """Where rays meet the meshes or the room first; their parameter is planar depth."""
        found = self._scene.cast_rays(self._tensor(_rays(eye, directions)))
        t = found["t_hit"].numpy()
        n = len(t)
        normals, colors = np.zeros((n, 3), np.float32), np.zeros((n, 3), np.float32)
        index = np.zeros(n, np.int64)
        hit = np.flatnonzero(np.isfinite(t))
        triangle = found["primitive_ids"].numpy()[hit].astype(np.int64)
        u, v = found["primitive_uvs"].numpy()[hit].T
        weights = np.stack([1 - u - v, u, v], 1)
        normals[hit] = found["primitive_normals"].numpy()[hit]
        colors[hit] = np.einsum("nk,nkc->nc", weights, self.colors[self.faces[triangle]])
        index[hit] = self.owners[triangle]
        hits = _Hits(t, normals, colors, index)
        if self.room is not None:
            _add_room(hits, self.room, eye, directions)
        return hits

    def _shade(self, eye: np.ndarray, directions: np.ndarray, hits: _Hits, light: Light) -> np.ndarray:
        """Colors by Lambert's law: light from everywhere, a little more from above, and the sun where it is seen."""
        hit = np.isfinite(hits.t)
        side = np.where(np.einsum("nd,nd->n", hits.normals, directions) > 0, -1, 1).astype(np.float32)
        normals = hits.normals * side[:, None]
        points = eye + directions * np.where(hit, hits.t, 0)[:, None] + np.float32(1e-3) * normals
        sun = light.direction.astype(np.float32)
        shadow = self._scene.test_occlusions(self._tensor(_rays(points, sun))).numpy()
        direct = (normals @ sun).clip(0) * ~shadow
        strength = light.ambient * (0.85 + 0.15 * normals[:, 2]) + (1 - light.ambient) * direct
        # Albedos are display values, light is linear.
        return np.where(hit[:, None], hits.colors * (strength ** (1 / GAMMA))[:, None], light.sky)


def _add_room(hits: _Hits, room: Room, eye: np.ndarray, directions: np.ndarray) -> None:
    """Put the floor and walls where they are closer than what rays hit so far."""
    half, floor = room.size / 2, float(room.offsets[4])
    low, high = np.array([-half, -half, floor]), np.array([half, half, floor + room.height])
    for side in np.flatnonzero(room.shown(eye)):
        normal = room.normals[side]
        axis = int(np.abs(normal).argmax())
        with np.errstate(divide="ignore"):
            t = np.float32(room.offsets[side] * normal[axis] - eye[axis]) / directions[:, axis]
        near = np.flatnonzero((t > 0) & (t < hits.t))
        for other in {0, 1, 2} - {axis}:
            position = np.float32(eye[other]) + t[near] * directions[near, other]
            near = near[(position >= low[other]) & (position <= high[other])]
        hits.t[near], hits.normals[near], hits.colors[near] = t[near], normal, room.colors[side]
        hits.index[near] = FLOOR_INDEX if axis == 2 else WALL


def _flat_rays(intrinsics: Intrinsics, c2w: Tensor) -> tuple[np.ndarray, np.ndarray]:
    eye, directions = rays(intrinsics, c2w.float())
    return eye.numpy(), directions.reshape(-1, 3).numpy()


def _rays(origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Rays as Open3D takes them."""
    found = np.empty((max(origins.size, directions.size) // 3, 6), np.float32)
    found[:, :3], found[:, 3:] = origins, directions
    return found


def _image(values: np.ndarray, intrinsics: Intrinsics) -> Tensor:
    return torch.from_numpy(values.reshape(intrinsics.height, intrinsics.width))
