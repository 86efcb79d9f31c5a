"""Commands from scenes to pictures, on files that others made, and what they refuse."""

import gzip
import json
import os
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from fixer3d import cli
from fixer3d.completion import monocular
from fixer3d.completion.weights import load_model
from fixer3d.paper import PAPER
from fixer3d.training.runs import load_networks, save_networks, trained_stages
from separata.testing import Commands, contents

call = Commands(PAPER, [cli.complete, cli.complete_points, cli.render, cli.scenes, cli.train, cli.evaluate])
BRIEF = ["--n-variants", 1, "--batch-size", 2, "--steps", 1]
CHAIN = ("vae", "upright", "prior", "control-pre", "coarse", "fine", "texture")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Scenes, and networks that were trained for a step on each stage."""
    root = tmp_path_factory.mktemp("fixer")
    made = call("scenes", "generate", "--n", 2, "--n-views", 1, "--image-size", 64, "--out", root / "scenes")
    assert made.code == 0, made.err
    before = []
    for stage in CHAIN:
        size = ["--size", "toy"] if stage == "vae" else before
        done = call("train", stage, "--data", root / "scenes", *BRIEF, *size, "--out", root / stage, "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)["step"] == 1
        before = ["--start-from", root / stage]
    (root / "other").mkdir()
    trimesh.creation.box().export(root / "other" / "torus.ply")
    content = (root / "other" / "torus.ply").read_bytes()
    (root / "damaged.ply").write_bytes(content[:-4] + (999).to_bytes(4, "little"))
    (root / "twins").mkdir()
    for name in ("box.OBJ", "box.ply"):
        trimesh.creation.box().export(root / "twins" / name, file_type=name[-3:].lower())
    return root


@pytest.fixture(scope="module")
def done(folder):
    """A completed scene."""
    answer = call("complete", *files(folder / "scenes" / "000000"), "--weights", folder / "fine", *out(folder / "done"))
    assert answer.code == 0, answer.err
    return folder / "done", json.loads(answer.out)


def files(scene, **changes):
    """The options that name the files of a scene."""
    named = {
        "depth": scene / "000_depth.png",
        "masks": scene / "000_index.png",
        "intrinsics": scene / "transforms.json",
        "pose": scene / "transforms.json",
    } | changes
    options = [part for name, value in named.items() if value is not None for part in (f"--{name}", value)]
    return [scene / "000.png", *options]


def out(path):
    return ["--out", path, "--n-steps", 1, "--json"]


def test_every_stage_is_in_the_folder_of_the_last(folder):
    assert trained_stages(folder / "texture") == list(CHAIN)
    model = load_networks(folder / "texture")
    assert model.stages == ("control-pre", "coarse", "fine")
    assert (model.latent_std > 0).all()
    assert not torch.equal(model.latent_std, torch.ones_like(model.latent_std))
    assert load_networks(folder / "fine").texturer is None
    assert not torch.equal(model.texturer.autoencoder.latent_std, torch.ones(8))


def test_what_is_saved_is_what_is_loaded(folder, tmp_path):
    model = load_networks(folder / "texture")
    save_networks(model, tmp_path / "own")
    again = load_networks(tmp_path / "own").state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.state_dict().items())


def test_a_scene_and_each_object_are_written(done):
    path, answer = done
    names = [one["name"] for one in answer["objects"]]
    assert {"scene.glb", "visible.ply", "input.png", "camera.json", *(f"{name}.ply" for name in names)} == {
        file.name for file in path.iterdir()
    }
    assert set(trimesh.load_scene(path / "scene.glb").graph.nodes_geometry) == set(names)


def test_the_texturing_stage_changes_colors_alone_and_can_be_switched_off(done, folder, tmp_path):
    scene = folder / "scenes" / "000000"
    for name, options in (("with", []), ("without", ["--no-texture"])):
        answer = call("complete", *files(scene), "--weights", folder / "texture", *options, *out(tmp_path / name))
        assert answer.code == 0, answer.err
    name = json.loads(answer.out)["objects"][0]["name"]
    paths = [path / f"{name}.ply" for path in (tmp_path / "with", tmp_path / "without", done[0])]
    textured, plain, before = (trimesh.load_mesh(path, process=False) for path in paths)
    np.testing.assert_array_equal(textured.vertices, plain.vertices)
    np.testing.assert_array_equal(plain.visual.vertex_colors, before.visual.vertex_colors)
    assert (textured.visual.vertex_colors != plain.visual.vertex_colors).any()


def test_pictures_show_what_was_seen_and_the_result(done, tmp_path):
    answer = call("render", done[0], "--out", tmp_path / "row.png", "--size", 48)
    assert (answer.code, answer.out.split()[0]) == (0, "4"), answer.err
    picture = np.array(Image.open(tmp_path / "row.png"))
    assert picture.shape == (48, 4 * 48 + 3 * 4, 3)
    assert all(part.std() > 0 for part in np.array_split(picture, 4, axis=1))
    assert call("render", done[0] / "scene.glb", "--out", tmp_path / "two.png", "--size", 48).out.startswith("2 pict")


def test_evaluation_compares_with_the_truth(done, folder):
    answer = json.loads(call("evaluate", done[0], folder / "scenes" / "000000", "--n-points", 300, "--json").out)
    assert answer["chamfer"] > 0
    truth = folder / "scenes" / "000000"
    same = json.loads(call("evaluate", truth / "meshes", truth, "--n-points", 8000, "--json").out)
    assert same["fscore"] > 99
    assert same["object_box_iou"] == pytest.approx(1)


def test_objects_that_were_not_predicted_are_named_and_counted(folder, tmp_path):
    truth = folder / "scenes" / "000000"
    names = sorted(path.name for path in (truth / "meshes").iterdir())
    assert len(names) > 2
    (tmp_path / "some").mkdir()
    shutil.copy(truth / "meshes" / names[0], tmp_path / "some")
    answer = json.loads(call("evaluate", tmp_path / "some", truth, "--n-points", 4000, "--json").out)
    assert answer["fscore"] > 99
    assert answer["not_predicted"] == [Path(name).stem for name in names[1:]]
    every = answer["with_not_predicted"]
    assert every["fscore"] < 90
    n = len(every["objects"])
    assert every["object_fscore"] == pytest.approx(100 / n if Path(names[0]).stem in every["objects"] else 0, abs=1)
    told = call("evaluate", tmp_path / "some", truth, "--n-points", 100).out
    assert f"not predicted, and left out above: {Path(names[1]).stem}" in told
    assert "with them, as objects that are missing: scene chamfer" in told


def test_an_old_result_is_replaced_and_other_files_are_kept(done, folder, tmp_path):
    scene, target = folder / "scenes" / "000000", shutil.copytree(done[0], tmp_path / "done")
    names = [one["name"] for one in done[1]["objects"]]
    assert len(names) > 1
    (target / "mine.ply").write_text("not an object")
    (tmp_path / "outside.ply").write_text("not an object")
    noted = json.loads((target / "camera.json").read_text())
    noted["files"] += ["../outside.ply", "input.png", 7]
    (target / "camera.json").write_text(json.dumps(noted))
    again = call("complete", *files(scene), "--ids", names[0], "--weights", folder / "fine", *out(target))
    assert again.code == 0, again.err
    kept = {path.name for path in target.iterdir()}
    assert kept == {"scene.glb", "visible.ply", "input.png", "camera.json", "mine.ply", f"{names[0]}.ply"}
    assert (tmp_path / "outside.ply").is_file()


def test_a_result_far_from_the_origin_is_written_drawn_and_compared_alike(done, folder, tmp_path):
    shift = np.array([5e5, 4.5e6, 1e3])
    pose = json.loads((done[0] / "camera.json").read_text())["transform_matrix"]
    for row, step in zip(pose, shift):
        row[3] += step
    (tmp_path / "pose.json").write_text(json.dumps(pose))
    given = files(folder / "scenes" / "000000", pose=tmp_path / "pose.json")
    answer = call("complete", *given, "--weights", folder / "fine", *out(tmp_path / "far"))
    assert answer.code == 0, answer.err
    near, far = (trimesh.load_scene(path / "scene.glb") for path in (done[0], tmp_path / "far"))
    np.testing.assert_allclose(far.bounds - shift, near.bounds, atol=1e-3)
    near, far = (trimesh.load(path / "visible.ply").vertices for path in (done[0], tmp_path / "far"))
    np.testing.assert_allclose(far - shift, near, atol=1e-3)
    pictures = []
    for source in (done[0], tmp_path / "far"):
        assert call("render", source, "--out", tmp_path / "row.png", "--size", 48).code == 0
        pictures.append(np.array(Image.open(tmp_path / "row.png")).astype(int))
    assert (np.abs(pictures[0] - pictures[1]) > 8).mean() < 0.01
    same = json.loads(call("evaluate", tmp_path / "far", tmp_path / "far", "--n-points", 2000, "--json").out)
    assert same["object_chamfer"] < 0.1


def test_a_cloud_of_somebody_else_is_completed(folder, tmp_path):
    points = trimesh.creation.torus(1.0, 0.3).vertices
    trimesh.PointCloud(points[points[:, 0] > 0] + [5, 0, 0]).export(tmp_path / "half.ply")
    answer = call("complete-points", tmp_path / "half.ply", "--weights", folder / "fine", *out(tmp_path / "whole.glb"))
    assert answer.code == 0, answer.err
    low, high = trimesh.load_scene(tmp_path / "whole.glb").bounds
    # The visible half is 2.6 long, in the middle of a cube of twice that.
    assert (np.array([3.0, -2.7, -2.7]) < low).all()
    assert (high < np.array([8.3, 2.7, 2.7])).all()


MESHES = Path(os.environ.get("SEPARATA_DATA", "")) / "meshes"


@pytest.mark.skipif(not (MESHES / "spot.obj.gz").is_file(), reason="no meshes in $SEPARATA_DATA")
def test_meshes_of_somebody_else_are_hidden_and_completed(folder, tmp_path):
    (tmp_path / "own").mkdir()
    shutil.copy(MESHES / "spot.obj.gz", tmp_path / "own")
    (tmp_path / "own" / "suzanne.obj").write_bytes(gzip.decompress((MESHES / "suzanne.obj.gz").read_bytes()))
    config = ["--n-objects", 3, 3, "--n-views", 1, "--image-size", 64, "--meshes", tmp_path / "own"]
    assert call("scenes", "generate", "--n", 1, *config, "--out", tmp_path / "scenes").code == 0
    scene = tmp_path / "scenes" / "000000"
    answer = call("complete", *files(scene), "--weights", folder / "fine", *out(tmp_path / "done"))
    assert answer.code == 0, answer.err
    assert {one["name"].split("-")[0] for one in json.loads(answer.out)["objects"]} <= {"spot", "suzanne"}


def test_an_interrupted_stage_is_resumed_and_a_folder_is_not_taken_twice(folder):
    again = ["train", "vae", "--data", folder / "scenes", *BRIEF, "--size", "toy", "--out", folder / "vae"]
    call(*again).assert_refused("already holds a training")
    assert call(*again, "--resume").code == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": None}, "--depth-model"),
        ({"depth-model": "a/model"}, "both were given"),
        ({"depth": "absent.png"}, "no file"),
        ({"masks": "absent.png"}, "no file"),
        ({"intrinsics": 190}, "field of view"),
        ({"weights": "absent"}, "weights that come with this version"),
        ({"ids": "sphinx"}, "no object sphinx"),
        (
            {"weights": "upright"},
            "upright cannot complete objects yet: it has only the stages vae, upright; train prior",
        ),
        ({"weights": "{}/vae"}, "vae cannot complete objects yet: it has only the stages vae; train prior next"),
        ({"weights": "{}/control-pre"}, "it has only the stages vae, upright, prior, control-pre; train coarse next"),
    ],
)
def test_what_cannot_be_completed_costs_one_line(folder, tmp_path, changes, message):
    given = {"weights": folder / "fine", **changes}
    given["weights"] = str(given["weights"]).format(folder)
    words = call("complete", *files(folder / "scenes" / "000000", **given), *out(tmp_path / "result"))
    words.assert_refused(message)
    assert not (tmp_path / "result").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "prior", "--data", "{}/scenes", "--out", "new"], "starts from the stage vae"),
        (["train", "coarse", "--data", "{}/scenes", "--start-from", "{}/vae", "--out", "new"], "does not hold"),
        (["train", "vae", "--data", "{}/scenes", "--start-from", "{}/vae", "--out", "new"], "is the first"),
        (["train", "texture", "--data", "{}/scenes", "--start-from", "{}/coarse", "--out", "new"], "stage fine"),
        (
            ["train", "upright", "--data", "{}/scenes", "--start-from", "{}/prior", "--out", "new"],
            "already holds prior, which would no longer fit its prior after the stage upright",
        ),
        (
            ["train", "prior", "--data", "{}/scenes", "--start-from", "{}/texture", "--out", "new"],
            "already holds control-pre, coarse, fine, texture, which would no longer fit",
        ),
        (
            ["train", "control-pre", "--data", "{}/scenes", "--start-from", "upright", "--out", "new"],
            "does not hold the stage prior, from which control-pre starts",
        ),
        (
            ["train", "prior", "--data", "{}/scenes", "--start-from", "upright", "--size", "toy", "--out", "new"],
            "of other sizes",
        ),
        (["train", "vae", "--data", "{}/scenes", "--seed", 2**63, "--out", "new"], "seed must be at least 0 and less"),
        (["train", "vae", "--data", "{}/scenes", "--alignment", "inf", "--out", "new"], "must be finite, not inf"),
        (["evaluate", "{}/other", "{}/other", "--seed", 2**64], "seed must be at least 0 and less than 2^63"),
        (["train", "vae", "--data", "{}/vae", "--out", "new"], "contains no scenes"),
        (["train", "vae", "--data", "{}/scenes", "--lr", 2, "--out", "new"], "learning rate"),
        (["scenes", "generate", "--n", 0, "--out", "new"], "at least 1"),
        (["scenes", "generate", "--meshes", "{}/vae", "--out", "new"], "contains no meshes"),
        (["scenes", "generate", "--meshes", "{}/twins", "--out", "new"], "two meshes of the name box"),
        (["scenes", "generate", "--seed", -1, "--out", "new"], "seed must not be negative"),
        (["train", "vae", "--data", "{}/scenes", "--steps", 0, "--out", "new"], "at least 1"),
        (
            ["train", "prior", "--data", "{}/scenes", "--start-from", "{}/vae", "--size", "tiny", "--out", "new"],
            "of other sizes",
        ),
        (["train", "vae", "--data", "{}/scenes", "--max-scenes", -1, "--out", "new"], "at least 1"),
        (
            ["complete-points", "{}/other/torus.ply", "--weights", "{}/prior", "--out", "new.ply"],
            "train control-pre next",
        ),
        (["complete-points", "{}/damaged.ply", "--weights", "{}/fine", "--out", "new.ply"], "does not exist"),
        (["evaluate", "{}/damaged.ply", "{}/scenes/000001"], "does not exist"),
        (["scenes", "generate", "--n-objects", 3, 2, "--out", "new"], "n objects"),
        (["render", "{}/scenes", "--out", "new.png"], "no file"),
        (["render", "{}/scenes", "--out", "new.jpg"], ".png"),
        (["evaluate", "{}/other", "{}/scenes/000001"], "no object has the same name"),
        (["evaluate", "{}/vae", "{}/scenes/000001"], "contains neither"),
        (["complete-points", "{}/absent.ply", "--weights", "{}/fine", "--out", "new.ply"], "no file"),
        (
            ["complete-points", "{}/scenes/000000/000.png", "--weights", "{}/fine", "--out", "new.ply"],
            "not a mesh or point",
        ),
        (["complete-points", "{}/absent.ply", "--weights", "{}/fine", "--out", "new.txt"], "must end with"),
    ],
)
def test_bad_input_costs_one_line_and_leaves_nothing(folder, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    call(*(str(word).format(folder) for word in words)).assert_refused(message)
    assert not contents(tmp_path)


def test_a_name_that_is_a_folder_and_comes_with_the_package_is_refused(folder, tmp_path, monkeypatch):
    """Nobody gets other weights than they mean."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "upright", tmp_path / "upright")
    train = ["train", "prior", "--data", folder / "scenes", *BRIEF, "--out", tmp_path / "new"]
    for words in (
        [*train, "--start-from", "./upright"],
        ["complete-points", "x.ply", "--weights", "upright", *out("y.ply")],
    ):
        (tmp_path / "x.ply").write_bytes((folder / "other" / "torus.ply").read_bytes())
        call(*words).assert_refused(f"give its whole path, {tmp_path / 'upright'}")
    assert not {"new", "y.ply"} & {path.name for path in tmp_path.iterdir()}
    assert call(*train, "--start-from", tmp_path / "upright").code == 0
    assert load_networks(tmp_path / "new").config == load_networks(folder / "upright").config


