"""Random scenes with everything that is known of them: meshes in their places, and what cameras see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fixer3d.configs import SceneConfig
from fixer3d.geometry.meshes import Mesh

from .categories import make_object, painted, random_albedo
from .layout import Placement, Room, cameras, place
from .rendering import Renderer, View, random_light


class SceneObject(NamedTuple):
    """An object of a scene: its name, the kind of object, and its mesh in the world."""

    name: str
    category: str
    mesh: Mesh


@dataclass(frozen=True, eq=False)
class SyntheticScene:
    """A scene of which everything is known.

    Args:
        objects: In the order of the index images: object k is index k + 3.
        views: What cameras around it see.
        placements: How each object came from the unit cube to its place.
        seed: Of the scene.
    """

    objects: tuple[SceneObject, ...]
    views: tuple[View, ...]
    placements: tuple[Placement, ...]
    seed: int

    @property
    def meshes(self) -> dict[str, Mesh]:
        """The meshes by name."""
        return {name: mesh for name, _, mesh in self.objects}

    @property
    def scales(self) -> dict[str, float]:
        """The longest side of each object before it was turned, by name."""
        return {name: place.scale for (name, *_), place in zip(self.objects, self.placements, strict=True)}


def generate_scene(
    config: SceneConfig, seed: int, meshes: Sequence[Mesh] | Mapping[str, Mesh] | None = None
) -> SyntheticScene:
    """Make and render a random scene; the same seed makes the same.

    Args:
        config: How many objects and views, and how large.
        seed: Of everything in it.
        meshes: Objects of your own with z up, in place of the configuration's categories; their names, where they have
            any, are the categories.

    Raises:
        ValueError: if there is no mesh to choose from.
        ModuleNotFoundError: if Open3D is not installed.
    """
    rng = np.random.default_rng(seed)
    drawn = _draw(config, rng, meshes)
    placements = place([mesh for _, mesh in drawn], config, rng)
    found = [(*pair, where) for pair, where in zip(drawn, placements, strict=True) if where is not None]
    objects = tuple(
        SceneObject(f"{category}-{k}", category, where.apply(mesh)) for k, (category, mesh, where) in enumerate(found)
    )
    views = _look(objects, config, rng)
    return SyntheticScene(objects, views, tuple(where for *_, where in found), seed)


def _draw(
    config: SceneConfig, rng: np.random.Generator, meshes: Sequence[Mesh] | Mapping[str, Mesh] | None
) -> list[tuple[str, Mesh]]:
    """Categories and normalized objects of a scene."""
    n = int(rng.integers(config.n_objects[0], config.n_objects[1] + 1))
    if meshes is None:
        names = rng.choice(config.categories, n).tolist()
        return [(name, make_object(name, rng)) for name in names]
    named = dict(meshes) if isinstance(meshes, Mapping) else {f"mesh{i}": mesh for i, mesh in enumerate(meshes)}
    if not named:
        raise ValueError("there is no mesh to make scenes of")
    # Each is used once before one is used again.
    rounds = [rng.permutation(len(named)) for _ in range(-(-n // len(named)))]
    names = [list(named)[i] for i in np.concatenate(rounds)[:n]]
    return [(name, _colored(named[name].normalized(), rng)) for name in names]


def _colored(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    return painted(mesh, random_albedo(rng)) if mesh.colors is None else mesh


def _look(objects: Sequence[SceneObject], config: SceneConfig, rng: np.random.Generator) -> tuple[View, ...]:
    """Render the views of a scene in a room of its own, under a light of its own."""
    walls = np.repeat(random_albedo(rng)[None] * 0.4 + 0.55, 5, 0)
    walls[4] = random_albedo(rng)
    room = Room(config.floor_size, rng.random(5) < config.wall_probability, walls.clip(0, 1))
    light = random_light(rng)
    renderer = Renderer([mesh for *_, mesh in objects], room)
    around = cameras(config.n_views, config.image_size, [mesh.bounds for *_, mesh in objects], rng)
    return tuple(renderer.render(intrinsics, c2w, light) for intrinsics, c2w in around)
