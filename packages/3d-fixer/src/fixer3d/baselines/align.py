"""Generation first, alignment after: the prior's object is fitted to the visible points, as in Gen3DSR."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fixer3d.completion.fixer import DEFAULT, Fixer, solid
from fixer3d.completion.objects import CompletedObject, colored
from fixer3d.completion.scene import Scene
from fixer3d.completion.targets import Target, object_noise
from fixer3d.configs import SamplerConfig
from fixer3d.flow.sampling import make_velocity, sample
from fixer3d.geometry.frames import CONFIDENT, coarse_frame
from fixer3d.geometry.libraries import open3d
from fixer3d.geometry.meshes import Mesh
from fixer3d.geometry.voxels import mesh_from_logits
from fixer3d.network.model import ObjectImages

N_POINTS = 2_000
"""Points on each side of the alignment."""
N_ITERATIONS = 50
TRIM = 0.8
"""Share of the visible points, the closest ones, that the distance is measured on."""
REACH = 0.5
"""Farthest pairs of the alignment, over the longest side of the mesh."""


@cache
def cube_rotations() -> tuple[Float[np.ndarray, "3 3"], ...]:
    """The 24 rotations of a cube."""
    found = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[range(3), order] = signs
            if np.linalg.det(matrix) > 0:
                found.append(matrix)
    return tuple(found)


class ScaledICP:
    """Fits a mesh to a partial cloud by a similarity: 24 rotations, each refined by ICP with scaling; the best is kept.

    Args:
        n_iterations: Iterations of ICP.
        n_points: Points on each side.
        trim: Share of the visible points that the distance is measured on.
    """

    def __init__(self, n_iterations: int = N_ITERATIONS, n_points: int = N_POINTS, trim: float = TRIM) -> None:
        self.n_iterations, self.n_points, self.trim = n_iterations, n_points, trim

    def __call__(self, mesh: Mesh, points: Float[Tensor, "n 3"], generator: torch.Generator) -> Mesh:
        """The mesh where it fits best.

        Args:
            mesh: The mesh, anywhere and of any size.
            points: Visible points of the object.
            generator: Draws points on the mesh.

        Raises:
            ModuleNotFoundError: if Open3D is not installed.
        """
        target = _thinned(points, self.n_points, generator).double().numpy()
        source = mesh.sample(self.n_points, generator).double().numpy()
        low, high = target.min(0), target.max(0)
        size, center = float((high - low).max()), (low + high) / 2
        middle, extent = mesh.bounds.mean(0), float(np.ptp(mesh.bounds, axis=0).max())
        scale = size / extent
        best: tuple[float, np.ndarray] = (np.inf, np.eye(4))
        for rotation in cube_rotations():
            start = np.eye(4)
            start[:3, :3] = scale * rotation
            start[:3, 3] = center - scale * rotation @ middle
            found = self._refine(source, target, start, REACH * extent)
            best = min(best, (self._distance(source, target, found), found), key=lambda pair: pair[0])
        matrix = best[1]
        return replace(mesh, vertices=mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3])

    def _refine(self, source: np.ndarray, target: np.ndarray, start: np.ndarray, reach: float) -> np.ndarray:
        registration = open3d().pipelines.registration
        # Each visible point is paired with the closest of the mesh: the other way, what is hidden would be pulled onto
        # what is visible.
        result = registration.registration_icp(
            _cloud(target),
            _cloud(source),
            reach,
            np.linalg.inv(start),
            registration.TransformationEstimationPointToPoint(with_scaling=True),
            registration.ICPConvergenceCriteria(max_iteration=self.n_iterations),
        )
        found = np.asarray(result.transformation)
        # A fit that has shrunk to a point is none.
        is_fit = np.isfinite(found).all() and np.linalg.det(found[:3, :3]) > 0
        return np.linalg.inv(found) if is_fit else start

    def _distance(self, source: np.ndarray, target: np.ndarray, matrix: np.ndarray) -> float:
        """Mean distance from the closest of the visible points to the mesh."""
        from scipy.spatial import cKDTree

        moved = source @ matrix[:3, :3].T + matrix[:3, 3]
        distances = np.sort(cKDTree(moved).query(target)[0])
        return float(distances[: max(1, int(self.trim * len(distances)))].mean())


def _cloud(points: np.ndarray) -> Any:  # noqa: ANN401 - a point cloud of Open3D
    return open3d().geometry.PointCloud(open3d().utility.Vector3dVector(points))


def _thinned(points: Tensor, n: int, generator: torch.Generator) -> Tensor:
    return points[torch.randperm(len(points), generator=generator)[:n]]


@torch.no_grad()
def generate(fixer: Fixer, targets: Sequence[Target], seed: int, sampler: SamplerConfig | None) -> list[Mesh]:
    """Objects of the prior, conditioned on their masked crops alone, in the cube [-0.5, 0.5]³.

    Where the prior gives nothing, the whole cube.
    """
    model = fixer.model
    images = ObjectImages.cat([one.images.floats() for one in targets if one.images is not None]).to(fixer.device)
    tokens = model.masked_tokens(images.crop, images.crop_mask)
    noise = torch.stack([object_noise(one.name, seed, model.latent_shape) for one in targets]).to(fixer.device)
    chosen = sampler or model.samplers.get("prior", DEFAULT)
    logits = model.decode(sample(make_velocity(model.prior, tokens), noise, chosen)).float().cpu()
    return [mesh_from_logits(solid(grid) if (grid > 0).any() else torch.ones_like(grid)) for grid in logits]


class GenerateAndAlign:
    """The frozen prior on masked crops, then an alignment with the visible points: generation is not in place.

    Args:
        fixer: A fixer; its prior and image encoder are shared.
        icp: How meshes are aligned.
    """

    name = "align"

    def __init__(self, fixer: Fixer, icp: ScaledICP | None = None) -> None:
        self.fixer, self.icp = fixer, icp or ScaledICP()

    def complete(
        self, scene: Scene, ids: Sequence[str] | None = None, *, seed: int = 0, sampler: SamplerConfig | None = None
    ) -> list[CompletedObject]:
        """Generate and align the objects of a scene."""
        targets = self.fixer.targets(scene, ids)
        meshes = generate(self.fixer, targets, seed, sampler)
        generator = torch.Generator().manual_seed(seed)
        found = []
        for one, mesh in zip(targets, meshes, strict=True):
            kept = one.points[one.confidence > CONFIDENT]
            placed = colored(self.icp(mesh, kept, generator), one.points, one.colors)
            frame = coarse_frame(one.points, one.confidence)
            found.append(CompletedObject(one.name, placed, torch.zeros(1, 1, 1, dtype=torch.bool), frame, frame))
        return found
