import numpy as np
import pytest
import torch

from revibranch.network.normalization import FeatureNorm


def test_features_have_mean_0_and_deviation_1_where_it_was_fitted():
    x = 5 + 3 * torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    norm = FeatureNorm(3)
    torch.testing.assert_close(norm(x), x)
    norm.fit(x)
    y = norm(x).numpy()
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-5)


def test_statistics_are_frozen():
    norm = FeatureNorm(1)
    norm.fit(torch.tensor([[0.0], [2.0]]))
    norm.train()
    torch.testing.assert_close(norm(torch.tensor([[101.0]])), torch.tensor([[100.0]]))
    torch.testing.assert_close(norm(torch.tensor([[101.0]])), torch.tensor([[100.0]]))
    assert not list(norm.parameters())
    assert set(norm.state_dict()) == {"mean", "std"}


def test_a_constant_feature_is_shifted_and_stays_finite():
    norm = FeatureNorm(1)
    norm.fit(torch.full((9, 1), 7.0))
    torch.testing.assert_close(norm(torch.tensor([[7.0], [8.5]])), torch.tensor([[0.0], [1.5]]))


def test_nothing_to_fit_to_is_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        FeatureNorm(2).fit(torch.empty(0, 2))
