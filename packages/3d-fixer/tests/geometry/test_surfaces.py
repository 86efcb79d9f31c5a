"""Nearest surfaces against brute force and planes; errors of colors in closed form."""

import numpy as np
import pytest
import torch

from fixer3d.geometry.meshes import Mesh
from fixer3d.geometry.surfaces import GRAY, color_error, nearest_surface
from fixer3d.scenes.primitives import ellipsoid

RED, GREEN = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])


@pytest.fixture
def triangle():
    corners = np.array([[0.0, 0, 0], [2, 0, 0], [0, 2, 0]])
    return Mesh(corners, np.array([[0, 1, 2]]), np.eye(3))


def test_colors_are_interpolated_where_a_triangle_is_nearest(triangle):
    found = nearest_surface(triangle, torch.tensor([[0.5, 1.0, 3.0], [-1.0, -1.0, 0.0], [0.5, 0.5, -0.2]]))
    torch.testing.assert_close(found.positions, torch.tensor([[0.5, 1, 0], [0, 0, 0], [0.5, 0.5, 0]]))
    weights = torch.tensor([[0.25, 0.25, 0.5], [1, 0, 0], [0.5, 0.25, 0.25]])
    torch.testing.assert_close(found.colors, weights)
    torch.testing.assert_close(found.normals, torch.tensor([[0.0, 0, 1]]).expand(3, 3))


def test_no_vertex_or_sample_is_nearer():
    mesh = ellipsoid((0.5, 0.3, 0.2))
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    found = nearest_surface(mesh, points)
    distance = (found.positions - points).norm(dim=1)
    dense = torch.cat([mesh.sample(20_000, torch.Generator().manual_seed(1)), torch.from_numpy(mesh.vertices).float()])
    brute = torch.cdist(points, dense).amin(1)
    assert (distance <= brute + 1e-5).all()
    assert (distance >= brute - 0.03).all()
    torch.testing.assert_close(found.colors, torch.full((50, 3), GRAY))


def test_errors_of_colors_are_counted_over_all_and_over_hidden_vertices(triangle):
    truth = Mesh(triangle.vertices, triangle.faces, np.tile(GREEN, (3, 1)))
    mesh = Mesh(triangle.vertices, triangle.faces, np.stack([GREEN, RED, 0.5 * GREEN]))
    visible = torch.tensor([[0.0, 0.1, 0.0], [0.0, 1.9, 0.0]])
    report = color_error(mesh, truth, visible, 0.2)
    assert report.all == pytest.approx((0 + 2 / 3 + 0.5 / 3) / 3)
    assert report.hidden == pytest.approx(2 / 3)
    assert report.n_hidden == 1
    nothing = color_error(mesh, truth, visible, 9.0)
    assert nothing.n_hidden == 0
    assert np.isnan(nothing.hidden)


def test_what_has_no_colors_or_no_surface_is_refused(triangle):
    with pytest.raises(ValueError, match="no colors"):
        color_error(Mesh(triangle.vertices, triangle.faces), triangle, torch.zeros(1, 3), 1.0)
    with pytest.raises(ValueError, match="no triangle"):
        nearest_surface(Mesh.empty(), torch.zeros(1, 3))
