"""How close completed objects and scenes are to the truth.

Each mesh is sampled with 20,480 points. Object metrics are measured where the truth, normalized to the unit cube, is
scaled by 0.95 / 0.5; those of the scene in the units of the world.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from .distances import nearest
from .frames import Frame
from .meshes import Mesh, combine
from .voxels import fill, voxelize_mesh

N_POINTS = 20_480
THRESHOLD = 0.1
"""Points closer than this are found."""
OBJECT_SCALE = 0.95 / 0.5
"""Side of the longest axis of a true object when it is compared."""
VOXEL_RESOLUTION = 32


@dataclass(frozen=True)
class ObjectReport:
    """How close an object is to the truth.

    Args:
        chamfer: Chamfer distance, normalized.
        fscore: F-score at 0.1, normalized, in percent.
        box_iou: Of the axis-aligned bounding boxes in the world.
        voxel_iou: Of the filled voxel grids in the frame of the truth.
        center_error: Distance of the boxes' centers, in longest sides of the truth.
    """

    chamfer: float
    fscore: float
    box_iou: float
    voxel_iou: float
    center_error: float


@dataclass(frozen=True)
class SceneReport:
    """How close a scene is to the truth.

    Args:
        chamfer: Chamfer distance of the whole scene, in units of the world.
        fscore: F-score of the whole scene at 0.1, in percent.
        objects: Each object by name.
        missing: Names of true objects that were not completed.
    """

    chamfer: float
    fscore: float
    objects: Mapping[str, ObjectReport]
    missing: tuple[str, ...] = ()

    def mean(self, metric: str) -> float:
        """The mean of a metric of `ObjectReport` over the objects."""
        return float(np.mean([getattr(report, metric) for report in self.objects.values()]))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; means over the objects as `object_...`."""
        means = {f"object_{name}": self.mean(name) for name in ObjectReport.__dataclass_fields__}
        return {"chamfer": self.chamfer, "fscore": self.fscore, **means} | {
            "objects": {name: asdict(report) for name, report in self.objects.items()},
            "missing": list(self.missing),
        }


def fscore(predicted: Float[Tensor, "n 3"], truth: Float[Tensor, "m 3"], threshold: float = THRESHOLD) -> float:
    """The harmonic mean of precision and recall in percent: which points have a partner closer than the threshold."""
    return _score(nearest(predicted[None], truth[None])[0], nearest(truth[None], predicted[None])[0], threshold)


def _score(from_predicted: Tensor, from_truth: Tensor, threshold: float = THRESHOLD) -> float:
    precision = (from_predicted < threshold).double().mean()
    recall = (from_truth < threshold).double().mean()
    return float(200 * precision * recall / (precision + recall).clamp(min=1e-12))


def box_iou(first: Float[np.ndarray, "2 3"], second: Float[np.ndarray, "2 3"]) -> float:
    """Intersection over union of two axis-aligned boxes, each as its lowest and its highest corner."""
    sides = (np.minimum(first[1], second[1]) - np.maximum(first[0], second[0])).clip(0)
    common = sides.prod()
    union = (first[1] - first[0]).prod() + (second[1] - second[0]).prod() - common
    return float(common / union) if union > 0 else 0.0


def voxel_iou(first: Shaped[Tensor, "*r"], second: Shaped[Tensor, "*r"]) -> float:
    """Intersection over union of two occupancy grids, occupied where positive; 1 where both are empty."""
    a, b = first > 0, second > 0
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 1.0


def evaluate_object(
    predicted: Mesh, truth: Mesh, generator: torch.Generator, scale: float | None = None, n_points: int = N_POINTS
) -> ObjectReport:
    """Compare an object with the truth, both in the world.

    Args:
        predicted: The completed object; an empty one has the worst of each metric, and half its diagonal for distance.
        truth: The true object.
        generator: Draws the points.
        scale: Longest side of the truth before it was turned; that of its bounding box where it is left out.
        n_points: Points on each mesh.
    """
    low, high = truth.bounds
    extent = scale or float((high - low).max())
    if not len(predicted):
        diagonal = float(np.linalg.norm(high - low))
        return ObjectReport(diagonal / 2 / extent * OBJECT_SCALE, 0.0, 0.0, 0.0, diagonal / 2 / extent)
    frame = Frame(torch.from_numpy((low + high) / 2).float(), torch.tensor(extent / OBJECT_SCALE))
    clouds = [frame.to_local(mesh.sample(n_points, generator)) for mesh in (predicted, truth)]
    forth, back = (nearest(x[None], y[None])[0] for x, y in (clouds, clouds[::-1]))
    center = predicted.bounds.mean(0) - truth.bounds.mean(0)
    return ObjectReport(
        float(forth.mean() + back.mean()) / 2,
        _score(forth, back),
        box_iou(predicted.bounds, truth.bounds),
        _filled_iou(predicted, truth),
        float(np.linalg.norm(center)) / extent,
    )


