"""Files of an image, its depth, masks and camera, written by Pillow and NumPy."""

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fixer3d.geometry.cameras import LEVEL
from fixer3d.scenes import depth_files
from fixer3d.scenes.depth_files import load_depth
from fixer3d.scenes.images import load_intrinsics, load_masks, load_pose, load_rgb, load_rgbd

H, W = 12, 16
DEPTH = np.linspace(1, 3, H * W).reshape(H, W)
LABELS = np.zeros((H, W), np.uint8)
LABELS[2:6, 2:8], LABELS[7:11, 8:14] = 1, 7


@pytest.fixture
def folder(tmp_path):
    """An image, depth in millimeters and an index mask."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (H, W, 3), dtype=np.uint8)).save(tmp_path / "rgb.png")
    save_depth(tmp_path / "depth.png")
    (tmp_path / "depth.json").write_text('{"scale": 0.001}')
    Image.fromarray(LABELS).save(tmp_path / "mask.png")
    return tmp_path


def save_depth(path, depth=DEPTH, scale=1000, dtype=np.uint16):
    Image.fromarray((depth * scale).round().astype(dtype)).save(path)


def test_an_image_is_read_with_all_that_belongs_to_it(folder):
    frame = load_rgbd(folder / "rgb.png", folder / "depth.png", folder / "mask.png", "60")
    assert frame.rgb.shape == (H, W, 3)
    np.testing.assert_allclose(frame.depth, DEPTH, atol=6e-4)
    assert list(frame.masks) == ["1", "7"]
    assert frame.masks["7"].equal(torch.from_numpy(LABELS == 7))
    assert frame.intrinsics.fov_x == pytest.approx(math.pi / 3)
    assert frame.c2w.equal(LEVEL)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "jpg"])
def test_images_of_every_kind_become_color(tmp_path, mode):
    image = Image.new("RGB", (5, 4), (200, 100, 50))
    path = tmp_path / ("a.jpg" if mode == "jpg" else "a.png")
    (image if mode == "jpg" else image.convert(mode)).save(path)
    assert load_rgb(path).shape == (4, 5, 3)


def test_what_is_transparent_is_white(tmp_path):
    Image.new("RGBA", (2, 2), (10, 20, 30, 0)).save(tmp_path / "a.png")
    assert (load_rgb(tmp_path / "a.png") == 255).all()


@pytest.mark.parametrize(
    ("sidecar", "argument"),
    [({"scale": 0.001}, None), (None, 0.001), ({"scale": 5}, 0.001), ({"min": 0.0, "max": 65.535}, None)],
)
def test_16_bits_need_a_scale(tmp_path, sidecar, argument):
    save_depth(tmp_path / "d.png")
    if sidecar:
        (tmp_path / "d.json").write_text(json.dumps(sidecar))
    np.testing.assert_allclose(load_depth(tmp_path / "d.png", argument), DEPTH, atol=6e-4)


def test_depth_without_a_scale_says_what_to_do(tmp_path):
    save_depth(tmp_path / "d.png")
    with pytest.raises(ValueError, match=r"d.png holds integers without a scale.*0.001 for millimeters.*d.json"):
        load_depth(tmp_path / "d.png")


def test_8_bits_are_read_with_a_strong_warning(tmp_path):
    save_depth(tmp_path / "d.png", scale=80, dtype=np.uint8)
    with pytest.warns(UserWarning, match=r"d.png has 8 bits.*poor"):
        depth = load_depth(tmp_path / "d.png", 1 / 80)
    np.testing.assert_allclose(depth, DEPTH, atol=1 / 80)


@pytest.mark.parametrize("kind", ["npy", "npz", "named.npz", "tiff", "color"])
def test_depth_of_other_files_is_taken_as_it_is(tmp_path, kind):
    path = tmp_path / f"d.{kind}"
    if kind == "npy":
        np.save(path, DEPTH)
    elif kind == "npz":
        np.savez(path, DEPTH[..., None])
    elif kind == "named.npz":
        np.savez(path, depth=DEPTH.astype(np.float16), other=np.zeros(3))
    elif kind == "tiff":
        Image.fromarray(DEPTH.astype(np.float32)).save(path)
    else:
        path = tmp_path / "d.npy"
        np.save(path, np.repeat(DEPTH[..., None], 3, 2))
    np.testing.assert_allclose(load_depth(path), DEPTH, rtol=1e-3)


def test_depth_that_is_none_is_zero(tmp_path):
    depth = DEPTH.copy()
    depth[0, :4] = [np.nan, np.inf, -1, 0]
    np.save(tmp_path / "d.npy", depth)
    found = load_depth(tmp_path / "d.npy")
    assert (found[0, :4] == 0).all()
    assert (found.flatten()[4:] > 0).all()


class OpenEXR:
    """What the module of this name has, on files of NumPy."""

    class File:
        def __init__(self, path, separate_channels):
            self.pixels = np.load(io.BytesIO(Path(path).read_bytes()))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def channels(self):
            return {
                name: type("Channel", (), {"pixels": self.pixels * k}) for k, name in enumerate(("view.R", "view.Z"))
            }


def test_exr_is_read_where_a_reader_is_installed(tmp_path, monkeypatch):
    with (tmp_path / "d.exr").open("wb") as file:
        np.save(file, DEPTH)
    monkeypatch.setattr(depth_files, "_import", {"OpenEXR": OpenEXR}.get)
    np.testing.assert_allclose(load_depth(tmp_path / "d.exr"), DEPTH, rtol=1e-6)
    monkeypatch.setattr(depth_files, "_import", {}.get)
    with pytest.raises(ValueError, match=r"d.exr needs a reader of EXR; pip install OpenEXR"):
        load_depth(tmp_path / "d.exr")


def broken_npz():
    """A file of arrays whose compression is damaged."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, depth=np.arange(1000.0))
    content = bytearray(buffer.getvalue())
    content[64:80] = b"\xff" * 16
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", np.zeros((H, W)), "no depth"),
        ("a.npy", np.full((H, W), np.nan), "no depth"),
        ("a.npy", np.full((H, W), 1e300), "no depth"),
        ("a.npy", np.zeros((2, H, W)), "one number for each pixel"),
        ("a.npy", np.array(["a"]), "one number for each pixel"),
        ("a.npy", np.array([None]), "not a complete NPY"),
        ("a.npy", b"nonsense", "not a complete NPY"),
        ("a.npy", b"PK\x03\x04 nonsense", "not a complete NPY"),
        ("a.npz", b"nonsense", "not a complete NPZ"),
        ("a.npz", b"PK\x03\x04 nonsense", "not a complete NPZ"),
        ("a.npz", broken_npz(), "not a complete NPZ"),
        ("a.npz", {"x": DEPTH, "y": DEPTH}, "not x, y"),
        ("a.png", b"nonsense", "not an image"),
        ("a.png", Image.new("P", (W, H)), "palette"),
        ("a.png", Image.effect_noise((W, H), 50).convert("RGB").point(lambda x: x).quantize(8), "palette"),
        ("a.txt", b"1 2 3", "not an image"),
    ],
)
def test_files_that_hold_no_depth_are_named(tmp_path, name, content, message):
    write(tmp_path / name, content)
    with pytest.raises(ValueError, match=rf"{name}.*{message}"):
        load_depth(tmp_path / name, 1.0)


