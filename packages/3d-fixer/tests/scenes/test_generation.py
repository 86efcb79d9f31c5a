"""Scenes: where objects stand, and what cameras see, against closed forms."""

import math
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from fixer3d.configs import SceneConfig
from fixer3d.geometry.cameras import Intrinsics, back_project, check_rigid, look_at, project
from fixer3d.geometry.meshes import Mesh, load_mesh
from fixer3d.scenes.generation import generate_scene
from fixer3d.scenes.layout import FARTHEST, FLOOR, NEAREST, RADIUS, Room, cameras, place
from fixer3d.scenes.primitives import box, ellipsoid
from fixer3d.scenes.rendering import Light, Renderer

SMALL = SceneConfig(n_views=2, image_size=48)


@pytest.fixture(scope="module")
def scene():
    return generate_scene(SMALL, 0)


def test_the_same_seed_makes_the_same_scene(scene):
    again, other = generate_scene(SMALL, 0), generate_scene(SMALL, 1)
    for first, second in zip(scene.views, again.views):
        assert first.rgb.equal(second.rgb)
        assert first.depth.equal(second.depth)
    assert not again.views[0].rgb.equal(other.views[0].rgb)


@pytest.mark.parametrize("seed", range(5))
def test_objects_stand_on_the_floor_apart(seed):
    scene = generate_scene(SceneConfig(n_objects=(5, 8), n_views=1, image_size=8), seed)
    boxes = [mesh.bounds for *_, mesh in scene.objects]
    for low, high in boxes:
        assert low[2] == pytest.approx(FLOOR)
        assert np.abs([low[:2], high[:2]]).max() <= 2.5 + 1e-9
    for first, second in combinations(boxes, 2):
        assert not ((first[0] < second[1] - 1e-9) & (second[0] < first[1] - 1e-9)).all()
    for (_, _, mesh), placement in zip(scene.objects, scene.placements):
        turned_back = (mesh.vertices - placement.translation) @ np.linalg.inv(placement.matrix).T
        assert np.ptp(turned_back, axis=0).max() == pytest.approx(1)
        assert 0.5 <= placement.scale <= 2


def test_what_has_no_room_is_left_out():
    config = SceneConfig(floor_size=2.0, scale=(1.0, 1.0), n_tries=20)
    found = place([box((1, 1, 1))] * 9, config, np.random.default_rng(0))
    assert None in found
    assert any(placement is not None for placement in found)


def test_cameras_see_the_unit_cube_whole_and_stay_away_from_objects():
    rng = np.random.default_rng(0)
    obstacle = np.array([[0.5, -3.0, -0.5], [3, 3, 1.5]])
    corners = torch.tensor([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])
    for intrinsics, pose in cameras(30, 64, [obstacle], rng):
        check_rigid(pose)
        eye = pose[:3, 3].numpy()
        assert eye[2] >= 0
        assert NEAREST - 1e-5 <= np.linalg.norm(eye) <= FARTHEST + 1e-5
        assert math.sin(intrinsics.fov_x / 2) * np.linalg.norm(eye) == pytest.approx(RADIUS, rel=1e-5)
        assert not ((eye > obstacle[0] - 0.3) & (eye < obstacle[1] + 0.3)).all()
        pixels, depth = project(corners, intrinsics, pose)
        assert (depth > 0).all()
        assert ((pixels >= -1e-3) & (pixels <= 64 + 1e-3)).all()


def test_distances_of_cameras_have_a_uniform_inverse_square():
    rng = np.random.default_rng(0)
    inverse = np.array([pose[:3, 3].norm().item() ** -2 for _, pose in cameras(400, 8, [], rng)])
    middle = (NEAREST**-2 + FARTHEST**-2) / 2
    assert inverse.mean() == pytest.approx(middle, rel=0.06)


def test_depth_of_a_ball_is_that_of_the_closed_form():
    pose, camera = look_at(torch.tensor([0.0, -3, 1]), torch.tensor([0.1, 0, 0])), Intrinsics.from_fov(40, 40, 30)
    depth = Renderer([ellipsoid((1, 1, 1), n=256)]).depth(camera, pose).double()
    points = back_project(depth, camera, pose.double())
    hit = depth > 0
    np.testing.assert_allclose(points[hit].norm(dim=1), 1, atol=1e-3)
    eye = pose[:3, 3].double()
    towards = torch.nn.functional.normalize(back_project(torch.ones_like(depth), camera, pose.double()) - eye, dim=2)
    closest = torch.linalg.cross(towards, eye.expand_as(towards)).norm(dim=2)
    assert hit[closest < 0.99].all()
    assert not hit[closest > 1].any()
    assert (points[hit] @ eye > 0).all()


