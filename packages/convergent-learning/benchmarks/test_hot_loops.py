"""The hot loops: moments beside the forward passes, assignment beside networkx, sparse mapping beside scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso
from torch import nn

from convergent_learning import Moments, collect, match_units, sparse_mapping
from convergent_learning.statistics import ActivationStats, LayerStats

N_IMAGES = 64
POSITIONS = 49


@pytest.fixture(scope="module")
def deep():
    """Two networks with layers of 512 channels, such as those of VGG, and images for 3,136 samples (50,000 by hand)."""
    torch.manual_seed(0)
    nets = [
        nn.Sequential(nn.Conv2d(512, 512, 3, padding=1), nn.ReLU(), nn.Conv2d(512, 512, 3, padding=1), nn.ReLU()).eval()
        for _ in range(2)
    ]
    return nets, torch.randn(N_IMAGES, 512, 7, 7)


def test_forward_passes(benchmark, deep):
    nets, x = deep

    def forward():
        with torch.no_grad():
            return [net(part) for net in nets for part in x.split(32)]

    assert benchmark(forward)[0].shape[1] == 512


def test_forward_passes_with_moments(benchmark, deep):
    nets, x = deep
    stats = benchmark(lambda: collect(nets, x.split(32), ["3"]))
    assert stats["3"].count == N_IMAGES * POSITIONS


def test_moments(benchmark):
    parts = [torch.randn(5000, 512), torch.randn(5000, 512)]

    def gather():
        moments = Moments([512, 512])
        moments.update(parts)
        return moments

    assert benchmark(gather).count == 5000


@pytest.fixture(scope="module")
def similarity():
    return torch.rand(96, 96, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_assignment(benchmark, similarity):
    assert len(benchmark(match_units, similarity).index) == 96


def test_assignment_by_networkx(benchmark, similarity):
    networkx = pytest.importorskip("networkx", reason="the peer of the paper's authors is not installed")
    graph = networkx.Graph()
    graph.add_weighted_edges_from((i, 96 + j, float(similarity[i, j])) for i in range(96) for j in range(96))
    pairs = benchmark.pedantic(lambda: networkx.max_weight_matching(graph, maxcardinality=True), rounds=1)
    total = sum(float(similarity[min(pair), max(pair) - 96]) for pair in pairs)
    assert total == pytest.approx(float(match_units(similarity).value.sum()))


@pytest.fixture(scope="module")
def samples():
    x = np.random.default_rng(0).normal(size=(5000, 128))
    x[:, 64:] += x[:, :64]
    return (x - x.mean(0)) / x.std(0)


def test_sparse_mapping(benchmark, samples):
    covariance = torch.from_numpy(np.cov(samples.T, bias=True))
    one = LayerStats((64, 64), 5000, torch.zeros(128, dtype=torch.float64), covariance, torch.empty(0, 128))
    path = benchmark(sparse_mapping, ActivationStats({"l": one}), "l", lambdas=[0.1, 0.01])
    assert path.weights.shape == (2, 64, 64)


def test_sparse_mapping_by_scikit_learn(benchmark, samples):
    def fit():
        return [Lasso(penalty, tol=1e-6).fit(samples[:, :64], samples[:, 64:]).coef_ for penalty in (0.1, 0.01)]

    assert benchmark.pedantic(fit, rounds=1)[0].shape == (64, 64)
