"""Arrays of every type that people have, against the same scene in plain ones, and what is refused."""

import numpy as np
import pytest
import torch

from fixer3d.completion.scene import Scene
from fixer3d.configs import SamplerConfig
from fixer3d.geometry.cameras import LEVEL, Intrinsics

FEW = SamplerConfig(n_steps=1)
CAMERA = Intrinsics.from_fov(60.0, 6, 4)
MATRIX = np.array([[CAMERA.fx, 0, CAMERA.cx], [0, CAMERA.fy, CAMERA.cy], [0, 0, 1]])
RGB, DEPTH = np.arange(72, dtype=np.uint8).reshape(4, 6, 3), np.ones((4, 6))
INDEX = np.zeros((4, 6), int)
INDEX[0], INDEX[1] = 7, 2
MASK = INDEX == 7
GIVEN = {"rgb": RGB, "depth": DEPTH, "masks": {"cup": MASK}, "intrinsics": CAMERA}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rgb": np.zeros((4, 6))}, "must have shape"),
        ({"rgb": RGB / 10}, r"floats must lie in \[0, 1\]"),
        ({"rgb": RGB.astype(int) + 300}, r"integers must lie in \[0, 255\]"),
        ({"rgb": np.full((4, 6, 3), np.nan)}, r"floats must lie in \[0, 1\]"),
        ({"rgb": np.full((4, 6, 3), "red")}, "image must be an array of numbers"),
        ({"depth": np.ones((6, 4))}, "the depth has 4x6 pixels"),
        ({"depth": np.full((4, 6), np.nan)}, "no pixel has a depth"),
        ({"depth": MASK}, "not of truth values"),
        ({"masks": {"cup": np.ones((2, 2))}}, "mask of cup has 2x2"),
        ({"masks": {"cup": np.zeros((4, 6))}}, "mask of cup is empty"),
        ({"masks": {"cup": DEPTH * 0.4}}, "mask of cup is empty"),
        ({"masks": {"cup": DEPTH * 2.5}}, "cup holds neither integers nor probabilities .* apply a threshold"),
        ({"masks": {"cup": DEPTH * np.nan}}, "cup holds neither integers nor probabilities"),
        ({"masks": DEPTH * -2.5}, "image of masks holds neither"),
        ({"masks": {1: MASK, "1": MASK}}, "same name"),
        ({"masks": np.zeros((4, 6), int)}, "there is no object"),
        ({"masks": []}, "there is no object"),
        ({"intrinsics": Intrinsics.from_fov(60.0, 5, 4)}, "the camera has 5x4"),
        ({"intrinsics": np.eye(4)}, "must have 3×3 numbers"),
        ({"intrinsics": np.full((3, 3), np.nan)}, "must be fx 0 cx"),
        ({"c2w": 2 * np.eye(4)}, "rotation"),
        ({"c2w": np.eye(3)}, r"pose must have shape \(4, 4\) or \(3, 4\), not \(3, 3\)"),
        ({"depth_ratio": 2.0}, "depth ratio"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_a_sentence(changes, message):
    with pytest.raises(ValueError, match=message):
        Scene.from_rgbd(**{**GIVEN, **changes})


def test_masks_come_by_name_in_a_sequence_or_as_numbers():
    assert Scene.from_rgbd(RGB, DEPTH, INDEX, CAMERA).names == ("object-2", "object-7")
    assert Scene.from_rgbd(RGB, DEPTH, [MASK, MASK], CAMERA).names == ("object-1", "object-2")
    assert Scene.from_rgbd(RGB, DEPTH, MASK, CAMERA).masks["object-1"].equal(torch.from_numpy(MASK))


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.uint32, np.uint64, np.float32])
def test_images_of_masks_of_every_type_are_read(kind):
    for index in (INDEX.astype(kind), torch.from_numpy(INDEX.astype(kind))):
        masks = Scene.from_rgbd(RGB, DEPTH.astype(kind), index, CAMERA).masks
        assert masks["object-7"].equal(torch.from_numpy(INDEX == 7))
        assert masks["object-2"].equal(torch.from_numpy(INDEX == 2))
    background = np.where(INDEX > 0, INDEX, -1) if kind == np.int16 else INDEX.astype(kind)
    assert Scene.from_rgbd(RGB, DEPTH, background, CAMERA).names == ("object-2", "object-7")


@pytest.mark.parametrize(
    "mask",
    [MASK * np.uint16(255), MASK[None], MASK[..., None], MASK * 255.0, np.where(MASK, 0.7, 0.2), MASK.astype("f2")],
)
def test_a_mask_of_every_type_is_the_same(mask):
    found = Scene.from_rgbd(RGB, DEPTH, {"cup": mask}, CAMERA)
    assert found.masks["cup"].equal(torch.from_numpy(MASK))
    if mask.ndim == 2:
        assert Scene.from_rgbd(RGB, DEPTH, mask, CAMERA).masks.popitem()[1].equal(torch.from_numpy(MASK))


@pytest.mark.parametrize("rgb", [RGB.astype(np.int64), RGB / 255, np.concatenate([RGB, RGB[..., :1]], 2)])
def test_images_of_every_type_are_the_same(rgb):
    assert Scene.from_rgbd(**{**GIVEN, "rgb": rgb}).rgb.equal(torch.from_numpy(RGB))


def test_cameras_may_be_matrices_and_poses_three_rows():
    found = Scene.from_rgbd(**{**GIVEN, "intrinsics": MATRIX, "c2w": LEVEL.numpy()[:3], "depth": DEPTH[None]})
    assert vars(found.intrinsics) == pytest.approx(vars(CAMERA))
    assert found.c2w.equal(LEVEL)


POINTS = np.random.default_rng(0).random((40, 3))


def test_clouds_may_be_arrays_of_numpy(toy_fixer):
    crop = np.random.default_rng(0).random((3, 32, 32))
    one, other = (
        toy_fixer.complete_points(points, image_crop=picture, sampler=FEW)
        for points, picture in ((POINTS, crop), (torch.from_numpy(POINTS), torch.from_numpy(crop).float()))
    )
    assert one.voxels.equal(other.voxels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": np.ones((40, 4))}, r"points must have shape \(n, 3\), not \(40, 4\)"),
        ({"points": np.full((40, 3), "a")}, "points must be an array of numbers"),
        ({"points": np.ones((40, 3))}, "all confident points lie at the same place"),
        ({"confidence": np.ones(39)}, r"confidence must have shape \(40,\), not \(39,\)"),
        ({"confidence": np.full(40, 2)}, r"confidence must lie in \[0, 1\]"),
        ({"colors": np.ones((40, 4))}, r"colors must have shape \(40, 3\)"),
        ({"image_crop": np.ones((3, 8, 8))}, r"crop must have shape \(3, 32, 32\), not \(3, 8, 8\)"),
        ({"image_crop": np.full((3, 32, 32), 7.0)}, "crop must hold bytes, or numbers from 0 to 1"),
        ({"image_crop": np.ones((3, 32, 32)), "crop_mask": np.ones((32, 32))}, r"mask must have shape \(1, 32, 32\)"),
    ],
)
def test_clouds_that_do_not_fit_are_refused_in_a_sentence(balls, changes, message):
    with pytest.raises(ValueError, match=message):
        balls.complete_points(**{"points": POINTS, **changes})