def write(path, content):
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    elif isinstance(content, Image.Image):
        content.save(path)
    else:
        np.save(path, content, allow_pickle=True)


@pytest.mark.parametrize(
    ("sidecar", "message"),
    [
        ("[]", "must be an object with"),
        ('{"scale": -1}', "must be positive"),
        ('{"scale": "a"}', "must be a number"),
        ('{"min": 3, "max": 1}', "0 ≤ min ≤ max"),
        ("{", "not a JSON file"),
    ],
)
def test_sidecars_that_say_no_depth_are_named(tmp_path, sidecar, message):
    save_depth(tmp_path / "d.png")
    (tmp_path / "d.json").write_text(sidecar)
    with pytest.raises(ValueError, match=f"d.json.*{message}"):
        load_depth(tmp_path / "d.png")


def test_masks_in_a_folder_may_overlap(tmp_path):
    masks = {"cup": LABELS == 1, "table": LABELS > 0}
    for name, mask in masks.items():
        Image.fromarray(mask.astype(np.uint8) * (255 if name == "cup" else 1)).save(tmp_path / f"{name}.png")
    (tmp_path / "notes.txt").write_text("no mask")
    found = load_masks(tmp_path)
    assert list(found) == ["cup", "table"]
    assert all(found[name].equal(torch.from_numpy(mask)) for name, mask in masks.items())