def test_points_of_objects_lie_on_their_surfaces(scene):
    from scipy.spatial import cKDTree

    for view in scene.views:
        points = back_project(view.depth, view.intrinsics, view.c2w)
        for number in view.visible():
            mesh = scene.objects[number].mesh
            seen = points[view.mask(number)]
            surface = mesh.sample(20_000, torch.Generator().manual_seed(0))
            assert cKDTree(surface.numpy()).query(seen.numpy())[0].max() < 0.08
            low, high = mesh.bounds
            assert ((seen.numpy() >= low - 1e-3) & (seen.numpy() <= high + 1e-3)).all()
        floor = points[view.index == 2]
        assert (floor[:, 2] - FLOOR).abs().max() < 1e-3
        assert (points[view.index == 1][:, :2].abs().amax(1) - 2.5).abs().max() < 1e-2
        assert (view.depth[view.index == 0] == 0).all()


def test_walls_behind_which_a_camera_stands_are_hidden():
    room = Room(5.0, np.ones(5, bool), np.ones((5, 3)))
    assert room.shown(np.array([0.0, 0, 1])).all()
    assert room.shown(np.array([3.0, 0, 1])).tolist() == [True, False, True, True, True]
    assert room.shown(np.array([2.2, -4, 1])).tolist() == [True, False, False, True, True]
    assert not Room(5.0, np.zeros(5, bool), np.ones((5, 3))).shown(np.zeros(3)).any()


def test_brightness_follows_lambert_and_shadows_fall():
    plate = Mesh(np.array([[-9.0, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]]), np.array([[0, 1, 2], [0, 2, 3]]))
    camera, pose = Intrinsics.from_fov(20, 9, 9), look_at(torch.tensor([0.0, 0, 9]), torch.zeros(3))
    levels = []
    for angle in (0.0, 60.0):
        sun = np.array([np.sin(np.radians(angle)), 0, np.cos(np.radians(angle))])
        view = Renderer([plate]).render(camera, pose, Light(sun, 0.0, np.ones(3)))
        levels.append((view.rgb.double() / 255) ** 2.2 / 0.7**2.2)
    assert levels[0].mean() == pytest.approx(1, abs=0.02)
    assert levels[1].mean() == pytest.approx(0.5, abs=0.02)
    roof = box((1, 1, 0.1), (0, 0, 20))
    shadow = Renderer([plate, roof]).render(camera, pose, Light(np.array([0.0, 0, 1]), 0.2, np.ones(3)))
    assert shadow.rgb[4, 4, 0] < 0.6 * shadow.rgb[0, 0, 0]


def test_objects_that_cover_little_count_as_unseen(scene):
    view = scene.views[0]
    areas = [int(view.mask(number).sum()) for number in range(len(scene.objects))]
    assert view.visible(0.05) == [number for number, area in enumerate(areas) if area >= 0.05 * 48 * 48]


def test_scenes_are_made_of_meshes_of_a_user_s_own():
    meshes = {"cube": box((2, 2, 2), (7, 7, 7)), "ball": ellipsoid((1, 2, 1))}
    scene = generate_scene(SceneConfig(n_objects=(4, 4), n_views=1, image_size=16), 0, meshes)
    assert sorted(category for _, category, _ in scene.objects) == ["ball", "ball", "cube", "cube"]
    assert list(scene.meshes) == [f"{category}-{k}" for k, (_, category, _) in enumerate(scene.objects)]
    assert list(scene.scales.values()) == [placement.scale for placement in scene.placements]
    with pytest.raises(ValueError, match="no mesh"):
        generate_scene(SMALL, 0, [])


@pytest.mark.skipif("SEPARATA_DATA" not in os.environ, reason="needs the meshes in the folder SEPARATA_DATA")
def test_scenes_are_made_of_files():
    files = [Path(os.environ["SEPARATA_DATA"]) / "meshes" / f"{name}.obj.gz" for name in ("cow", "teapot")]
    if not all(file.is_file() for file in files):
        pytest.skip("needs cow and teapot in the folder SEPARATA_DATA")
    meshes = [load_mesh(file).upright("y") for file in files]
    scene = generate_scene(SceneConfig(n_objects=(2, 2), n_views=1, image_size=64), 3, meshes)
    assert {category for _, category, _ in scene.objects} == {"mesh0", "mesh1"}
    assert (scene.views[0].index >= 3).any()
