"""Baselines: alignment finds a known similarity, poses come back, boxes are boxes."""

import itertools

import numpy as np
import pytest
import torch

from fixer3d.baselines.align import GenerateAndAlign, ScaledICP, cube_rotations
from fixer3d.baselines.regress import (
    PoseRegressor,
    crop_geometry,
    place_mesh,
    pose_examples,
    pose_target,
    train_pose_head,
)
from fixer3d.baselines.simple import BoxFill, SingleStage, VisibleOnly, box_mesh
from fixer3d.configs import SamplerConfig
from fixer3d.geometry.frames import CONFIDENT
from fixer3d.geometry.meshes import combine

FEW = SamplerConfig(n_steps=1)


@pytest.fixture(scope="module")
def shape():
    """Two boxes that no rotation of the cube maps to themselves."""
    parts = [((0, 0, 0), (1.0, 0.3, 0.2)), ((0, 0.3, 0), (0.2, 0.8, 0.1)), ((0.7, 0, 0.2), (0.9, 0.2, 0.6))]
    return combine([box_mesh(np.array(low, float), np.array(high, float)) for low, high in parts])


def test_the_rotations_of_the_cube_are_a_group_of_24():
    rotations = cube_rotations()
    known = {tuple(one.flatten()) for one in rotations}
    assert len(known) == 24
    assert all(np.linalg.det(one) == 1 for one in rotations)
    assert {tuple((a @ b).flatten() + 0.0) for a, b in itertools.product(rotations, repeat=2)} == known


def test_alignment_undoes_a_similarity(shape):
    matrix, shift = cube_rotations()[17] * 2.5, np.array([3.0, -1.0, 2.0])
    cloud = shape.mapped(matrix, shift).sample(3000, torch.Generator().manual_seed(1))
    placed = ScaledICP(n_iterations=20, n_points=600)(shape, cloud, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(placed.vertices, shape.vertices @ matrix.T + shift, atol=0.12)


def test_alignment_with_what_is_visible_of_a_shape_keeps_its_size(shape):
    cloud = shape.sample(6000, torch.Generator().manual_seed(1))
    seen = cloud[cloud[:, 1] < cloud[:, 1].median()]
    placed = ScaledICP(n_iterations=30, n_points=800)(shape, seen, torch.Generator().manual_seed(0))
    extents = [np.ptp(mesh.bounds, axis=0).max() for mesh in (placed, shape)]
    assert extents[0] == pytest.approx(extents[1], rel=0.15)


def test_the_pose_that_the_head_is_to_predict_puts_an_object_back(made):
    for i in made.views[0].visible():
        mesh, view = made.objects[i].mesh, made.views[0]
        geometry = crop_geometry(view.mask(i), view.intrinsics)
        pose = pose_target(mesh, made.placements[i].yaw, geometry, view.c2w)
        turn = made.placements[i].matrix / made.placements[i].scale
        canonical = mesh.mapped(turn.T).normalized()
        np.testing.assert_allclose(place_mesh(canonical, pose, geometry, view.c2w).bounds, mesh.bounds, atol=1e-4)


def test_a_head_learns_the_poses_that_it_is_shown(balls, made):
    examples = pose_examples(balls, [made])
    before, after = (
        (head(examples.tokens, examples.geometry) - examples.targets).abs().mean()
        for head in (train_pose_head(examples, torch.Generator().manual_seed(0), steps=n) for n in (1, 60))
    )
    assert after < before / 2


def test_a_box_is_the_bounding_box_of_the_points_and_looks_outwards(scene):
    for name, one in zip(scene.names, BoxFill().complete(scene), strict=True):
        seen = scene.observe(name, 8)
        kept = seen.points[seen.confidence > CONFIDENT].double().numpy()
        np.testing.assert_allclose(one.mesh.bounds, [kept.min(0), kept.max(0)])
        assert one.mesh.volume == pytest.approx(np.ptp(kept, axis=0).prod())


def test_visible_voxels_hold_the_visible_points(scene):
    for one in VisibleOnly(16).complete(scene):
        seen = scene.observe(one.name, 8)
        local = one.frame.to_local(seen.points[seen.confidence > CONFIDENT]).float()
        cells = ((local + 0.5) * 16).long().clamp(0, 15)
        assert one.voxels[tuple(cells.T)].all()


def test_a_single_stage_stays_in_the_coarse_frame(balls, scene):
    for one in SingleStage(balls).complete(scene, sampler=FEW):
        assert torch.equal(one.frame.scale, one.coarse.scale)


def test_generative_baselines_place_every_object(balls, scene, made):
    head = train_pose_head(pose_examples(balls, [made]), torch.Generator().manual_seed(0), steps=60)
    aligned = GenerateAndAlign(balls, ScaledICP(5, 200)).complete(scene, sampler=FEW)
    regressed = PoseRegressor(balls, head).complete(scene, sampler=FEW)
    for found in (aligned, regressed):
        assert [one.name for one in found] == list(scene.names)
        assert all(len(one.mesh) for one in found)
    # Where it was trained, the head finds the place; the aligned ball touches the visible points.
    name = scene.names[0]
    truth = made.meshes[name].bounds
    assert np.linalg.norm(regressed[0].mesh.bounds.mean(0) - truth.mean(0)) < np.ptp(truth, axis=0).max()
