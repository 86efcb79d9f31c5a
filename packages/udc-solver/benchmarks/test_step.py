"""A pass over 1,000 images, beside scikit-learn's incremental PCA."""  # TODO: the hot loop beside its strongest peer.

import pytest
import torch
from sklearn.decomposition import IncrementalPCA

from udc_solver import TrainConfig, train


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(1000, 784, generator=torch.Generator().manual_seed(0)) - 0.5


def test_oja(benchmark, images):
    weight = benchmark(train, images, TrainConfig(n_passes=1, batch_size=100), torch.Generator().manual_seed(0))
    assert weight.isfinite().all()


def test_incremental_pca(benchmark, images):
    peer = benchmark(lambda: IncrementalPCA(1, batch_size=100).fit(images.numpy()))
    assert peer.n_samples_seen_ == len(images)
