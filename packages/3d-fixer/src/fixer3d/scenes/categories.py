"""Kinds of objects, each drawn anew from random proportions: ten to train on, and five others to test on."""

import colorsys
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fixer3d.geometry.meshes import Mesh, combine

from .furniture import Parts, make_bed, make_chair, make_sofa, make_stool, make_table
from .held_out import make_bench, make_cabinet, make_ladder, make_monitor, make_vase
from .household import make_bottle, make_box, make_lamp, make_mug, make_shelf

CATEGORIES: dict[str, Callable[[np.random.Generator], Parts]] = {
    "chair": make_chair,
    "table": make_table,
    "stool": make_stool,
    "lamp": make_lamp,
    "shelf": make_shelf,
    "sofa": make_sofa,
    "mug": make_mug,
    "bottle": make_bottle,
    "box": make_box,
    "bed": make_bed,
    "bench": make_bench,
    "cabinet": make_cabinet,
    "vase": make_vase,
    "monitor": make_monitor,
    "ladder": make_ladder,
}
"""How each kind is drawn."""

N_COLORS = 3
"""Colors of an object."""


def make_object(category: str, seed: int | np.random.Generator) -> Mesh:
    """A random object of a kind, built of closed parts, in the cube [-0.5, 0.5]³ with its longest side 1.

    Up is z. Each part has one albedo of the object's three.

    Args:
        category: One of `CATEGORIES`.
        seed: Of the object; or a generator, which is advanced.

    Raises:
        ValueError: if there is no such kind.
    """
    if category not in CATEGORIES:
        raise ValueError(f"there is no category {category}; known are {', '.join(CATEGORIES)}")
    rng = np.random.default_rng(seed)
    parts = CATEGORIES[category](rng)
    colors = [random_albedo(rng) for _ in range(N_COLORS)]
    return combine([painted(mesh, colors[tone]) for mesh, tone in parts]).normalized()


def random_albedo(rng: np.random.Generator) -> np.ndarray:
    """A color that is neither black nor glaring."""
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.05, 0.7), rng.uniform(0.35, 0.95)))


def painted(mesh: Mesh, color: np.ndarray) -> Mesh:
    """The mesh in one color."""
    return replace(mesh, colors=np.broadcast_to(color, mesh.vertices.shape).copy())