def _filled_iou(predicted: Mesh, truth: Mesh) -> float:
    """Voxel IoU of what the surfaces enclose, in a cube that holds both."""
    bounds = np.stack([predicted.bounds, truth.bounds])
    low, high = bounds[:, 0].min(0), bounds[:, 1].max(0)
    resolution = VOXEL_RESOLUTION
    # As fine as the truth deserves, however far the prediction reaches: at most four times as many voxels on a side.
    stretch = float((high - low).max() / np.ptp(truth.bounds, axis=0).max())
    resolution = int(np.ceil(resolution * min(stretch, 4.0)))
    frame = Frame(torch.from_numpy((low + high) / 2).double(), torch.tensor((high - low).max() * (1 + 1e-6)).double())
    local = [mesh.localized(frame) for mesh in (predicted, truth)]
    return voxel_iou(*(fill(voxelize_mesh(mesh.vertices, mesh.faces, resolution)) for mesh in local))


def evaluate_scene(
    predicted: Mapping[str, Mesh],
    truth: Mapping[str, Mesh],
    generator: torch.Generator | None = None,
    *,
    scales: Mapping[str, float] | None = None,
    areas: Mapping[str, float] | None = None,
    n_largest: int = 5,
    n_points: int = N_POINTS,
) -> SceneReport:
    """Compare the objects of a scene, and the scene as one, with the truth.

    Args:
        predicted: Completed objects by name, in the world; other names than those of the truth are left out.
        truth: True objects by name, in the world.
        generator: Draws the points; seeded with 0 where it is left out.
        scales: Longest side of each true object before it was turned; see `evaluate_object`.
        areas: By which objects are large, such as the pixels of their masks; the volume of their boxes otherwise.
        n_largest: How many of the largest objects are compared.
        n_points: Points on each mesh.

    Raises:
        ValueError: if there is no true object.
    """
    if not truth:
        raise ValueError("there is no object to compare with")
    generator = generator or torch.Generator().manual_seed(0)
    names = _largest(truth, areas, n_largest)
    pairs = {name: (predicted.get(name, Mesh.empty()), truth[name]) for name in names}
    sizes = scales or {}
    objects = {name: evaluate_object(*pair, generator, sizes.get(name), n_points) for name, pair in pairs.items()}
    chamfer, score = _compare_whole(list(pairs.values()), generator, n_points)
    return SceneReport(chamfer, score, objects, tuple(name for name, (mesh, _) in pairs.items() if not len(mesh)))


def _largest(truth: Mapping[str, Mesh], areas: Mapping[str, float] | None, n: int) -> list[str]:
    """Names of the largest objects, in the order of the truth."""
    sizes = {name: float(np.ptp(mesh.bounds, axis=0).prod()) for name, mesh in truth.items()}
    if areas is not None:
        sizes = {name: float(areas.get(name, 0)) for name in truth}
    largest = sorted(truth, key=lambda name: -sizes[name])[:n]
    return [name for name in truth if name in largest]


def _compare_whole(
    pairs: Sequence[tuple[Mesh, Mesh]], generator: torch.Generator, n_points: int
) -> tuple[float, float]:
    """Chamfer distance and F-score of all objects together, with as many points of each, however small it is."""
    predicted, truth = (combine(meshes) for meshes in zip(*pairs, strict=True))
    if not len(predicted):
        return float(np.linalg.norm(np.ptp(truth.bounds, axis=0))) / 2, 0.0
    clouds = [
        torch.cat([mesh.sample(n_points, generator) for mesh in meshes if len(mesh)])[None]
        for meshes in zip(*pairs, strict=True)
    ]
    forth, back = (nearest(x, y)[0] for x, y in (clouds, clouds[::-1]))
    return float(forth.mean() + back.mean()) / 2, _score(forth, back)
