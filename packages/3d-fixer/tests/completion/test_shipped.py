"""The weights that come with the package, on kinds of objects and meshes that they were not trained on."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import fixer3d
from fixer3d import Scene, SceneConfig, VisibleOnly, evaluate_scene, generate_scene, half_hidden, load_mesh
from fixer3d.completion.weights import SHIPPED, shipped
from fixer3d.configs import HELD_OUT_CATEGORIES, TINY
from fixer3d.training.runs import load_networks
from separata import configs

UNSEEN = 10_000_000
MESHES = Path(os.environ.get("SEPARATA_DATA", "")) / "meshes"


@pytest.fixture(scope="module")
def fixer():
    return fixer3d.load(device="cpu")


def chamfers(fixer, scene, made):
    """Mean Chamfer distance of the objects of a scene, completed and only seen."""
    truth = {name: made.meshes[name] for name in scene.names}
    found = []
    for objects in (fixer.complete(scene, texture=False), VisibleOnly(32).complete(scene)):
        meshes = {one.name: one.mesh for one in objects}
        report = evaluate_scene(meshes, truth, torch.Generator().manual_seed(0), scales=made.scales, n_points=3000)
        found.append(np.mean([one.chamfer for one in report.objects.values()]))
    return found


def test_they_are_small_and_sampled_as_was_chosen_for_them():
    assert shipped() == ["tiny", "upright"]
    assert (SHIPPED / "tiny" / "model.safetensors").stat().st_size < 16 * 2**20
    model = load_networks(SHIPPED / "tiny")
    assert model.stages == ("coarse", "fine")
    assert set(model.samplers) == {"coarse", "fine"}
    assert set(load_networks(SHIPPED / "upright").samplers) == {"prior"}


def test_their_card_is_the_schedule_of_the_small_model():
    card = json.loads((SHIPPED / "tiny" / "card.json").read_text())
    for stage, found in card["stages"].items():
        assert found["train"] == configs.plain(TINY[stage])
        assert found["step"] == TINY[stage].steps


def test_what_is_completed_is_closer_to_the_truth_than_what_is_seen(fixer):
    config = SceneConfig(n_objects=(4, 4), n_views=1, categories=HELD_OUT_CATEGORIES)
    found = []
    for seed in range(UNSEEN, UNSEEN + 3):
        made = generate_scene(config, seed)
        found.append(chamfers(fixer, Scene.from_view(made.views[0], [one.name for one in made.objects]), made))
    completed, seen = np.mean(found, 0)
    assert completed < seen


@pytest.mark.skipif(not (MESHES / "cow.obj.gz").is_file(), reason="no meshes in $SEPARATA_DATA")
def test_real_meshes_that_are_half_hidden_are_completed_in_their_places(fixer, tmp_path):
    names = ("stanford-bunny", "cow", "teapot", "suzanne")
    meshes = {name: load_mesh(MESHES / f"{name}.obj.gz").upright("y") for name in names}
    made = half_hidden(meshes, image_size=384)
    scene = Scene.from_view(made.views[0], names, min_area=0.001)
    objects = fixer.complete(scene)
    fixer3d.save_objects(objects, tmp_path)
    assert {path.stem for path in tmp_path.glob("*.ply")} == set(names)
    for one in objects:
        low, high = one.mesh.bounds
        truth = made.meshes[one.name].bounds
        # What is hidden reaches down to the floor: half of it is found, at least, and nothing far from it is made up.
        seen = scene.observe(one.name, 8).points[:, 2].min()
        assert low[2] < seen - (float(seen) - truth[0, 2]) / 2
        assert (np.abs(np.stack([low, high]) - truth) < 0.5).all()
