"""Folders of scenes, read back and read by the readers of people's own files."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from fixer3d.configs import SceneConfig
from fixer3d.scenes import dataset
from fixer3d.scenes.dataset import fingerprint, load_scene, save_scene, scene_folders
from fixer3d.scenes.generation import SyntheticScene, generate_scene
from fixer3d.scenes.images import load_rgbd
from fixer3d.scenes.rendering import View
from separata.testing import contents

ABSENT = object()


@pytest.fixture(scope="module")
def scene():
    return generate_scene(SceneConfig(n_objects=(3, 3), n_views=2, image_size=48), 2)


@pytest.fixture(scope="module")
def folder(scene, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "0"
    save_scene(scene, folder)
    return folder


def test_a_scene_is_read_as_it_was_written(scene, folder):
    again = load_scene(folder)
    assert again.placements == scene.placements
    assert again.seed == 2
    for first, second in zip(scene.objects, again.objects):
        assert first[:2] == second[:2]
        np.testing.assert_allclose(first.mesh.vertices, second.mesh.vertices, atol=1e-6)
        np.testing.assert_allclose(first.mesh.colors, second.mesh.colors, atol=1 / 255)
    for first, second in zip(scene.views, again.views):
        assert first.rgb.equal(second.rgb)
        assert first.index.equal(second.index)
        span = float(first.depth.max() - first.depth[first.index > 0].min())
        np.testing.assert_allclose(first.depth, second.depth, atol=span / 65535)
        assert second.intrinsics.fx == pytest.approx(first.intrinsics.fx)
        assert second.c2w.equal(first.c2w)
    assert scene_folders(folder.parent) == [folder]


def test_images_are_coded_as_in_the_paper(scene, folder):
    view, frame = scene.views[0], json.loads((folder / "transforms.json").read_text())["frames"][0]
    with Image.open(folder / "000_index.png") as image:
        np.testing.assert_array_equal(np.rint(np.array(image) / 65535 * 100), view.index)
    with Image.open(folder / "000_depth.png") as image:
        low, high = frame["depth"]["min"], frame["depth"]["max"]
        depth = np.array(image) / 65535 * (high - low) + low
    shown = view.index > 0
    np.testing.assert_allclose(depth[shown], view.depth[shown], atol=1e-3)


@pytest.mark.filterwarnings("ignore:object .* is left out")
def test_a_view_is_read_like_anybody_s_files(scene, folder):
    transforms = folder / "transforms.json"
    paths = [folder / f"001{end}.png" for end in ("", "_depth", "_index")]
    frame = load_rgbd(*paths, transforms, pose=transforms)
    view = scene.views[1]
    for name, mask in frame.masks.items():
        number = [one.name for one in scene.objects].index(name)
        assert mask.equal(view.mask(number))
        np.testing.assert_allclose(frame.depth[mask], view.depth[mask], atol=1e-3)
    assert frame.masks
    assert frame.c2w.equal(view.c2w)
    assert frame.intrinsics.fx == pytest.approx(view.intrinsics.fx)


def test_a_scene_is_whole_or_absent(scene, tmp_path, monkeypatch):
    target = tmp_path / "scene"
    monkeypatch.setattr(dataset, "_save_view", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="full"):
        save_scene(scene, target)
    assert not list(tmp_path.iterdir())


def test_only_scenes_are_replaced(scene, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="something other than a scene"):
        save_scene(scene, tmp_path / "mine")
    (tmp_path / "file").write_text("a file")
    with pytest.raises(FileExistsError, match="is a file"):
        save_scene(scene, tmp_path / "file")
    for _ in range(2):
        save_scene(scene, tmp_path / "scene")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine", "scene"]
    assert contents(tmp_path / "mine") == {"thesis.txt": b"years of work"}


def test_broken_scenes_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="transforms.json"):
        load_scene(tmp_path)
    (tmp_path / "transforms.json").write_text('{"objects": [{"name": "a"}], "frames": []}')
    with pytest.raises(ValueError, match=r"transforms.json does not describe a scene: 'category'"):
        load_scene(tmp_path)
    with pytest.raises(FileNotFoundError, match="contains no scenes"):
        scene_folders(tmp_path)


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("objects", "name", "same", "two objects have the same name"),
        ("objects", "rand_trans", [0, 1], "rand_trans must be 3 finite numbers"),
        ("objects", "rand_rot", "x", "rand_rot must be a finite number"),
        ("objects", "rand_scale", 0, "rand_scale must be positive"),
        ("objects", "mesh_path", 3, "another form"),
        ("frames", "depth", {"min": float("nan"), "max": 3}, "min must be a finite number"),
        ("frames", "depth", {"min": 4, "max": 3}, "0 ≤ min ≤ max"),
        ("frames", "depth", 7, "another form"),
        ("frames", "transform_matrix", np.eye(3).tolist(), "transform_matrix must be 4×4 finite numbers"),
        ("frames", "transform_matrix", [[1, 2], [3]], "transform_matrix must be 4×4 finite numbers"),
        ("frames", "transform_matrix", (2 * np.eye(4)).tolist(), "must be a rotation"),
        ("frames", "camera_angle_x", 9, "field of view"),
        ("frames", "camera_angle_x", ABSENT, "neither fx"),
        ("frames", "index_path", ABSENT, "'index_path' is missing"),
    ],
)
def test_damaged_descriptions_of_scenes_are_named(folder, tmp_path, part, key, value, message):
    shutil.copytree(folder, tmp_path / "scene")
    path = tmp_path / "scene" / "transforms.json"
    values = json.loads(path.read_text())
    for entry in values[part]:
        entry.pop(key)
        entry.update({} if value is ABSENT else {key: value})
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=f"transforms.json does not describe a scene: .*{message}"):
        load_scene(tmp_path / "scene")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("000.png", lambda image: image.resize((47, 48)), r"000_depth.png has 48×48 pixels, but .*000.png has 47×48"),
        ("001_depth.png", lambda image: image.resize((24, 48)), r"001_depth.png has 24×48 pixels"),
        ("000_index.png", lambda image: Image.new("RGB", (48, 48)), r"000_index.png has 48×48 pixels in color"),
        (
            "000_index.png",
            lambda image: Image.fromarray(np.full((48, 48), 65535, np.uint16)),
            "has the index 100, but .* has 5",
        ),
        ("000_depth.png", lambda image: Image.new("I;16", (48, 48)), r"000_depth.png has no depth at some pixels"),
    ],
)
def test_images_that_do_not_fit_the_scene_are_named(folder, tmp_path, name, change, message):
    shutil.copytree(folder, tmp_path / "scene")
    values = json.loads((tmp_path / "scene" / "transforms.json").read_text())
    values["frames"][0]["depth"]["min"] = 0 if "no depth" in message else 0.1
    (tmp_path / "scene" / "transforms.json").write_text(json.dumps(values))
    with Image.open(tmp_path / "scene" / name) as image:
        changed = change(image)
    changed.save(tmp_path / "scene" / name)
    with pytest.raises(ValueError, match=message):
        load_scene(tmp_path / "scene")


def test_an_object_that_is_not_described_is_noticed(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "scene")
    path = tmp_path / "scene" / "transforms.json"
    values = json.loads(path.read_text())
    values["objects"].clear()
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=r"_index.png has the index \d, but the scene's last object has 2"):
        load_scene(tmp_path / "scene")


def test_an_index_image_holds_as_many_objects_as_a_scene_may_have(scene, tmp_path):
    with pytest.raises(ValueError, match="at most 97 objects, not 120"):
        SceneConfig(n_objects=(120, 120))
    objects = [scene.objects[0]._replace(name=f"box-{k}") for k in range(98)]
    index = torch.arange(100).reshape(10, 10)
    view = View(scene.views[0].rgb[:10, :10], torch.ones(10, 10), index, scene.views[0].intrinsics, scene.views[0].c2w)
    view = replace(view, intrinsics=view.intrinsics.resized(10, 10))
    made = SyntheticScene(tuple(objects[:97]), (view,), (scene.placements[0],) * 97, 0)
    save_scene(made, tmp_path / "full")
    assert load_scene(tmp_path / "full").views[0].index.equal(index)
    with pytest.raises(ValueError, match="at most 97 objects, not 98"):
        save_scene(replace(made, objects=tuple(objects)), tmp_path / "more")
    assert not (tmp_path / "more").exists()


def test_other_scenes_have_other_fingerprints(scene, tmp_path):
    paths = [tmp_path / where / "0" for where in ("a", "b", "c")]
    for path in paths:
        save_scene(scene if path.parent.name != "c" else replace(scene, seed=3), path)
    one, same, other = (fingerprint([path]) for path in paths)
    assert one == same != other
    Image.new("RGB", (48, 48)).save(paths[1] / "001.png")
    assert fingerprint([paths[1]]) != one
    assert fingerprint([paths[0], paths[2]]) not in {one, other}
