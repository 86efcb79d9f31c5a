"""Cameras, against each other and closed forms."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fixer3d.geometry.cameras import LEVEL, Intrinsics, back_project, check_rigid, look_at, project, rays


@given(st.integers(0, 2**31), st.floats(20, 120))
@settings(max_examples=30)
def test_what_is_projected_back_is_at_the_center_of_its_pixel(seed, fov):
    generator = torch.Generator().manual_seed(seed)
    camera = Intrinsics.from_fov(fov, 12, 9)
    pose = look_at(torch.randn(3, generator=generator) * 3, torch.randn(3, generator=generator))
    depth = torch.rand(9, 12, generator=generator) * 5 + 0.5
    pixels, again = project(back_project(depth, camera, pose), camera, pose)
    v, u = torch.meshgrid(torch.arange(9) + 0.5, torch.arange(12) + 0.5, indexing="ij")
    torch.testing.assert_close(pixels, torch.stack([u, v], -1), atol=2e-4, rtol=0)
    torch.testing.assert_close(again, depth, atol=1e-5, rtol=1e-5)


def test_an_opengl_camera_looks_along_minus_z_with_y_up():
    camera = Intrinsics(10, 20, 4, 3, 8, 6)
    origin, directions = rays(camera, torch.eye(4))
    assert origin.tolist() == [0, 0, 0]
    torch.testing.assert_close(directions[0, 0], torch.tensor([-3.5 / 10, 2.5 / 20, -1]))
    pixels, depth = project(torch.tensor([[1.0, 1, -2]]), camera, torch.eye(4))
    assert (pixels.tolist(), depth.tolist()) == ([[4 + 5, 3 - 10]], [2])


def test_a_camera_sees_its_target_in_the_middle_and_the_sky_above():
    pose = look_at(torch.tensor([3.0, -2, 1]), torch.zeros(3))
    check_rigid(pose)
    camera = Intrinsics.from_fov(60, 100, 80)
    pixels, depth = project(torch.tensor([[0.0, 0, 0], [0, 0, 0.5]]), camera, pose)
    torch.testing.assert_close(pixels[0], torch.tensor([50.0, 40]), atol=1e-3, rtol=0)
    assert pixels[1, 1] < pixels[0, 1]
    assert float(depth[0]) == pytest.approx(14**0.5, rel=1e-5)
    check_rigid(look_at(torch.tensor([0.0, 0, 3]), torch.zeros(3)))


def test_the_field_of_view_spans_the_image():
    camera = Intrinsics.from_fov(90, 100, 50)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((50, 50, 50, 25))
    assert camera.fov_x == pytest.approx(math.pi / 2)
    assert camera.resized(50, 50).fx == pytest.approx(25)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"fx": 60, "fy": 70, "cx": 31, "cy": 21}, (60, 70, 31, 21)),
        ({"fx": 120, "fy": 120, "cx": 64, "cy": 40, "width": 128, "height": 80}, (60, 60, 32, 20)),
        ({"camera_angle_x": math.pi / 2, "frames": []}, (32, 32, 32, 20)),
        ({"fl_x": 60, "w": 64, "h": 40}, (60, 60, 32, 20)),
        ([[60, 0, 31], [0, 70, 21], [0, 0, 1]], (60, 70, 31, 21)),
        ({"K": [[60, 0, 31], [0, 70, 21], [0, 0, 1]]}, (60, 70, 31, 21)),
        ({"K": [60, 0, 31, 0, 70, 21, 0, 0, 1]}, (60, 70, 31, 21)),
        ({"camera_matrix": {"rows": 3, "cols": 3, "data": [60, 0, 31, 0, 70, 21, 0, 0, 1]}}, (60, 70, 31, 21)),
        # Open3D writes matrices column by column.
        ({"intrinsic_matrix": [120, 0, 0, 0, 140, 0, 62, 42, 1], "width": 128, "height": 80}, (60, 70, 31, 21)),
    ],
)
def test_cameras_are_read_from_json(tmp_path, values, expected):
    (tmp_path / "k.json").write_text(json.dumps(values))
    camera = Intrinsics.from_json(tmp_path / "k.json", 64, 40)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "neither fx"),
        ("[]", "3×3 numbers"),
        ("7", "or a 3×3 matrix"),
        ("nothing", "not a JSON file"),
        ('{"fx": "a"}', "fx must be a number, not 'a'"),
        ('{"fx": true}', "fx must be a number, not True"),
        ('{"fx": -1}', "must be positive"),
        ('{"camera_angle_x": 9}', "between 0 and 180"),
        ('{"fx": NaN}', "fx must be a number, not nan"),
        ('{"fx": 50, "width": Infinity, "height": 40}', "width must be a number, not inf"),
        ('{"fx": 50, "width": 0.5, "height": 40}', "at least 1"),
        ('{"fx": 50, "width": 64}', "both a width and a height"),
        ('{"K": [[60, 0, 31], [0, 70, 21]]}', "3×3 numbers"),
        ('{"K": [[60, 0, 31], [0, 70, 21], [0, 1, 1]]}', "fx 0 cx, 0 fy cy, 0 0 1"),
        ('{"K": [[60, 5, 31], [0, 70, 21], [0, 0, 1]]}', "skew"),
        ('{"K": [[NaN, 0, 31], [0, 70, 21], [0, 0, 1]]}', "fx 0 cx"),
        ('{"K": null}', "3×3 numbers"),
    ],
)
def test_a_file_that_does_not_describe_a_camera_is_named(tmp_path, text, message):
    (tmp_path / "k.json").write_text(text)
    with pytest.raises(ValueError, match=f"k.json.*{message}"):
        Intrinsics.from_json(tmp_path / "k.json", 64, 40)


@pytest.mark.parametrize("fov", [0, 180, -1, float("nan")])
def test_impossible_fields_of_view_are_refused(fov):
    with pytest.raises(ValueError, match="between 0 and 180"):
        Intrinsics.from_fov(fov, 10, 10)


@pytest.mark.parametrize("wrong", ["scaled", "mirrored", "projective", "nan"])
def test_poses_that_are_not_rigid_are_refused(wrong):
    pose = torch.eye(4)
    if wrong == "scaled":
        pose[:3, :3] *= 2
    elif wrong == "mirrored":
        pose[0, 0] = -1
    else:
        pose[3, 0] = 1 if wrong == "projective" else math.nan
    with pytest.raises(ValueError, match="rotation and a shift"):
        check_rigid(pose)


def test_depth_must_have_the_size_of_the_camera():
    with pytest.raises(ValueError, match="5×4 pixels, the camera 10×10"):
        back_project(torch.ones(4, 5), Intrinsics.from_fov(60, 10, 10), torch.eye(4))


def test_a_level_camera_sees_what_is_before_it_with_z_up():
    check_rigid(LEVEL)
    camera = Intrinsics.from_fov(90, 100, 100)
    world = torch.tensor([[0.0, 2, 0], [1, 2, 0], [0, 2, 1]])
    pixels, depth = project(world, camera, LEVEL)
    torch.testing.assert_close(depth, torch.full((3,), 2.0))
    torch.testing.assert_close(pixels, torch.tensor([[50.0, 50], [75, 50], [50, 25]]))