def test_masks_of_palettes_and_of_colors_are_read(tmp_path):
    palette = Image.fromarray(LABELS, "P")
    palette.putpalette(list(range(256)) * 3)
    palette.save(tmp_path / "p.png")
    colors = np.zeros((H, W, 3), np.uint8)
    colors[LABELS == 1], colors[LABELS == 7] = (0, 0, 200), (200, 30, 0)
    Image.fromarray(colors).save(tmp_path / "c.png")
    assert load_masks(tmp_path / "p.png")["7"].equal(torch.from_numpy(LABELS == 7))
    found = load_masks(tmp_path / "c.png")
    assert found["1"].equal(torch.from_numpy(LABELS == 1))
    assert found["2"].equal(torch.from_numpy(LABELS == 7))


@pytest.mark.parametrize(
    ("name", "pixels", "message"),
    [
        ("m.png", np.zeros((H, W), np.uint8), "empty"),
        ("m.png", np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8), "colors, so it is not a mask"),
        ("m.png", np.arange(900, dtype=np.uint16).reshape(30, 30), "different values"),
        ("m.jpg", LABELS, "with loss"),
    ],
)
def test_images_that_are_no_masks_are_named(tmp_path, name, pixels, message):
    Image.fromarray(pixels).save(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name}.*{message}"):
        load_masks(tmp_path / name)


def test_folders_without_masks_are_named(tmp_path):
    with pytest.raises(ValueError, match="contains no masks"):
        load_masks(tmp_path)
    Image.fromarray(LABELS).save(tmp_path / "a.png")
    Image.fromarray(LABELS * 0).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match="b.png is empty"):
        load_masks(tmp_path)
    Image.fromarray(LABELS[:5]).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match=r"b.png has 16×5 pixels, but .*a.png has 16×12"):
        load_masks(tmp_path)


def test_objects_with_too_little_depth_are_left_out(folder):
    depth = DEPTH * (LABELS == 1)
    depth[8, 9] = 1
    save_depth(folder / "depth.png", depth)
    with pytest.warns(UserWarning, match=r"object 7 of .*mask.png is left out: it has 1 pixels"):
        frame = load_rgbd(folder / "rgb.png", folder / "depth.png", folder / "mask.png", 60.0)
    assert list(frame.masks) == ["1"]
    save_depth(folder / "depth.png", DEPTH * (LABELS == 0))
    with pytest.raises(ValueError, match=r"no object of .*mask.png has at least 10 pixels with depth in .*depth.png"):
        load_rgbd(folder / "rgb.png", folder / "depth.png", folder / "mask.png", 60.0)


@pytest.mark.parametrize("which", ["rgb", "depth", "mask"])
def test_sizes_must_agree(folder, which):
    with Image.open(folder / f"{which}.png") as image:
        image.resize((W + 1, H)).save(folder / f"{which}.png")
    with pytest.raises(ValueError, match=r"they must be of one size"):
        load_rgbd(folder / "rgb.png", folder / "depth.png", folder / "mask.png", 60.0)


@pytest.mark.parametrize("which", ["rgb", "depth", "mask", "k"])
def test_absent_files_are_named(folder, which):
    paths = {name: folder / f"{name}.png" for name in ("rgb", "depth", "mask")} | {"k": folder / "k.json"}
    paths[which].unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError, match=f"there is no file .*{which}"):
        load_rgbd(paths["rgb"], paths["depth"], paths["mask"], paths["k"] if which == "k" else "60")


def test_depth_is_no_image_in_color(folder):
    with pytest.raises(ValueError, match=r"depth.png .* it looks like a depth image"):
        load_rgb(folder / "depth.png")
    (folder / "half.png").write_bytes((folder / "rgb.png").read_bytes()[:200])
    with pytest.raises(ValueError, match="half.png is damaged or incomplete"):
        load_rgb(folder / "half.png")


@pytest.mark.parametrize(
    ("given", "message"),
    [("sixty", "JSON file, not sixty"), ("200", "between 0 and 180"), (".", "or a JSON file"), ("", "or a JSON file")],
)
def test_wrong_cameras_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        load_intrinsics(given, W, H)


