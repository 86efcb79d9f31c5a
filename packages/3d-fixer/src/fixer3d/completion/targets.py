"""What is known of the objects that are to be completed."""

import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fixer3d.geometry.frames import MIN_POINTS
from fixer3d.network.model import ObjectImages

from .scene import Scene


@dataclass(frozen=True)
class Target:
    """An object that is to be completed.

    Args:
        name: Its name.
        points: Its visible points in the world.
        confidence: Of each point.
        images: What is seen of it, a batch of one, if there is an image.
        depth_ratio: How much of the depth is estimated.
        colors: Of each point, if known.
        scene: The scene that shows it, if there is one; its camera says where the voxels are seen.
    """

    name: str
    points: Float[Tensor, "n 3"]
    confidence: Float[Tensor, "n"]
    images: ObjectImages | None = None
    depth_ratio: float = 0.0
    colors: Float[Tensor, "n 3"] | None = None
    scene: Scene | None = None


def find_targets(scene: Scene, ids: Sequence[str] | None, image_size: int) -> list[Target]:
    """What is known of the objects of a scene that have enough visible points; a warning for each other.

    Args:
        scene: The scene.
        ids: Names of the objects; all if not given.
        image_size: Pixels along each edge of the crops.

    Raises:
        ValueError: if a name is unknown, or there are too few visible points of every object.
    """
    targets = []
    for name in scene.names if ids is None else ids:
        if name not in scene.masks:
            raise ValueError(f"there is no object {name}; there are {', '.join(scene.names)}")
        seen = scene.observe(name, image_size)
        if len(seen.points) < MIN_POINTS:
            warnings.warn(f"{name} is left out: it has only {len(seen.points)} points with depth", stacklevel=4)
            continue
        parts = seen.points, seen.confidence, seen.images, scene.depth_ratio, seen.colors
        targets.append(Target(name, *parts, scene))
    if not targets:
        raise ValueError(f"there is no object with at least {MIN_POINTS} points with depth")
    return targets


def object_noise(name: str, seed: int, shape: tuple[int, ...]) -> Tensor:
    """The noise of an object, which does not depend on the others."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode())))