def test_the_prior_goes_on_from_the_upright_one_that_comes_with_the_package(folder, tmp_path):
    words = ["train", "prior", "--data", folder / "scenes", *BRIEF, "--lr", 1e-6, "--start-from", "upright"]
    answer = call(*words, "--out", tmp_path / "prior")
    assert answer.code == 0, answer.err
    assert trained_stages(tmp_path / "prior") == ["vae", "upright", "prior"]
    before, after = load_model("upright", "cpu").state_dict(), load_networks(tmp_path / "prior").state_dict()
    assert before.keys() == after.keys()
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, atol=2e-3, rtol=2e-3)
    assert any(not torch.equal(after[name], value) for name, value in before.items() if name.startswith("prior."))


def test_a_depth_model_takes_the_place_of_depth(folder, tmp_path, monkeypatch):
    """A stand-in for transformers, whose pipelines give a map of another size than the image's."""

    class Pipeline:
        model = SimpleNamespace(config=SimpleNamespace(depth_estimation_type="relative"))

        def __call__(self, image):
            return {"predicted_depth": torch.linspace(1, 2, 32 * 32).reshape(32, 32)}

    fake = ModuleType("transformers")
    fake.pipeline = lambda task, model, device: Pipeline()
    monkeypatch.setitem(sys.modules, "transformers", fake)
    given = files(folder / "scenes" / "000000", depth=None, **{"depth-model": "some/model"})
    answer = call("complete", *given, "--weights", folder / "fine", *out(tmp_path / "done"))
    assert answer.code == 0, answer.err
    assert (tmp_path / "done" / "scene.glb").is_file()


def test_inverse_depth_becomes_depth():
    values = torch.tensor([[1.0, 2.0, 4.0]])
    torch.testing.assert_close(monocular.as_depth(values, is_metric=False), torch.tensor([[2.0, 1.0, 0.5]]))
    assert monocular.as_depth(values, is_metric=True) is values
