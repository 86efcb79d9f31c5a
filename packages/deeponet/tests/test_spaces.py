"""Function spaces: covariances, eigenvalues, polynomials."""

import math

import numpy as np
import pytest
import torch
from known_functions import generator

from deeponet import (
    ChebyshevSeries,
    GaussianRandomField,
    KarhunenLoeveField,
    PowerSeries,
    ProblemConfig,
    wasserstein2,
)
from deeponet.spaces import _covariance, make_space

X = torch.linspace(0, 1, 7, dtype=torch.float64)


@pytest.mark.parametrize(("kernel", "length_scale"), [("rbf", 0.2), ("rbf", 1.5), ("matern12", 0.3)])
def test_the_covariance_of_samples_is_the_kernel(kernel, length_scale):
    space = GaussianRandomField(length_scale, kernel=kernel)
    u = space.evaluate(space.sample(20_000, generator()), X)
    d = (X[:, None] - X).abs()
    expected = (-0.5 * (d / length_scale) ** 2).exp() if kernel == "rbf" else (-d / length_scale).exp()
    torch.testing.assert_close(u.T @ u / len(u), expected, atol=0.03, rtol=0)


def test_functions_are_known_between_the_points_of_the_grid():
    """The exact covariance of the interpolated field."""
    space = GaussianRandomField(0.2, 3.0)
    x = torch.tensor([0.0012, 1.3337, 1.4444, 2.9999], dtype=torch.float64)
    basis = space.basis(x)
    expected = (-0.5 * ((x[:, None] - x) / 0.2) ** 2).exp()
    torch.testing.assert_close(basis.T @ basis, expected, atol=1e-7, rtol=0)
    assert len(space.modes) < 100


def test_eigenvalues_sum_to_the_trace_and_ten_hold_almost_everything():
    space = KarhunenLoeveField(0.2, n_modes=10)
    eigenvalues, functions = space.eigenpairs
    assert 0.999 < float(eigenvalues.sum()) <= 1.000001
    assert float(KarhunenLoeveField(0.2, n_modes=100).eigenpairs[0].sum()) == pytest.approx(1, abs=1e-6)
    norms = torch.trapezoid(functions.square(), dx=1 / 99, dim=0)
    torch.testing.assert_close(norms, torch.ones(10).double())
    basis = space.basis(X)
    expected = (-0.5 * ((X[:, None] - X) / 0.2) ** 2).exp()
    torch.testing.assert_close(basis.T @ basis, expected, atol=1e-3, rtol=0)


def test_polynomials_are_numpy_s():
    for space, evaluate in (
        (PowerSeries(6, bound=2.0), lambda a, x: np.polynomial.polynomial.polyval(x, a)),
        (ChebyshevSeries(6, bound=2.0), lambda a, x: np.polynomial.chebyshev.chebval(2 * x - 1, a)),
    ):
        a = space.sample(500, generator())
        expected = np.stack([evaluate(row.numpy(), X.numpy()) for row in a])
        torch.testing.assert_close(space.evaluate(a, X), torch.from_numpy(expected))
        assert 1.9 < float(a.max()) <= 2
        assert float(a.mean()) == pytest.approx(0, abs=0.1)


def test_a_series_on_a_longer_interval_is_stretched():
    a = torch.rand(3, 20, generator=generator()).double()
    torch.testing.assert_close(ChebyshevSeries(20, length=4.0).evaluate(a, 4 * X), ChebyshevSeries(20).evaluate(a, X))


def test_the_distance_of_gaussian_fields():
    short, long = GaussianRandomField(0.1), GaussianRandomField(0.1)
    assert wasserstein2(short, long) == pytest.approx(0, abs=1e-6)
    # Against white noise and a constant: tr(K1 + K2 - 2 sqrt(K1 K2)) / N = 2 - 2 / sqrt(N) for K1 = I, K2 = 1 1'.
    n, near = 41, 1e-6
    one, other = GaussianRandomField(near, kernel="rbf"), GaussianRandomField(1e6, kernel="rbf")
    n = len(other.points)
    assert len(one.points) != n
    from separata import pde

    white, flat = (pde.GaussianField(other.points, pde.RBF(scale)) for scale in (near, 1e6))
    assert float(pde.wasserstein2(white, flat)) == pytest.approx(math.sqrt(2 - 2 / math.sqrt(n)), rel=1e-4)


def test_spaces_are_made_by_name():
    assert make_space(ProblemConfig(), 2.0) == GaussianRandomField(0.2, 2.0)
    assert make_space(ProblemConfig(space="kl", n_modes=5), 1.0) == KarhunenLoeveField(0.2, 5, 1.0)
    assert make_space(ProblemConfig(space="power", bound=3.0), 1.0) == PowerSeries(100, 3.0)
    assert make_space(ProblemConfig(space="chebyshev"), 1.0) == ChebyshevSeries(20)


@pytest.mark.parametrize("length", [0.3, 1.7])
@pytest.mark.parametrize("kind", [GaussianRandomField, KarhunenLoeveField, PowerSeries, ChebyshevSeries])
def test_points_in_single_precision_reach_the_end_of_the_interval(kind, length):
    space = kind(length=length)
    features = space.sample(2, generator())
    single, double = (torch.linspace(0, length, 5, dtype=dtype) for dtype in (torch.float32, torch.float64))
    torch.testing.assert_close(space.evaluate(features, single), space.evaluate(features, double), atol=1e-4, rtol=1e-4)


def test_bad_numbers_and_points_outside_are_refused():
    for make in (GaussianRandomField, KarhunenLoeveField):
        with pytest.raises(ValueError, match="length scale must be positive"):
            make(length_scale=0.0)
    with pytest.raises(ValueError, match="one of rbf, matern12, not 'matern'"):
        _covariance("matern")
    with pytest.raises(ValueError, match="bound must be positive"):
        PowerSeries(3, bound=-1.0)
    with pytest.raises(ValueError, match="at least as many points"):
        KarhunenLoeveField(n_modes=101)
    space = GaussianRandomField()
    with pytest.raises(ValueError, match=r"known on \[0, 1\]"):
        space.evaluate(space.sample(1, generator()), torch.tensor([0.5, 1.5]).double())
