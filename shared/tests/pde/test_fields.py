"""Gaussian fields on a line, against their covariance and against closed forms."""

import math

import pytest
import torch
from scipy.linalg import sqrtm

from separata import pde

X = torch.linspace(0, 1, 40, dtype=torch.float64)


@pytest.mark.parametrize("kernel", [pde.RBF(0.2), pde.Matern12(0.3)])
def test_samples_have_the_covariance_of_the_kernel(kernel, generator):
    u = pde.GaussianField(X, kernel).sample(20_000, generator)
    distance = (X[:, None] - X).abs()
    expected = {pde.RBF: torch.exp(-(distance**2) / (2 * 0.2**2)), pde.Matern12: torch.exp(-distance / 0.3)}[
        type(kernel)
    ]
    assert u.shape == (20_000, 40)
    assert u.dtype == torch.float64
    assert (u.T @ u / len(u) - expected).abs().max() < 0.03
    assert u.mean(0).abs().max() < 0.03


def test_the_factor_is_a_root_of_the_covariance_however_smooth_the_kernel():
    field = pde.GaussianField(torch.linspace(0, 1, 200, dtype=torch.float64), pde.RBF(2.0))
    torch.testing.assert_close(field.factor @ field.factor.T, field.covariance, atol=1e-12, rtol=0)


def test_several_length_scales_are_several_fields(generator):
    scales = torch.tensor([0.1, 0.5], dtype=torch.float64)
    together = pde.GaussianField(X, pde.RBF(scales))
    apart = [pde.GaussianField(X, pde.RBF(scale)) for scale in scales.tolist()]
    for i, one in enumerate(apart):
        torch.testing.assert_close(together.covariance[i], one.covariance)
    u = together.sample(3000, generator)
    assert u.shape == (2, 3000, 40)
    torch.testing.assert_close(u.mT @ u / 3000, together.covariance, atol=0.1, rtol=0)
    values, functions = pde.karhunen_loeve(X, pde.RBF(scales), 4)
    for i, scale in enumerate(scales.tolist()):
        one = pde.karhunen_loeve(X, pde.RBF(scale), 4)
        torch.testing.assert_close((values[i], functions[i]), one)


def test_the_same_seed_gives_the_same_functions():
    field = pde.GaussianField(X, pde.RBF(0.2))
    first, again, other = (field.sample(3, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_eigenpairs_of_the_exponential_kernel_are_those_in_closed_form():
    # exp(-|x - y|/l) on [0, 1]: eigenvalues 2 l/(1 + l² w²), where w solves (l² w² - 1) tan(w) = 2 l w.
    scale = 0.5
    values, functions = pde.karhunen_loeve(torch.linspace(0, 1, 801, dtype=torch.float64), pde.Matern12(scale), 3)
    for value in values.tolist():
        w = math.sqrt(2 * scale / value - 1) / scale
        assert (scale**2 * w**2 - 1) * math.sin(w) - 2 * scale * w * math.cos(w) == pytest.approx(0, abs=2e-3)
    assert functions[0].min() > 0


def test_eigenfunctions_are_orthonormal_and_the_eigenvalues_sum_to_the_length():
    x = torch.linspace(0, 1, 100, dtype=torch.float64)
    values, functions = pde.karhunen_loeve(x, pde.RBF(0.2), 100)
    weights = torch.full((100,), 1 / 99, dtype=torch.float64)
    weights[[0, -1]] /= 2
    torch.testing.assert_close((functions.T * weights) @ functions, torch.eye(100, dtype=torch.float64))
    assert values.sum().item() == pytest.approx(1)
    assert values[:10].sum() > 0.999
    # Mercer's sum gives the kernel back.
    torch.testing.assert_close(
        (functions * values) @ functions.T, pde.GaussianField(x, pde.RBF(0.2)).covariance, atol=1e-12, rtol=0
    )


def test_the_distance_of_two_fields_is_that_of_their_covariances():
    a, b = (pde.GaussianField(X, pde.Matern12(scale)) for scale in (0.2, 0.5))
    ka, kb = a.covariance.numpy(), b.covariance.numpy()
    expected = math.sqrt((ka + kb - 2 * sqrtm(ka @ kb).real).trace() / len(X))
    assert pde.wasserstein2(a, b).item() == pytest.approx(expected, rel=1e-6)
    assert pde.wasserstein2(a, a) < 1e-6


def test_a_product_of_rbf_fields_is_isotropic(generator):
    x, y = torch.linspace(0, 1, 6, dtype=torch.float64), torch.linspace(0, 0.5, 4, dtype=torch.float64)
    axes = [pde.GaussianField(points, pde.RBF(0.3)) for points in (x, y)]
    u = pde.sample_product(axes, 20_000, generator)
    assert u.shape == (20_000, 6, 4)
    points = torch.cartesian_prod(x, y)
    expected = torch.exp(-torch.cdist(points, points).square() / (2 * 0.3**2))
    flat = u.flatten(1)
    assert (flat.T @ flat / len(flat) - expected).abs().max() < 0.04


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pde.RBF(0.0), "length_scale must be positive, not 0.0"),
        (lambda: pde.RBF(float("nan")), "length_scale must be positive, not nan"),
        (lambda: pde.Matern12(torch.tensor([0.1, -1.0])), "length_scale must be positive, not -1.0"),
        (
            lambda: pde.GaussianField(torch.tensor([0.0, math.inf]), pde.RBF(1.0)),
            "points holds values that are not fin",
        ),
        (lambda: pde.GaussianField(X, pde.RBF(0.2)).sample(0, torch.Generator()), "n must be at least 1, not 0"),
        (lambda: pde.karhunen_loeve(X, pde.RBF(0.2), 41), "the number of points must be at least 41, not 40"),
        (lambda: pde.karhunen_loeve(X.flip(0), pde.RBF(0.2), 4), "points must increase strictly"),
        (lambda: pde.sample_product([], 1, torch.Generator()), "the number of axes must be at least 1"),
        (
            lambda: pde.wasserstein2(pde.GaussianField(X, pde.RBF(0.2)), pde.GaussianField(X[:9], pde.RBF(0.2))),
            "both fields must be given at the same points",
        ),
    ],
)
def test_what_is_wrong_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
