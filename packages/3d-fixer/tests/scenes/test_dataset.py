"""Folders of scenes, read back and read by the readers of people's own files."""

import json

import numpy as np
import pytest
from PIL import Image

from fixer3d.configs import SceneConfig
from fixer3d.scenes import dataset
from fixer3d.scenes.dataset import load_scene, save_scene, scene_folders
from fixer3d.scenes.generation import generate_scene
from fixer3d.scenes.images import load_rgbd
from separata.testing import contents


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
    with pytest.raises(FileExistsError, match="something else than a scene"):
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
    with pytest.raises(FileNotFoundError, match="holds no scene"):
        scene_folders(tmp_path)
