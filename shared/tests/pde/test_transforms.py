"""Transforms, against the orthogonality of their functions and SciPy's quadrature."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.special import eval_legendre

from separata import pde

D = torch.float64


def test_cosines_are_orthonormal_eigenfunctions():
    x = torch.linspace(0, 3, 3001, dtype=D)
    basis = pde.cosine_functions(x, 5, length=3.0)
    weights = torch.full((3001,), 1e-3, dtype=D)
    weights[[0, -1]] /= 2
    torch.testing.assert_close((basis.T * weights) @ basis, torch.eye(5, dtype=D), atol=1e-9, rtol=0)
    second = basis.diff(n=2, dim=0) * 1e6
    eigenvalues = -((math.pi * torch.arange(5, dtype=D) / 3) ** 2)
    torch.testing.assert_close(second, eigenvalues * basis[1:-1], atol=1e-3, rtol=0)
    assert basis.diff(dim=0)[[0, -1]].abs().max() < 1e-5


def test_legendre_polynomials_are_orthogonal():
    x = torch.linspace(-1, 1, 401, dtype=D)
    polynomials = torch.stack([torch.from_numpy(eval_legendre(n, x.numpy())) for n in range(6)])
    expected = torch.diag(2 / (2 * torch.arange(6, dtype=D) + 1))
    torch.testing.assert_close(pde.legendre_transform(polynomials, 6), expected, atol=1e-7, rtol=0)


def test_cubics_are_exact_on_few_points():
    x = torch.linspace(-1, 1, 5, dtype=D)
    cubic = (5 * x**3 - 3 * x) / 2
    expected = torch.zeros(1, 20, dtype=D)
    expected[0, 3] = 2 / 7
    torch.testing.assert_close(pde.legendre_transform(cubic[None]), expected, atol=1e-12, rtol=0)


def test_it_agrees_with_quadrature_in_fourth_order(order):
    exact = quad(lambda x: math.exp(math.sin(3 * x)) * eval_legendre(7, x), -1, 1)[0]
    errors = []
    for m in (41, 81, 161):
        x = torch.linspace(-1, 1, m, dtype=D)
        errors.append(abs(pde.legendre_transform(torch.exp(torch.sin(3 * x))[None], 8)[0, 7].item() - exact))
    assert errors[-1] < 1e-6
    assert order(errors) > 3.7


@pytest.mark.usefixtures("unchecked")
def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match="the number of points must be at least 4, not 3"):
        pde.legendre_transform(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="f holds values that are not finite at index 0"):
        pde.legendre_transform(torch.full((1, 5), math.inf))
