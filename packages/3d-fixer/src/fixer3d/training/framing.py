"""Partial clouds and their targets in the frames of the two stages, augmented alike."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from fixer3d.configs import BLOCK, AugmentConfig, FrameKind
from fixer3d.geometry.frames import Frame, coarse_frame, fine_frame
from fixer3d.geometry.meshes import Mesh
from fixer3d.geometry.voxels import space_to_depth, voxelize, voxelize_mesh

COARSE_LIMIT = 0.25
"""Partial points beyond this are left out of the coarse frame: they are at the edge of a mask, where depth bleeds."""
OVERHANG = 0.15
"""What lies so far outside the cube is moved to its faces: the fine frame goes through centers of voxels, so half of a
coarse voxel of the object is outside at both ends."""
FINE_LIMIT = 0.5 + OVERHANG
"""Partial points beyond this are left out of the fine frame."""
SLACK = 1e-4
JITTER_SHIFT, JITTER_SCALE = 0.05, 0.1
"""Of the fine frame in training, which is the true one there, but a predicted one later. Scale and shift of an
augmentation cancel in it; these take their place."""


@dataclass(frozen=True)
class Partial:
    """Visible voxels.

    Args:
        occupancy: Voxels that hold visible points.
        confidence: Their mean confidence, from space to channels.
    """

    occupancy: Float[Tensor, "R R R"]
    confidence: Float[Tensor, "k r r r"]


@dataclass(frozen=True)
class Augmentation:
    """A map `x -> matrix x + shift`.

    Args:
        matrix: Rotation times scale.
        shift: In units of the frame.
    """

    matrix: Float[Tensor, "3 3"]
    shift: Float[Tensor, "3"]

    def __call__(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Map points."""
        return points @ self.matrix.T.to(points) + self.shift.to(points)

    def inverse(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Map points back."""
        return (points - self.shift.to(points)) @ torch.linalg.inv(self.matrix).T.to(points)

    def mesh(self, mesh: Mesh) -> Mesh:
        """Map a mesh."""
        return replace(mesh, vertices=self(torch.from_numpy(mesh.vertices)).numpy())


def draw_augmentation(config: AugmentConfig, generator: torch.Generator) -> Augmentation:
    """Random angles about z, y and x, in this order, a random scale and a random shift; up is z."""
    draws = torch.rand(7, generator=generator, dtype=torch.double)
    largest = torch.tensor([config.yaw, config.tilt, config.tilt], dtype=torch.double).deg2rad()
    angles = ((2 * draws[:3] - 1) * largest).tolist()
    low, high = config.scale
    scale = low + (high - low) * float(draws[3])
    rotation = turn(0, angles[2]) @ turn(1, angles[1]) @ turn(2, angles[0])
    return Augmentation(scale * rotation, (2 * draws[4:] - 1) * config.shift)


def turn(axis: int, angle: float) -> Float[Tensor, "3 3"]:
    """The rotation about an axis."""
    i, j = (k for k in range(3) if k != axis)
    sign = -1 if axis == 1 else 1
    matrix = torch.eye(3, dtype=torch.double)
    matrix[i, i] = matrix[j, j] = math.cos(angle)
    matrix[i, j], matrix[j, i] = -sign * math.sin(angle), sign * math.sin(angle)
    return matrix


def within(
    points: Float[Tensor, "n 3"], confidence: Float[Tensor, "n"], limit: float
) -> tuple[Float[Tensor, "m 3"], Float[Tensor, "m"]]:
    """Points of a cube around the origin, and their confidence."""
    inside = (points.abs() <= limit + SLACK).all(1)
    return points[inside], confidence[inside]


def partial_voxels(
    points: Float[Tensor, "n 3"], confidence: Float[Tensor, "n"], resolution: int, block: int = BLOCK
) -> Partial:
    """The voxels of a partial cloud in its frame."""
    occupancy, mean = voxelize(points, resolution, confidence)
    return Partial(occupancy, space_to_depth(mean, block))


@dataclass(frozen=True)
class Framed:
    """An object in the frame of a stage.

    Args:
        mesh: The whole object in the frame.
        occupancy: Its voxels.
        partial: Those of its visible part.
        coarse: The coarse frame in the world.
        augment: What was done in the coarse frame.
        fine: The fine frame in the augmented coarse one; the identity in the coarse stage.
    """

    mesh: Mesh
    occupancy: Float[Tensor, "R R R"]
    partial: Partial
    coarse: Frame
    augment: Augmentation
    fine: Frame

    def to_world(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Where points of the frame are in the world."""
        return self.coarse.to_world(self.augment.inverse(self.fine.to_world(points)))


def frame_example(
    mesh: Mesh,
    points: Float[Tensor, "n 3"],
    confidence: Float[Tensor, "n"],
    kind: FrameKind,
    resolution: int,
    augment: Augmentation,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "R R R"], Partial]:
    """The voxels of an object and of its visible part in the frame of a stage; see `frame_object`.

    Raises:
        ValueError: if too few points are confident.
    """
    framed = frame_object(mesh, points, confidence, kind, resolution, augment, generator)
    return framed.occupancy, framed.partial


def frame_object(
    mesh: Mesh,
    points: Float[Tensor, "n 3"],
    confidence: Float[Tensor, "n"],
    kind: FrameKind,
    resolution: int,
    augment: Augmentation,
    generator: torch.Generator,
) -> Framed:
    """An object and its visible part in the frame of a stage.

    Both are put into the coarse frame and augmented. The fine frame is that of the coarse voxels of the whole object,
    slightly changed. What lies just outside the cube is moved to its faces.

    Args:
        mesh: The whole object in the world.
        points: Its visible points in the world.
        confidence: Of each point.
        kind: The stage's frame.
        resolution: Voxels along each edge.
        augment: The same for both.
        generator: Draws the change of the fine frame.

    Raises:
        ValueError: if too few points are confident.
    """
    coarse, fine = coarse_frame(points, confidence), Frame.identity()
    points, confidence = within(coarse.to_local(points), confidence, COARSE_LIMIT)
    mesh, points = augment.mesh(mesh.localized(coarse)), augment(points)
    whole = voxelize_mesh(mesh.vertices, mesh.faces, resolution, overhang=OVERHANG)
    if kind == "fine" and whole.any():
        fine = _jittered(fine_frame(whole), generator)
        mesh, (points, confidence) = mesh.localized(fine), within(fine.to_local(points), confidence, FINE_LIMIT)
        whole = voxelize_mesh(mesh.vertices, mesh.faces, resolution, overhang=OVERHANG)
    return Framed(mesh, whole, partial_voxels(points, confidence, resolution), coarse, augment, fine)


def _jittered(frame: Frame, generator: torch.Generator) -> Frame:
    draws = 2 * torch.rand(4, generator=generator) - 1
    scale = frame.scale * (1 + JITTER_SCALE * draws[0])
    return Frame(frame.center + JITTER_SHIFT * frame.scale * draws[1:], scale)
