"""The weights that come with the package: what they are, and that they complete what nothing was trained on."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import fixer3d
from fixer3d import Fixer, Scene, VisibleOnly
from fixer3d.completion.weights import SHIPPED, shipped
from fixer3d.configs import HELD_OUT_CATEGORIES, TINY, TRAINING_CATEGORIES, SceneConfig
from fixer3d.geometry.distances import chamfer_distance
from fixer3d.scenes.generation import generate_scene
from separata import configs

MESHES = Path(os.environ.get("SEPARATA_DATA", ""), "meshes")
FIRST = 10_000_100
"""Seed of the first scene; the weights were trained on scenes of far smaller ones."""
N_POINTS = 4_000


@pytest.fixture(scope="module")
def fixer():
    return Fixer.from_pretrained("tiny", "cpu")


def distances(scene, truth, objects):
    """Chamfer distance of each object from the truth, over the longest side of that."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for one in objects:
        whole = truth[one.name]
        clouds = [mesh.sample(N_POINTS, generator)[None].float() for mesh in (one.mesh, whole)]
        found[one.name] = float(chamfer_distance(*clouds)) / float(np.ptp(whole.bounds, axis=0).max())
    assert set(found) == set(scene.names)
    return found


def test_they_are_small_and_say_how_they_were_made(fixer):
    assert shipped() == ["tiny", "upright"]
    folder = SHIPPED / "tiny"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 16_000_000
    assert fixer.model.stages == ("coarse", "fine")
    assert fixer.model.texturer is not None
    assert set(fixer.model.samplers) == {"coarse", "fine"}
    card = json.loads((folder / "card.json").read_text())
    assert set(card["stages"]) == {"prior", "control-pre", "coarse", "fine", "texture"}
    for stage, settings in card["stages"].items():
        assert settings["train"] == configs.plain(TINY[stage])
        rows = (folder / f"history-{stage}.csv").read_text().splitlines()
        assert float(rows[-1].split(",")[0]) == pytest.approx(TINY[stage].steps, rel=0.05)
    assert card["categories"] == list(TRAINING_CATEGORIES)


def test_in_three_scenes_of_other_kinds_completed_objects_are_closer_to_the_truth_than_what_is_seen(fixer):
    """That the weights do what they did; over many scenes the two are about equal, which the claims measure."""
    config = SceneConfig(n_objects=(3, 4), n_views=1, image_size=256, categories=HELD_OUT_CATEGORIES)
    completed, seen = [], []
    for i in range(3):
        made = generate_scene(config, FIRST + i)
        scene = Scene.from_view(made.views[0], [one.name for one in made.objects])
        completed += distances(scene, made.meshes, fixer.complete(scene, texture=False)).values()
        seen += distances(scene, made.meshes, VisibleOnly().complete(scene)).values()
    assert len(completed) >= 6
    assert np.mean(completed) < np.mean(seen)


@pytest.mark.skipif(not MESHES.is_dir(), reason="there are no meshes in $SEPARATA_DATA")
def test_real_meshes_half_hidden_are_completed(fixer):
    names = ("stanford-bunny", "cow", "teapot")
    meshes = {name: fixer3d.load_mesh(MESHES / f"{name}.obj.gz").upright("y") for name in names}
    made = fixer3d.half_hidden(meshes, image_size=384)
    scene = Scene.from_view(made.views[0], list(names))
    completed = distances(scene, made.meshes, fixer.complete(scene, texture=False))
    seen = distances(scene, made.meshes, VisibleOnly().complete(scene))
    assert np.mean(list(completed.values())) < np.mean(list(seen.values()))
