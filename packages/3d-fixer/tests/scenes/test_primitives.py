"""Primitives and objects, against closed forms and trimesh."""

import numpy as np
import pytest
import trimesh

from fixer3d.scenes.categories import CATEGORIES, make_object
from fixer3d.scenes.primitives import box, cushion, cylinder, ellipsoid, revolved, rod, torus, tube


def is_closed(mesh):
    peer = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    return peer.is_watertight and peer.is_winding_consistent and mesh.volume > 0


def polygon(n):
    """Area of a regular polygon in the unit circle."""
    return n / 2 * np.sin(2 * np.pi / n)


@pytest.mark.parametrize(
    ("mesh", "volume"),
    [
        (box((1, 2, 3), (5, 5, 5)), 6),
        (box((2, 2, 3), taper=0.5), 3 * (4 + 1 + 2) / 3),
        (cylinder(2, 3), polygon(24) * 12),
        (cylinder(2, 3, top=1), polygon(24) * 3 * (4 + 2 + 1) / 3),
        (revolved([(0, 0), (2, 0), (2, 3), (1, 3), (1, 1), (0, 1)], 48), polygon(48) * (4 * 3 - 1 * 2)),
        (ellipsoid((1, 2, 3), n=96), 4 / 3 * np.pi * 6),
        (rod((0, 0, 0), (1, 2, 2), 0.1, 4), 3 * polygon(4) * 0.01),
        (torus(3, 0.5, 96), polygon(10) * 0.25 * 6 * np.pi),
        (cushion((1, 2, 3), roundness=1, n=96), 4 / 3 * np.pi * 6 / 8),
        (cushion((1, 2, 3), roundness=0.02, n=24), 6),
    ],
)
def test_volumes_are_those_of_the_closed_form(mesh, volume):
    assert is_closed(mesh)
    assert mesh.volume == pytest.approx(volume, rel=0.04 if len(mesh) > 1000 else 0.06 if len(mesh) > 500 else 1e-6)


def test_a_bent_tube_keeps_its_section():
    a = np.linspace(0, np.pi, 60)
    path = np.stack([np.cos(a), np.sin(a), 0.2 * a], 1)
    mesh = tube(path, 0.05, 8)
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    assert is_closed(mesh)
    assert mesh.volume == pytest.approx(length * polygon(8) * 0.05**2, rel=0.02)


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("seed", range(4))
def test_objects_are_built_of_closed_parts(category, seed):
    parts = CATEGORIES[category](np.random.default_rng(seed))
    assert all(is_closed(mesh) for mesh, _ in parts)
    mesh = make_object(category, seed)
    low, high = mesh.bounds
    assert (high - low).max() == pytest.approx(1)
    np.testing.assert_allclose(low, -high, atol=1e-9)
    assert (mesh.colors >= 0).all()
    assert (mesh.colors <= 1).all()


def test_objects_vary_by_seed_and_not_otherwise():
    meshes = [make_object("chair", seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(meshes[0].vertices, meshes[1].vertices)
    assert len({len(make_object("chair", seed)) for seed in range(12)}) > 6
    with pytest.raises(ValueError, match="no category cat; known are chair"):
        make_object("cat", 0)
