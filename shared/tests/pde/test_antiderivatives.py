"""Antiderivatives, against closed forms and SciPy's quadrature."""

import math

import pytest
import torch
from scipy.integrate import cumulative_trapezoid

from separata import pde

D = torch.float64


def test_a_cosine_s_is_a_sine():
    x = torch.linspace(0, 1, 100, dtype=D)
    found = pde.antiderivative(torch.cos(2 * math.pi * x)[None], 1 / 99)
    assert (found - torch.sin(2 * math.pi * x) / (2 * math.pi)).abs().max() < 1e-6


def test_cubics_are_exact():
    x = torch.linspace(-1, 2, 8, dtype=D)
    powers = torch.stack([x**k for k in range(4)])
    exact = torch.stack([(x ** (k + 1) - (-1) ** (k + 1)) / (k + 1) for k in range(4)])
    torch.testing.assert_close(pde.antiderivative(powers, 3 / 7), exact)


def test_the_order_is_four_at_every_point(order):
    errors = []
    for m in (20, 39, 77):
        x = torch.linspace(0, 1, m, dtype=D)
        errors.append(
            (pde.antiderivative(torch.exp(2 * x)[None], 1 / (m - 1)) - torch.exp(2 * x) / 2 + 0.5).abs().max()
        )
    assert order(errors) == pytest.approx(4, abs=0.2)


def test_on_a_fine_grid_it_is_scipy_s_trapezoid_rule(smooth):
    x = torch.linspace(0, 1, 2001, dtype=D)
    u = smooth(3, x)
    expected = cumulative_trapezoid(u.numpy(), x.numpy(), initial=0)
    torch.testing.assert_close(pde.antiderivative(u, 1 / 2000), torch.from_numpy(expected), atol=1e-5, rtol=0)


def test_rows_do_not_touch_each_other(smooth):
    u = smooth(4, torch.linspace(0, 1, 9, dtype=D))
    torch.testing.assert_close(pde.antiderivative(u.reshape(2, 2, 9), 0.125)[1, 0], pde.antiderivative(u[2], 0.125))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("u", "dx", "message"),
    [
        (torch.zeros(2, 3), 0.1, "the number of points must be at least 4, not 3"),
        (torch.zeros(2, 5), 0.0, "dx must be positive, not 0.0"),
        (torch.tensor([[0.0] * 5, [math.nan] * 5]), 0.1, "u holds values that are not finite at index 1"),
    ],
)
def test_what_is_wrong_is_named(u, dx, message):
    with pytest.raises(ValueError, match=message):
        pde.antiderivative(u, dx)
