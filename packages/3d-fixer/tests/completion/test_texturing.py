"""Colors of completed objects: what is seen stays as it is seen, the rest is decoded; without a texturer, as before."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from fixer3d.completion.fixer import Fixer, load, save
from fixer3d.completion.objects import colored
from fixer3d.completion.texturing import VoxelColors, sample_colors, textured
from fixer3d.configs import SamplerConfig
from fixer3d.geometry.meshes import Mesh
from fixer3d.training.runs import trained_stages

FEW = SamplerConfig(n_steps=1)
TEAL = torch.tensor([0.1, 0.6, 0.5])


@pytest.fixture(scope="module")
def painter(toy):
    """A fixer whose decoder knows but one color."""
    torch.manual_seed(0)
    model = deepcopy(toy)
    last = model.add_texturer().autoencoder.decoder[-1]
    torch.nn.init.zeros_(last.weight)
    last.bias.data[:3] = TEAL.logit()
    return Fixer(model)


@pytest.fixture(scope="module")
def artist(toy):
    """A fixer whose colors depend on everything."""
    torch.manual_seed(0)
    model = deepcopy(toy)
    for layer in (model.add_texturer().flow.out_layer, *model.texturer.flow.control_path):
        torch.nn.init.normal_(layer.weight, std=0.5)
    return Fixer(model)


def test_colors_between_voxels_are_weighted_by_inverse_squares():
    draw = torch.Generator().manual_seed(0)
    voxels = VoxelColors(torch.rand(30, 3, generator=draw), torch.rand(30, 3, generator=draw))
    points = torch.rand(20, 3, generator=draw)
    found = voxels.at(points)
    for point, color in zip(points, found, strict=True):
        distances = (voxels.positions - point).norm(dim=1)
        near = distances.argsort()[:4]
        weights = 1 / distances[near] ** 2
        expected = (weights[:, None] * voxels.colors[near]).sum(0) / weights.sum()
        torch.testing.assert_close(color, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(voxels.at(voxels.positions), voxels.colors, atol=1e-4, rtol=0)
    two = VoxelColors(torch.tensor([[0.0, 0, 0], [1, 0, 0]]), torch.eye(3)[:2])
    torch.testing.assert_close(two.at(torch.tensor([[0.5, 3, 0]])), torch.tensor([[0.5, 0.5, 0]]))


def test_the_color_goes_over_from_what_is_seen_to_what_is_decoded():
    x = np.array([0.0, 0.5, 1.5, 1.75, 2.0, 9.0])
    mesh = Mesh(np.stack([x, 0 * x, 0 * x], 1), np.array([[0, 1, 2], [3, 4, 5]]))
    decoded = VoxelColors(torch.zeros(1, 3), torch.tensor([[0.0, 0, 1]]))
    found = textured(mesh, decoded, torch.zeros(1, 3), torch.tensor([[1.0, 0, 0]]), 1.0).colors
    np.testing.assert_allclose(found[:, 0], [1, 1, 0.5, 0.25, 0, 0])
    np.testing.assert_allclose(found[:, 2], [0, 0, 0.5, 0.75, 1, 1])
    larger = textured(mesh, decoded, torch.zeros(1, 3), torch.tensor([[1.0, 0, 0]]), 10.0).colors
    np.testing.assert_allclose(larger[:, 0], 1)
    unseen = textured(mesh, decoded, torch.zeros(1, 3), None, 1.0).colors
    np.testing.assert_allclose(unseen[:, 2], 1)


def test_what_is_not_seen_has_the_decoded_color_and_what_is_seen_its_own(painter, scene):
    for one in painter.complete(scene, sampler=FEW):
        seen = scene.observe(one.name, 8)
        vertices = torch.from_numpy(one.mesh.vertices)
        distance, index = torch.cdist(vertices, seen.points).min(1)
        voxel = one.frame.scale / 16
        colors = torch.from_numpy(one.mesh.colors).float()
        hidden, visible = distance > 2.01 * voxel, distance < 0.99 * voxel
        torch.testing.assert_close(colors[hidden], TEAL.expand(int(hidden.sum()), 3), atol=1e-3, rtol=0)
        torch.testing.assert_close(colors[visible], seen.colors[index][visible], atol=1e-5, rtol=0)


def test_the_stage_can_be_switched_off_and_changes_colors_alone(painter, toy, scene):
    with_it, without = (painter.complete(scene, sampler=FEW, texture=on) for on in (True, False))
    before = Fixer(toy).complete(scene, sampler=FEW)
    some = 0
    for one, other, old in zip(with_it, without, before, strict=True):
        np.testing.assert_array_equal(one.mesh.vertices, other.mesh.vertices)
        np.testing.assert_array_equal(other.mesh.colors, old.mesh.colors)
        some += int((one.mesh.colors != other.mesh.colors).any(1).sum())
    assert some > 100


def test_clouds_without_a_scene_are_colored_as_before(painter, toy):
    cloud = torch.rand(200, 3, generator=torch.Generator().manual_seed(0))
    one, old = (fixer.complete_points(cloud, colors=cloud, sampler=FEW) for fixer in (painter, Fixer(toy)))
    np.testing.assert_array_equal(one.mesh.colors, old.mesh.colors)


def test_the_color_of_an_object_does_not_depend_on_the_others(artist, scene):
    targets = artist.targets(scene)
    done = artist.complete_targets(targets, sampler=FEW)
    occupancy, frames = [one.voxels for one in done], [one.frame for one in done]
    every = sample_colors(artist.model, targets, occupancy, frames, seed=3)
    alone = sample_colors(artist.model, targets[-1:], occupancy[-1:], frames[-1:], seed=3)[0]
    torch.testing.assert_close(every[-1].colors, alone.colors, atol=1e-4, rtol=0)
    other = sample_colors(artist.model, targets[-1:], occupancy[-1:], frames[-1:], seed=4)[0]
    assert (other.colors - alone.colors).abs().max() > 1e-2
    centers = (occupancy[-1].nonzero() + 0.5) / 16 - 0.5
    distance = torch.cdist(alone.positions, centers * frames[-1].scale + frames[-1].center).amin(1)
    assert distance.max() < 0.01 * frames[-1].scale


def test_weights_without_the_stage_load_and_color_as_before(toy, painter, scene, tmp_path):
    save(Fixer(toy), tmp_path / "old")
    save(painter, tmp_path / "new")
    assert [trained_stages(tmp_path / name)[-1] for name in ("old", "new")] == ["fine", "texture"]
    old, new = (load(tmp_path / name, "cpu") for name in ("old", "new"))
    assert old.model.texturer is None
    assert {key.split(".")[0] for key in old.model.state_dict().keys() ^ new.model.state_dict().keys()} == {"texturer"}
    for one, other in zip(*(fixer.complete(scene, sampler=FEW) for fixer in (old, new)), strict=True):
        seen = scene.observe(one.name, 8)
        plain = colored(Mesh(one.mesh.vertices, one.mesh.faces), seen.points, seen.colors)
        np.testing.assert_array_equal(one.mesh.colors, plain.colors)
        assert (other.mesh.colors != plain.colors).any()


def test_a_model_without_the_stage_has_no_colors_to_sample(toy, painter, scene):
    fixer = Fixer(toy)
    with pytest.raises(ValueError, match="no networks of the stage texture"):
        sample_colors(toy, fixer.targets(scene), [], [])
    done = painter.complete(scene, scene.names[:1], sampler=FEW)[0]
    bare = [type(one)(one.name, one.points, one.confidence, one.images) for one in painter.targets(scene)[:1]]
    with pytest.raises(ValueError, match="needs a scene with an image"):
        sample_colors(painter.model, bare, [done.voxels], [done.frame])
