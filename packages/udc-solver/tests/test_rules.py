"""The learning rules, against eigenvectors and closed forms."""  # TODO: tests against independent oracles.

import pytest
import torch

from udc_solver import TrainConfig, hebb_step, oja_step, train


@pytest.fixture(scope="module")
def cloud() -> torch.Tensor:
    """Points with variance 9 along the first axis and 1 along the others."""
    x = torch.randn(4096, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([3.0, 1, 1, 1, 1])
    return x - x.mean(0)


def test_the_unit_leading_eigenvector_is_a_fixed_point(cloud):
    leading = torch.linalg.eigh(cloud.T @ cloud).eigenvectors[:, -1]
    torch.testing.assert_close(oja_step(leading, cloud, 0.01), leading, atol=1e-5, rtol=0)
    assert not torch.allclose(oja_step(2 * leading, cloud, 0.01), 2 * leading, atol=1e-2)


def test_hebb_s_rule_multiplies_by_the_correlation_matrix(cloud):
    weight = torch.linspace(-1, 1, 5)
    expected = weight + 0.1 * torch.cov(cloud.T, correction=0) @ weight
    torch.testing.assert_close(hebb_step(weight, cloud, 0.1), expected)


def test_training_finds_the_leading_eigenvector(cloud):
    weight = train(cloud, TrainConfig(n_passes=3, lr=0.01), torch.Generator().manual_seed(1))
    leading = torch.linalg.eigh(cloud.T @ cloud).eigenvectors[:, -1]
    assert abs(weight @ leading) > 0.99
    assert weight.norm().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("wrong", [{"lr": 0.0}, {"n_passes": 0}, {"batch_size": -1}, {"lr": float("nan")}])
def test_a_configuration_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="must be positive"):
        TrainConfig(**wrong)


def test_training_without_inputs_is_refused():
    with pytest.raises(ValueError, match="no input"):
        train(torch.empty(0, 3), TrainConfig(), torch.Generator())
