"""Chamfer distance of two clouds of 20,480 points, beside SciPy's k-d tree and PyTorch3D."""

import pytest
import torch
from scipy.spatial import cKDTree

from fixer3d.geometry.distances import chamfer_distance
from parallel import measures


@pytest.fixture(scope="module")
def clouds(request):
    """Points on two spheres: on surfaces, as those of completed objects, not in space."""
    n = 20_480 if measures(request.config) else 512
    generator = torch.Generator().manual_seed(0)
    points = torch.nn.functional.normalize(torch.randn(2, n, 3, generator=generator), dim=2)
    return points[:1], 1.05 * points[1:]


@pytest.mark.benchmark(group="chamfer distance")
@pytest.mark.parametrize("method", ["auto", "brute"])
def test_ours(benchmark, clouds, method):
    assert 0.05 <= float(benchmark(chamfer_distance, *clouds, method)) < 0.15


@pytest.mark.benchmark(group="chamfer distance")
def test_scipy(benchmark, clouds):
    x, y = (cloud[0].numpy() for cloud in clouds)
    found = benchmark(lambda: (cKDTree(y).query(x)[0].mean() + cKDTree(x).query(y)[0].mean()) / 2)
    assert found == pytest.approx(float(chamfer_distance(*clouds)), rel=1e-4)


@pytest.mark.benchmark(group="chamfer distance")
def test_pytorch3d(benchmark, clouds):
    ops = pytest.importorskip("pytorch3d.ops")
    x, y = clouds
    found = benchmark(lambda: (ops.knn_points(x, y).dists.sqrt().mean() + ops.knn_points(y, x).dists.sqrt().mean()) / 2)
    assert float(found) == pytest.approx(float(chamfer_distance(x, y)), rel=1e-4)
