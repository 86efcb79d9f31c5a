"""Families of functions, beside SciPy, NumPy and closed forms."""

import math

import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev, legendre
from scipy.interpolate import BSpline as SciPySpline

from s_kan import Basis, available_bases, make_basis, make_pool, register_basis
from s_kan.bases.bspline import BSpline
from s_kan.bases.registry import _BASES
from s_kan.bases.wavelet import MexicanHat

X = torch.linspace(-1.6, 1.6, 201, dtype=torch.float64)
NAMES = ("bspline", "rbf", "chebyshev", "fourier", "wavelet", "relu_kan", "legendre", "monomial")


def values(name, n=8, x=X):
    return make_basis(name, n).double()(x)


@pytest.mark.parametrize(("n", "degree"), [(8, 3), (4, 3), (11, 3), (8, 2), (5, 1)])
def test_splines_are_scipy_s(n, degree):
    h = 2 / (n - degree)
    knots = -1 + h * np.arange(-degree, n + 1)
    inside = X[(X >= -1) & (X <= 1)]
    expected = SciPySpline.design_matrix(inside.numpy(), knots, degree).toarray()
    found = BSpline(n, degree).double()(inside)
    # SciPy takes the last interval as closed: there, only the limit from the left counts.
    np.testing.assert_allclose(found[:-1], expected[:-1], atol=1e-6)
    torch.testing.assert_close(found.sum(-1), torch.ones_like(inside), atol=1e-6, rtol=0)


def test_splines_are_those_of_any_coefficients_outside_too():
    knots = -1 + 0.4 * np.arange(-3, 9)
    x = X[(X > -2.1) & (X < 2.1)]
    coefficients = np.random.default_rng(0).normal(size=8)
    whole = SciPySpline(knots, coefficients, 3, extrapolate=False)
    found = (values("bspline", 8, x) @ torch.from_numpy(coefficients)).numpy()
    known = (x.numpy() >= knots[3]) & (x.numpy() < knots[8])
    np.testing.assert_allclose(found[known], whole(x.numpy())[known], atol=1e-6)
    far = values("bspline", 8, torch.tensor([-2.3, 2.3, 50.0], dtype=torch.float64))
    assert not far.any()


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 13])
def test_polynomials_are_numpy_s(n):
    t = np.tanh(X.numpy())
    powers = np.stack([t**i for i in range(n)], -1)
    np.testing.assert_allclose(values("chebyshev", n), chebyshev.chebvander(t, n - 1), atol=1e-6)
    np.testing.assert_allclose(values("legendre", n), legendre.legvander(t, n - 1), atol=1e-6)
    np.testing.assert_allclose(values("monomial", n), powers, atol=1e-6)


def test_closed_forms():
    x = X.numpy()
    centers = np.linspace(-1, 1, 6)
    z = (x[:, None] - centers) / 0.4
    np.testing.assert_allclose(values("rbf", 6), np.exp(-(z**2)), atol=1e-6)
    np.testing.assert_allclose(values("wavelet", 6), (1 - z**2) * np.exp(-(z**2) / 2), atol=1e-6)
    waves = [wave(math.pi * m * x) for wave in (np.cos, np.sin) for m in (1, 2, 3)]
    np.testing.assert_allclose(values("fourier", 6), np.stack(waves, -1), atol=1e-6)
    starts = -1 + 0.4 * np.arange(-3, 5)
    bumps = (np.maximum(starts + 1.6 - x[:, None], 0) * np.maximum(x[:, None] - starts, 0)) ** 2 * 16 / 1.6**4
    np.testing.assert_allclose(values("relu_kan", 8), bumps, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_finite_differences(name):
    basis = make_basis(name, 6).double()
    knots = torch.tensor([-1.0, -1 / 3, 0.0, 1 / 3, 1.0], dtype=torch.float64)
    x = torch.cat([torch.zeros(1, dtype=torch.float64), knots - 1e-4, knots + 1e-4]).requires_grad_()
    assert torch.autograd.gradcheck(basis, (x,), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients_are_finite_everywhere(name):
    x = torch.tensor([-1e4, -3.0, -1.0, 0.0, 1.0, 3.0, 1e4], requires_grad=True)
    found = make_basis(name, 8)(x)
    assert found.shape == (7, 8)
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert found.isfinite().all()
    assert gradient.isfinite().all()


def test_a_trained_wavelet_moves():
    basis = MexicanHat(5, is_trainable=True)
    assert {name for name, _ in basis.named_parameters()} == {"centers", "scales"}
    basis(torch.tensor([0.3])).sum().backward()
    assert basis.centers.grad.abs().sum() > 0
    assert basis.scales.grad.abs().sum() > 0


def test_a_pool_is_its_members_one_after_another():
    pool = make_pool(("rbf", "fourier"), 6)
    torch.testing.assert_close(pool(X.float()), torch.cat([make_basis(one, 6)(X.float()) for one in pool.names], -1))
    assert pool.member().tolist() == [0] * 6 + [1] * 6


class Hat(Basis):
    """Piecewise linear functions."""

    def forward(self, x):
        centers = torch.linspace(-1, 1, self.n).to(x)
        return torch.relu(1 - (x[..., None] - centers).abs() * (self.n - 1) / 2)


def test_a_family_of_one_s_own_has_a_name():
    try:
        assert register_basis("hat")(Hat) is Hat
        assert "hat" in available_bases()
        basis = make_basis("hat", 5)
        torch.testing.assert_close(basis(torch.linspace(-1, 1, 5)), torch.eye(5))
        register_basis("hat", Hat)
        with pytest.raises(ValueError, match="already is a basis hat"):
            register_basis("hat", BSpline)
    finally:
        _BASES.pop("hat", None)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: make_basis("sinc"), "no basis 'sinc'; the bases are bspline"),
        (lambda: make_basis("bspline", 3), "at least 4 functions, not 3"),
        (lambda: make_basis("fourier", 7), "even number of functions"),
        (lambda: make_basis("rbf", 1), "at least 2 functions, not 1"),
        (lambda: make_basis("chebyshev", 0), "at least 1 function"),
        (lambda: make_basis(lambda n: Hat(n + 1), 3), "4 functions where 3"),
        (lambda: make_pool(()), "the pool is empty"),
        (lambda: make_pool("rbf"), "a pool is a sequence"),
        (lambda: make_pool(("rbf", "rbf")), "occurs twice"),
        (lambda: register_basis("my hat"), "letters, digits and underscores"),
    ],
)
def test_what_cannot_be_is_refused(call, said, unchecked):
    with pytest.raises(ValueError, match=said):
        call()
