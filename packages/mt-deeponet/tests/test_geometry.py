"""Domains from shapes, polygons, pictures, arrays and meshes."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from mt_deeponet import SHAPES, difference, disc, load_mask, make_mask, nodes, polygon, rasterize, voxelize
from mt_deeponet.geometry import mask_at

AREAS = {
    "square": 1,
    "disc": math.pi / 4,
    "triangle": math.sqrt(3) / 4,
    "l-shape": 0.75,
    "cross-cut": 1 - (2 * 0.6 * 0.12 - 0.12**2),
    "square-hole": 1 - math.pi * 0.04,
    "annulus": math.pi * (0.25 - 0.04),
    "pentagon": 5 / 2 * 0.25 * math.sin(2 * math.pi / 5),
    "hexagon": 6 / 2 * 0.25 * math.sin(math.pi / 3),
    "plus": 2 * 0.4 - 0.16,
}


def test_every_shape_has_its_area():
    assert AREAS.keys() == SHAPES.keys()
    for name, area in AREAS.items():
        size = 200
        cells = nodes(size, size).reshape(size, size, 2)
        inside = SHAPES[name]()(cells * (1 - 1 / size) + 0.5 / size) < 0
        assert float(inside.double().mean()) == pytest.approx(area, abs=0.01), name


def test_a_grid_has_x_along_columns_and_y_upwards():
    grid = nodes(3, 5).reshape(3, 5, 2)
    assert grid[2, 0].tolist() == [0, 1]
    assert grid[0, 4].tolist() == [1, 0]
    assert nodes(2, 3, 4).reshape(2, 3, 4, 3)[1, 2, 3].tolist() == [1, 1, 1]
    assert nodes(2, 3, 4).reshape(2, 3, 4, 3)[1, 0, 2].tolist() == pytest.approx([0, 1, 2 / 3])


def test_a_polygon_is_its_inside_whatever_its_direction():
    corners = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.5, 0.3], [0.1, 0.9]]
    distance, other = polygon(corners), polygon(corners[::-1])
    points = torch.tensor([[0.5, 0.2], [0.5, 0.5], [0.2, 0.5], [0.0, 0.0], [0.5, 0.25]], dtype=torch.float64)
    assert (distance(points) < 0).tolist() == [True, False, True, False, True]
    torch.testing.assert_close(distance(points), other(points))
    assert float(distance(points[3:4])) == pytest.approx(math.hypot(0.1, 0.1))


def test_a_disc_s_distance_and_one_s_own_function():
    mask = rasterize(difference(disc(radius=0.4), disc((0.5, 0.5), 0.1)), 41, 41)
    grid = nodes(41, 41).reshape(41, 41, 2) - 0.5
    radius = grid.norm(dim=-1)
    clear = ((radius - 0.4).abs() > 1e-6) & ((radius - 0.1).abs() > 1e-6)
    assert torch.equal(mask[clear], ((radius < 0.4) & (radius > 0.1))[clear])


def test_pictures_are_upright_and_take_white_or_what_is_opaque(tmp_path):
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:2, 4:] = 255
    Image.fromarray(pixels).save(tmp_path / "corner.png")
    mask = load_mask(tmp_path / "corner.png")
    assert mask[6:, 4:].all()
    assert mask.sum() == 8
    assert load_mask(tmp_path / "corner.png", 16, 16).sum() == 32
    color = np.zeros((8, 8, 4), np.uint8)
    color[:2, 4:, 3] = 255
    Image.fromarray(color).save(tmp_path / "drawn.png")
    assert torch.equal(load_mask(tmp_path / "drawn.png"), mask)
    # The transparent ground of a palette, and of a single color, has no band.
    palette = Image.fromarray(np.uint8(pixels > 0)).convert("P")
    palette.putpalette([0, 0, 0, 200, 30, 30])
    palette.save(tmp_path / "palette.png", transparency=0)
    red = np.zeros((8, 8, 3), np.uint8)
    red[:2, 4:, 0] = 200
    Image.fromarray(red).save(tmp_path / "red.png", transparency=(0, 0, 0))
    two_colors = np.full((8, 8, 3), (20, 40, 160), np.uint8)
    two_colors[:2, 4:] = 255, 240, 60
    Image.fromarray(two_colors).save(tmp_path / "two_colors.png")
    for name in ("palette.png", "red.png", "two_colors.png"):
        assert torch.equal(load_mask(tmp_path / name), mask), name


def test_the_edge_of_a_smooth_picture_is_at_half_its_brightness(tmp_path):
    grid = nodes(64, 64) - 0.5
    brightness = 255 * (0.5 + (0.3 - grid.norm(dim=1)) / 0.05).clamp(0, 1)
    Image.fromarray(brightness.reshape(64, 64).flip(0).byte().numpy()).save(tmp_path / "smooth.png")
    assert torch.equal(load_mask(tmp_path / "smooth.png"), (brightness > 127.99).reshape(64, 64))


def test_masks_are_read_at_points_in_whatever_order_a_file_has_them(tmp_path):
    pixels = np.zeros((9, 12), np.uint8)
    pixels[:3, 5:] = 255
    Image.fromarray(pixels).save(tmp_path / "corner.png")
    grid = nodes(9, 12)
    expected = load_mask(tmp_path / "corner.png", 9, 12).flatten()
    order = torch.randperm(108, generator=torch.Generator().manual_seed(0))
    noise = 1e-7 * torch.rand(108, 2, generator=torch.Generator().manual_seed(1))
    assert torch.equal(mask_at(tmp_path / "corner.png", (2 * grid - 1 + noise).float()), expected)
    assert torch.equal(mask_at(tmp_path / "corner.png", grid[order]), expected[order])
    upside_down = mask_at(tmp_path / "corner.png", grid.reshape(9, 12, 2).flip(0).flatten(0, 1))
    assert torch.equal(upside_down.reshape(9, 12), expected.reshape(9, 12).flip(0))
    with pytest.raises(ValueError, match="no grid"):
        mask_at(tmp_path / "corner.png", torch.rand(7, 2))


def test_arrays_and_corners_are_read(tmp_path):
    mask = rasterize("disc", 12, 12)
    np.save(tmp_path / "m.npy", mask.numpy().astype(np.float32))
    assert torch.equal(load_mask(tmp_path / "m.npy"), mask)
    assert load_mask(tmp_path / "m.npy", 24, 24).double().mean() == pytest.approx(float(mask.double().mean()), abs=0.05)
    np.savetxt(tmp_path / "corners.csv", [[0, 0], [1, 0], [0.5, math.sqrt(3) / 2]], delimiter=",")
    assert torch.equal(make_mask(str(tmp_path / "corners.csv"), 20, 20), rasterize("triangle", 20, 20))


@pytest.fixture(scope="module")
def trimesh():
    return pytest.importorskip("trimesh", reason="trimesh is not installed")


def test_a_ball_is_a_ball_in_voxels_and_a_disc_in_its_slice(trimesh):
    ball = trimesh.creation.icosphere(subdivisions=3, radius=7.0)
    ball.apply_translation([10, -3, 5])
    mask = voxelize(ball, 33, 33, 33)
    radius = (nodes(33, 33, 33) - 0.5).norm(dim=1).reshape(33, 33, 33)
    clear = (radius - 0.5).abs() > 0.01
    assert torch.equal(mask[clear], (radius < 0.5)[clear])
    assert torch.equal(voxelize(ball, 33, 33), mask[..., 16])


def test_a_box_keeps_its_proportions_and_its_hole(trimesh):
    ring = trimesh.creation.annulus(r_min=1.0, r_max=2.0, height=1.0)
    mask = voxelize(ring, 41, 41, 41)
    x, y, z = (nodes(41, 41, 41) - 0.5).reshape(41, 41, 41, 3).unbind(-1)
    radius = (x.square() + y.square()).sqrt()
    clear = ((radius - 0.5).abs() > 0.01) & ((radius - 0.25).abs() > 0.01) & ((z.abs() - 0.125).abs() > 0.01)
    expected = (radius < 0.5) & (radius > 0.25) & (z.abs() < 0.125)
    assert torch.equal(mask[clear], expected[clear])


def test_stl_files_are_read_and_open_ones_refused(trimesh, tmp_path):
    box = trimesh.creation.box([2, 2, 1])
    box.export(tmp_path / "box.stl")
    assert load_mask(tmp_path / "box.stl", 9, 9).all()
    solid = load_mask(tmp_path / "box.stl", 9, 9, 9)
    assert solid[..., 2:7].all()
    assert not solid[..., :2].any()
    (tmp_path / "text.STL").write_text(trimesh.exchange.stl.export_stl_ascii(box))
    assert torch.equal(load_mask(tmp_path / "text.STL", 9, 9, 9), solid)
    box.update_faces([True] * 11 + [False])
    box.export(tmp_path / "open.stl")
    with pytest.raises(ValueError, match=r"open.stl: the mesh is empty or not closed"):
        load_mask(tmp_path / "open.stl", 9, 9)
    (tmp_path / "bad.stl").write_text("solid nonsense")
    with pytest.raises(ValueError, match=r"bad.stl: "):
        load_mask(tmp_path / "bad.stl", 9, 9)


def test_other_files_are_refused_in_a_sentence(tmp_path):
    np.save(tmp_path / "grey.npy", np.full((4, 4), 0.5))
    np.save(tmp_path / "zeros.npy", np.zeros((4, 4)))
    np.save(tmp_path / "bytes.npy", np.full((4, 4), 255, np.uint8))
    np.savez(tmp_path / "archive.npz", mask=np.ones((4, 4)))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    np.savetxt(tmp_path / "pixels.csv", [[0, 0], [100, 0], [50, 100]], delimiter=",")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "solid.csv").write_text("0,0,0\n1,0,0\n0,1,0\n")
    (tmp_path / "text.png").write_text("no picture")
    photograph = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(photograph).save(tmp_path / "photograph.png")
    (tmp_path / "text.csv").write_text("a,b\n")
    for name, words in (
        ("grey.npy", "zeros and ones only"),
        ("zeros.npy", "nothing is inside"),
        ("bytes.npy", "save picture > 127"),
        ("archive.npy", "an archive of arrays"),
        ("pixels.csv", "unit square, and these go from 0 to 100"),
        ("empty.csv", "three or more corners"),
        ("solid.csv", "two coordinates"),
        ("text.png", "not an image"),
        ("photograph.png", "many colors, as a photograph has"),
        ("text.csv", "two numbers a line"),
        ("mask.gif", "no file"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=words):
            load_mask(tmp_path / name, 8, 8)
    with pytest.raises(ValueError, match="must be one of square"):
        make_mask("circle", 8, 8)
    for shape in ("disc", [[0, 0], [1, 0], [0, 1]]):
        with pytest.raises(ValueError, match="shapes in a plane, and the grid has 3"):
            rasterize(shape, 8, 8, 4)
    with pytest.raises(ValueError, match="no node"):
        rasterize(disc(radius=0.01), 4, 4)
    with pytest.raises(ValueError, match="three or more corners"):
        polygon([[0, 0], [1, 1]])