def test_cameras_and_poses_of_a_folder_of_images_are_those_of_the_image(tmp_path):
    pose = np.diag([1.0, -1, -1, 1])
    frames = [
        {"file_path": "./images/a", "transform_matrix": np.eye(4).tolist(), "camera_angle_x": 0.5},
        {"file_path": "./images/b.png", "transform_matrix": pose.tolist(), "camera_angle_x": 0.7},
    ]
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps({"camera_angle_x": 1.0, "frames": frames}))
    assert load_intrinsics(path, W, H, tmp_path / "b.png").fov_x == pytest.approx(0.7)
    assert load_intrinsics(path, W, H, tmp_path / "a.png").fov_x == pytest.approx(0.5)
    assert load_intrinsics(str(path), W, H).fov_x == pytest.approx(1.0)
    assert load_pose(path, tmp_path / "b.png").tolist() == pose.tolist()
    path.write_text(json.dumps({"transform_matrix": (2 * np.eye(4)).tolist()}))
    with pytest.raises(ValueError, match=r"transforms.json: a camera-to-world matrix must be a rotation"):
        load_pose(path)
    path.write_text("[[1, 2], [3]]")
    with pytest.raises(ValueError, match=r"transforms.json must hold a transform_matrix"):
        load_pose(path)


def soft(mask):
    """A mask with soft edges, as a resampled one has."""
    image = Image.fromarray(mask.astype(np.uint8) * 255).resize((8 * W, 8 * H), Image.Resampling.BILINEAR)
    return image, np.array(image) > 127


@pytest.mark.parametrize("in_folder", [False, True])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("picture", ["white", "photograph"])
def test_what_is_transparent_is_not_masked(tmp_path, in_folder, mode, picture):
    colors = np.full((H, W, 3), 255, np.uint8)
    if picture == "photograph":
        colors = np.random.default_rng(0).integers(0, 255, (H, W, 3), np.uint8)
    cut = Image.fromarray(colors).convert(mode)
    cut.putalpha(Image.fromarray((LABELS == 1).astype(np.uint8) * 200))
    cut.save(tmp_path / "cup.png")
    (mask,) = load_masks(tmp_path if in_folder else tmp_path / "cup.png").values()
    assert mask.equal(torch.from_numpy(LABELS == 1))


def test_colors_on_a_transparent_ground_are_objects(tmp_path):
    colors = np.full((H, W, 4), (250, 250, 250, 0), np.uint8)
    colors[LABELS == 1], colors[LABELS == 7] = (0, 0, 200, 255), (200, 30, 0, 255)
    Image.fromarray(colors).save(tmp_path / "m.png")
    found = load_masks(tmp_path / "m.png")
    assert found["1"].equal(torch.from_numpy(LABELS == 1))
    assert found["2"].equal(torch.from_numpy(LABELS == 7))
    Image.fromarray(np.where(colors == 0, 255, colors)).convert("RGB").convert("RGBA").save(tmp_path / "opaque.png")
    assert len(load_masks(tmp_path / "opaque.png")) == 3


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_mask_with_soft_edges_is_one_object(tmp_path, mode):
    image, expected = soft(LABELS > 0)
    assert len(np.unique(np.array(image))) > 10
    image.convert(mode).save(tmp_path / "m.png")
    with pytest.warns(UserWarning, match="m.png is read as one mask with soft edges"):
        found = load_masks(tmp_path / "m.png")
    assert list(found) == ["255"]
    assert found["255"].equal(torch.from_numpy(expected))


def test_labels_are_not_taken_for_soft_edges(tmp_path):
    labels = np.array(Image.fromarray(LABELS).resize((8 * W, 8 * H), Image.Resampling.NEAREST))
    labels[labels == 7] = 255
    Image.fromarray(labels).save(tmp_path / "m.png")
    assert list(load_masks(tmp_path / "m.png")) == ["1", "255"]


def test_a_black_and_white_mask_of_16_bits_is_not_an_index(tmp_path):
    Image.fromarray((LABELS > 0).astype(np.uint16) * 65535).save(tmp_path / "m.png")
    assert list(load_masks(tmp_path / "m.png")) == ["65535"]
