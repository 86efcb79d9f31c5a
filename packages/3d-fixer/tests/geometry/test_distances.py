"""Nearest neighbors and chamfer distance, against SciPy, closed forms and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from fixer3d.geometry import distances
from fixer3d.geometry.distances import chamfer_distance, nearest


def clouds(seed, n, m):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, n, 3, generator=generator), torch.rand(2, m, 3, generator=generator) + 100


@given(st.integers(0, 2**31), st.integers(1, 60), st.integers(1, 60), st.sampled_from(["brute", "tree", "auto"]))
@settings(max_examples=30)
def test_neighbors_are_those_of_scipy(seed, n, m, method):
    x, y = clouds(seed, n, m)
    found, indices = nearest(x, y, method)
    for i in range(2):
        expected, _ = cKDTree(y[i].double().numpy()).query(x[i].double().numpy())
        np.testing.assert_allclose(found[i], expected, rtol=1e-6)
        np.testing.assert_allclose(torch.linalg.vector_norm(x[i] - y[i][indices[i]], dim=1), expected, rtol=1e-6)


def test_brute_force_in_chunks_is_the_same(monkeypatch):
    x, y = clouds(0, 50, 40)
    whole = nearest(x, y, "brute")[1]
    monkeypatch.setattr(distances, "CHUNK", 200)
    assert nearest(x, y, "brute")[1].equal(whole)


@given(st.integers(0, 2**31))
@settings(max_examples=10)
def test_a_cloud_is_at_no_distance_from_itself_in_any_order(seed):
    x, _ = clouds(seed, 50, 1)
    assert chamfer_distance(x, x[:, torch.randperm(50)]).tolist() == [0, 0]


@pytest.mark.parametrize("method", ["brute", "tree"])
def test_two_parallel_squares_are_as_far_apart_as_they_are(method):
    axis = torch.linspace(0, 1, 20)
    square = torch.stack([*torch.meshgrid(axis, axis, indexing="ij"), torch.zeros(20, 20)], -1).reshape(1, 400, 3)
    above = square + torch.tensor([0, 0, 0.05])
    assert float(chamfer_distance(square, above, method)) == pytest.approx(0.05, rel=1e-5)


def test_the_gradient_is_that_of_finite_differences():
    x, y = (cloud.double() for cloud in clouds(0, 6, 5))
    assert torch.autograd.gradcheck(chamfer_distance, (x.requires_grad_(), (y - 100).requires_grad_()))


def test_the_mean_of_both_ways_is_taken():
    x, y = torch.zeros(1, 1, 3), torch.tensor([[[1.0, 0, 0], [3, 0, 0]]])
    assert float(chamfer_distance(x, y)) == pytest.approx((1 + 2) / 2)
    assert float(chamfer_distance(y, x)) == pytest.approx((1 + 2) / 2)


def test_empty_clouds_are_refused():
    some, none = torch.zeros(1, 3, 3), torch.zeros(1, 0, 3)
    for pair in ((some, none), (none, some)):
        with pytest.raises(ValueError, match="no point"):
            chamfer_distance(*pair)


def test_pytorch3d_agrees_where_it_is_installed():
    if distances.pytorch3d_ops() is None:
        with pytest.raises(ValueError, match="not installed"):
            nearest(*clouds(0, 3, 3), "pytorch3d")
        return
    x, y = clouds(0, 300, 200)
    torch.testing.assert_close(chamfer_distance(x, y, "pytorch3d"), chamfer_distance(x, y), atol=1e-5, rtol=0)
