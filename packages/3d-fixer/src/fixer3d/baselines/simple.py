"""Baselines that generate nothing, and the first stage alone."""

from collections.abc import Sequence

import numpy as np
import torch

from fixer3d.completion.fixer import Fixer
from fixer3d.completion.objects import CompletedObject, colored
from fixer3d.completion.scene import Scene
from fixer3d.completion.targets import find_targets
from fixer3d.configs import SamplerConfig
from fixer3d.geometry.frames import CONFIDENT, coarse_frame
from fixer3d.geometry.meshes import Mesh
from fixer3d.geometry.voxels import mesh_from_logits
from fixer3d.training.framing import COARSE_LIMIT, partial_voxels, within

BOX_FACES = np.array([int(corner) for corner in "013032467475045051237276026064157173"]).reshape(12, 3)
"""Triangles of a box whose corners are numbered by the bits x, y, z; seen from outside, counterclockwise."""
CROP = 8
"""Pixels along each edge of the crops, which these baselines do not use."""


class VisibleOnly:
    """The voxels that hold visible points, as a mesh: no completion.

    Args:
        resolution: Voxels along each edge of the coarse frame.
    """

    name = "visible"

    def __init__(self, resolution: int = 32) -> None:
        self.resolution = resolution

    def complete(self, scene: Scene, ids: Sequence[str] | None = None, *, seed: int = 0) -> list[CompletedObject]:  # noqa: ARG002 - as for all methods
        """The visible voxels of each object."""
        found = []
        for seen in find_targets(scene, ids, CROP):
            frame = coarse_frame(seen.points, seen.confidence)
            cloud = within(frame.to_local(seen.points), seen.confidence, COARSE_LIMIT)
            voxels = partial_voxels(*cloud, self.resolution).occupancy
            mesh = colored(mesh_from_logits(voxels - 0.5).transformed(frame), seen.points, seen.colors)
            found.append(CompletedObject(seen.name, mesh, voxels > 0, frame, frame))
        return found


class BoxFill:
    """The bounding box of the visible points."""

    name = "box"

    def complete(self, scene: Scene, ids: Sequence[str] | None = None, *, seed: int = 0) -> list[CompletedObject]:  # noqa: ARG002 - as for all methods
        """The box of each object."""
        found = []
        for seen in find_targets(scene, ids, CROP):
            kept = seen.points[seen.confidence > CONFIDENT]
            mesh = colored(box_mesh(*(edge.double().numpy() for edge in kept.aminmax(dim=0))), kept, None)
            frame = coarse_frame(seen.points, seen.confidence)
            found.append(CompletedObject(seen.name, mesh, torch.ones(1, 1, 1, dtype=torch.bool), frame, frame))
        return found


def box_mesh(low: np.ndarray, high: np.ndarray) -> Mesh:
    """A box between two corners."""
    bits = np.array([[(corner >> axis) & 1 for axis in (2, 1, 0)] for corner in range(8)])
    return Mesh(np.where(bits == 1, high, low).astype(float), BOX_FACES)


class SingleStage:
    """The coarse stage alone: twice the room of the visible part, and no refinement.

    Args:
        fixer: A fixer; its networks are shared.
    """

    name = "single_stage"

    def __init__(self, fixer: Fixer) -> None:
        self.fixer = fixer

    def complete(
        self, scene: Scene, ids: Sequence[str] | None = None, *, seed: int = 0, sampler: SamplerConfig | None = None
    ) -> list[CompletedObject]:
        """Complete the objects of a scene, without the fine stage."""
        return self.fixer.complete(scene, ids, seed=seed, sampler=sampler, stages=("coarse",))
