"""Completion in place: results move with the input, frames against a ball in closed form, and what is empty."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from fixer3d.completion.fixer import Fixer, Target, solid
from fixer3d.completion.objects import colored, save_objects
from fixer3d.configs import ModelConfig, SamplerConfig
from fixer3d.geometry.frames import coarse_frame
from fixer3d.geometry.meshes import Mesh
from fixer3d.network.model import FixerModel

FEW = SamplerConfig(n_steps=2)


@pytest.fixture(scope="module")
def cloud():
    return torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([2.0, 1.0, 0.5])


def test_a_ball_comes_back_where_and_as_large_as_the_frames_say(balls, cloud):
    one = balls.complete_points(cloud, sampler=FEW)
    frame = coarse_frame(cloud, torch.ones(len(cloud)))
    # Voxels whose centers are within 0.3: the outermost are at (i + 0.5) / 16 - 0.5.
    centers = (np.arange(16) + 0.5) / 16 - 0.5
    occupied = [x for x in centers if min(np.hypot(np.hypot(x, y), z) for y in centers for z in centers) <= 0.3]
    side = max(occupied) - min(occupied)
    low, high = one.mesh.bounds
    np.testing.assert_allclose((low + high) / 2, frame.center, atol=1e-3)
    np.testing.assert_allclose(high - low, 2 * 0.3 * side * frame.scale, rtol=0.05)
    assert one.frame.scale == pytest.approx(side * frame.scale.item(), rel=1e-4)
    assert one.mesh.volume > 0


def test_what_is_moved_and_scaled_is_completed_alike(toy, scene):
    fixer = Fixer(toy)
    targets = fixer.targets(scene)[:1]
    shift, factor = torch.tensor([4.0, -8.0, 2.0]), 4.0
    moved = [Target("other", targets[0].points * factor + shift, targets[0].confidence, targets[0].images)]
    moved = [type(moved[0])(**{**vars(moved[0]), "name": targets[0].name})]
    first, second = (fixer.complete_targets(some, sampler=FEW)[0] for some in (targets, moved))
    assert len(first.mesh)
    assert len(first.mesh.vertices) == len(second.mesh.vertices)
    expected = first.mesh.vertices * factor + shift.numpy()
    np.testing.assert_allclose(second.mesh.vertices, expected, atol=1e-3)
    other = fixer.complete_targets(targets, seed=1, sampler=FEW)[0]
    assert not torch.equal(other.voxels, first.voxels)


def test_objects_of_like_names_have_files_of_their_own(balls, cloud, tmp_path):
    names = ["a b.png", "a_b.png", "A_B.PNG", "visible", "a_b.png_2"]
    ball = balls.complete_points(cloud, sampler=FEW)
    objects = [
        replace(ball, name=name, mesh=ball.mesh.mapped(np.eye(3), np.full(3, float(place))))
        for place, name in enumerate(names)
    ]
    paths = save_objects(objects, tmp_path)[1:]
    stems = [path.stem for path in paths]
    assert len({stem.lower() for stem in [*stems, "visible"]}) == len(names) + 1
    for place, path in enumerate(paths):
        low, _ = trimesh.load_mesh(path).bounds
        np.testing.assert_allclose(low, ball.mesh.bounds[0] + place, atol=1e-5)
    assert set(trimesh.load_scene(tmp_path / "scene.glb").graph.nodes_geometry) == set(names)


FAR = np.array([1e6, -1e6, 1e6])


def test_what_is_moved_far_away_is_completed_alike(toy, scene):
    """Floats are 0.06 apart there: the oracle of the frames holds only in double precision."""
    fixer = Fixer(toy)
    pose = scene.c2w.clone()
    pose[:3, 3] += torch.from_numpy(FAR)
    first, second = (fixer.complete(one, scene.names[:1], sampler=FEW)[0] for one in (scene, replace(scene, c2w=pose)))
    extent = np.ptp(first.mesh.bounds, axis=0).max()
    np.testing.assert_allclose(second.mesh.vertices - FAR, first.mesh.vertices, atol=1e-3 * extent)
    np.testing.assert_allclose(second.mesh.colors, first.mesh.colors, atol=1e-3)


@pytest.mark.parametrize("size", [1.0, 1e-7])
def test_a_cloud_far_away_or_tiny_is_completed_alike(balls, cloud, size):
    points = size * cloud.double().numpy()
    first, second = (balls.complete_points(one, sampler=FEW) for one in (cloud, points + size * FAR))
    np.testing.assert_allclose(second.mesh.vertices / size - FAR, first.mesh.vertices, atol=1e-3)


def test_an_object_does_not_depend_on_the_others_of_its_batch(toy, scene):
    fixer = Fixer(toy)
    every = fixer.complete(scene, sampler=FEW)
    assert [one.name for one in every] == list(scene.names)
    alone = fixer.complete(scene, [scene.names[-1]], sampler=FEW)[0]
    agreement = (every[-1].voxels == alone.voxels).float().mean()
    assert agreement > 0.99  # sums of a larger batch may be rounded otherwise


def test_where_nothing_is_found_the_visible_voxels_are_kept_with_a_warning(balls, cloud, monkeypatch):
    monkeypatch.setattr(type(balls.model), "radius", -1.0)
    with pytest.warns(UserWarning, match="found no voxel"):
        one = balls.complete_points(cloud, sampler=FEW)
    low, high = one.mesh.bounds
    step = coarse_frame(cloud, torch.ones(len(cloud))).scale.item() / 16
    assert (low >= cloud.amin(0).numpy() - step).all()
    assert (high <= cloud.amax(0).numpy() + step).all()


def test_without_a_fine_stage_the_coarse_result_is_taken(cloud):
    torch.manual_seed(0)
    model = FixerModel(ModelConfig.toy(), ("coarse",))
    with torch.no_grad():
        model.vae.decoder.out_layer[2].bias.fill_(5.0)
    one = Fixer(model).complete_points(cloud, sampler=FEW)
    assert one.frame == one.coarse or torch.equal(one.frame.scale, one.coarse.scale)
    np.testing.assert_allclose(np.ptp(one.mesh.bounds, axis=0), one.coarse.scale.item(), rtol=0.05)


def test_an_image_changes_the_completion_of_a_cloud(toy, cloud):
    fixer = Fixer(toy)
    crop = torch.randint(0, 255, (3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    without, with_image = (fixer.complete_points(cloud, image_crop=one, sampler=FEW) for one in (None, crop))
    assert not torch.equal(without.voxels, with_image.voxels)


@pytest.mark.parametrize(
    ("points", "message"),
    [(torch.rand(9, 3), "only 9 points"), (torch.full((20, 3), float("nan")), "must be finite")],
)
def test_clouds_that_cannot_be_completed_are_refused(balls, points, message):
    with pytest.raises(ValueError, match=message):
        balls.complete_points(points)


def test_unknown_objects_are_refused(balls, scene):
    with pytest.raises(ValueError, match="no object sphinx"):
        balls.complete(scene, ["sphinx"])


def test_what_is_enclosed_becomes_solid():
    logits = -torch.ones(8, 8, 8)
    logits[1:7, 1:7, 1:7] = 2.0
    logits[2:6, 2:6, 2:6] = -1.0
    assert (solid(logits) > 0).sum() == 6**3


def test_vertices_have_the_color_of_the_nearest_point():
    mesh = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
    points, colors = torch.tensor([[0.1, 0, 0], [0.9, 0, 0], [0, 2, 0]]), torch.eye(3)
    np.testing.assert_array_equal(colored(mesh, points, colors).colors, np.eye(3))


def test_a_scene_has_a_named_node_for_each_object_in_the_world(balls, scene, tmp_path):
    objects = balls.complete(scene, sampler=FEW)
    paths = save_objects(objects, tmp_path)
    written = trimesh.load_scene(tmp_path / "scene.glb")
    assert set(written.graph.nodes_geometry) == set(scene.names)
    assert {path.name for path in paths} == {"scene.glb", *(f"{name}.ply" for name in scene.names)}
    for one in objects:
        matrix, geometry = written.graph[one.name]
        bounds = trimesh.transform_points(written.geometry[geometry].vertices, matrix)
        np.testing.assert_allclose([bounds.min(0), bounds.max(0)], one.mesh.bounds, atol=1e-4)
