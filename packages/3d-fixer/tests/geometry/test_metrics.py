"""Metrics, against closed forms."""

import json

import numpy as np
import pytest
import torch

from fixer3d.geometry.meshes import Mesh
from fixer3d.geometry.metrics import box_iou, evaluate_object, evaluate_scene, fscore, voxel_iou
from fixer3d.scenes.primitives import box

N = 2000


def generator():
    return torch.Generator().manual_seed(0)


def cube(center, size=1.0):
    return box((size,) * 3, center)


def square(z):
    return Mesh(np.array([[0.0, 0, z], [1, 0, z], [1, 1, z], [0, 1, z]]), np.array([[0, 1, 2], [0, 2, 3]]))


def test_cubes_that_are_shifted_by_half_share_a_third():
    assert box_iou(cube((0, 0, 0)).bounds, cube((0.5, 0, 0)).bounds) == pytest.approx(1 / 3)
    assert box_iou(cube((0, 0, 0)).bounds, cube((2, 0, 0)).bounds) == 0
    assert box_iou(cube((0, 0, 0), 2).bounds, cube((0, 0, 0)).bounds) == pytest.approx(1 / 8)


def test_parallel_squares_close_together_are_found_entirely():
    axis = torch.linspace(0, 1, 40)
    points = torch.stack([*torch.meshgrid(axis, axis, indexing="ij"), torch.zeros(40, 40)], -1).reshape(-1, 3)
    assert fscore(points, points + torch.tensor([0, 0, 0.05])) == pytest.approx(100)
    assert fscore(points, points + torch.tensor([0, 0, 0.2])) == 0
    half = points[points[:, 0] < 0.5]
    recall = float((points[:, 0] < half[:, 0].max() + 0.1).float().mean())
    assert fscore(half, points) == pytest.approx(200 * recall / (1 + recall), rel=1e-4)


def test_voxel_iou_counts_voxels():
    a, b = torch.zeros(4, 4, 4), torch.zeros(4, 4, 4)
    a[:2], b[1:3] = 1, 1
    assert voxel_iou(a, b) == pytest.approx(1 / 3)
    assert voxel_iou(a, a.bool()) == 1
    assert voxel_iou(a * 0, a * 0) == 1


def test_an_object_is_itself():
    mesh = cube((3, -2, 1), 0.7)
    report = evaluate_object(mesh, mesh, generator(), n_points=20_000)
    assert (report.box_iou, report.voxel_iou, report.center_error, report.fscore) == pytest.approx((1, 1, 0, 100))
    assert report.chamfer < 0.02


def test_errors_are_those_of_the_normalized_object():
    truth, predicted = cube((0, 0, 0), 2), cube((1, 0, 0), 2)
    report = evaluate_object(predicted, truth, generator(), n_points=N)
    assert report.center_error == pytest.approx(0.5)
    assert report.box_iou == pytest.approx(1 / 3)
    assert report.voxel_iou == pytest.approx(1 / 3, abs=0.05)
    larger = evaluate_object(cube((10, 0, 0), 20), cube((0, 0, 0), 20), generator(), n_points=N)
    assert larger.chamfer == pytest.approx(report.chamfer, rel=1e-3)
    turned = evaluate_object(predicted, truth, generator(), scale=4.0, n_points=N)
    assert turned.chamfer == pytest.approx(report.chamfer / 2, rel=1e-3)


def test_a_scene_is_compared_in_units_of_the_world():
    report = evaluate_scene({"a": square(0.05)}, {"a": square(0.0)}, n_points=N)
    assert report.chamfer == pytest.approx(0.05, rel=0.05)
    assert report.fscore == pytest.approx(100)


def test_what_is_missing_is_as_bad_as_can_be():
    truth = {"a": cube((0, 0, 0)), "b": cube((3, 0, 0), 0.5)}
    report = evaluate_scene({"a": truth["a"], "c": truth["b"]}, truth, n_points=N)
    assert report.missing == ("b",)
    assert (report.objects["b"].fscore, report.objects["b"].box_iou) == (0, 0)
    assert report.mean("box_iou") == pytest.approx(0.5)
    assert report.objects["b"].chamfer > 1
    json.dumps(report.as_dict(), allow_nan=False)
    assert np.isfinite(evaluate_scene({}, truth, n_points=N).chamfer)
    with pytest.raises(ValueError, match="no object"):
        evaluate_scene({}, {})


def test_the_largest_objects_are_compared():
    truth = {f"{i}": cube((4 * i, 0, 0), 1 + i / 10) for i in range(7)}
    assert list(evaluate_scene(truth, truth, n_points=50).objects) == ["2", "3", "4", "5", "6"]
    areas = {f"{i}": 10.0 - i for i in range(7)}
    assert list(evaluate_scene(truth, truth, areas=areas, n_largest=2, n_points=50).objects) == ["0", "1"]


def test_a_small_object_counts_as_much_as_a_large_one():
    truth = {"large": cube((0, 0, 0), 2.0), "small": cube((3, 0, 0), 0.2)}
    report = evaluate_scene({"large": truth["large"], "small": cube((6, 0, 0), 0.2)}, truth, n_points=10_000)
    assert report.fscore == pytest.approx(50, abs=3)
