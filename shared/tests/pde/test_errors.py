"""Errors of functions, against their definitions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from separata import pde

D = torch.float64


@pytest.fixture
def planes(generator):
    """Predictions and truths."""
    return torch.randn(2, 3, 2, 12, 10, generator=generator, dtype=D)


@settings(max_examples=20)
@given(st.floats(-3, 3), st.floats(0, 5))
def test_a_truth_that_is_scaled_is_off_by_its_scale(d, weight):
    y = torch.randn(3, 8, 9, generator=torch.Generator().manual_seed(1), dtype=D)
    expected = torch.full((3,), abs(d), dtype=D)
    for error in (
        pde.relative_l2(y + d * y, y),
        pde.RelativeH1(weight)(y + d * y, y),
        pde.relative_h1(y + d * y, y, 0.1, value_weight=weight),
    ):
        torch.testing.assert_close(error, expected, atol=1e-12, rtol=1e-9)


def test_without_weight_h1_is_l2(planes):
    pred, true = planes
    expected = ((pred - true) ** 2).sum((1, 2, 3)).sqrt() / (true**2).sum((1, 2, 3)).sqrt()
    torch.testing.assert_close(pde.relative_l2(pred, true), expected)
    torch.testing.assert_close(pde.RelativeH1(0.0)(pred, true), expected)


def test_a_wave_weighs_by_its_wavenumber():
    x = torch.arange(16, dtype=D) / 16
    base = torch.ones(1, 16, 16, dtype=D)
    wave = torch.cos(2 * math.pi * (3 * x[:, None] + 2 * x))[None]
    # Of unit mean square: ‖wave‖² is half of ‖base‖².
    assert pde.RelativeH1(2.0)(base + wave, base).item() == pytest.approx(math.sqrt((1 + 4 * 13) / 2))
    # The wavenumber 3 does not count, the other does.
    assert pde.RelativeH1(2.0, max_mode=3)(base + wave, base).item() == pytest.approx(math.sqrt((1 + 4 * 4) / 2))
    assert pde.RelativeH1(2.0, max_mode=None)(base + wave, base).item() == pytest.approx(math.sqrt(53 / 2))


def test_differences_of_a_plane_are_exact():
    y, x = torch.meshgrid(torch.arange(5, dtype=D), torch.arange(4, dtype=D), indexing="ij")
    error = (1 + 0.2 * y + 0.3 * x)[None]
    values = (error**2).sum().item()
    found = pde.h1_norm(error, (0.1, 0.5), value_weight=10)
    assert found.item() == pytest.approx(math.sqrt(10 * values + 20 * (2**2 + 0.6**2)))


def test_the_h1_norm_converges_to_the_integral(order):
    errors = []
    for m in (17, 33, 65):
        x = torch.linspace(0, 1, m, dtype=D)
        wave = (torch.sin(math.pi * x)[:, None] * torch.sin(math.pi * x))[None]
        norm = pde.h1_norm(wave, 1 / (m - 1)).item() / (m - 1)
        errors.append(abs(norm - math.sqrt(0.25 + math.pi**2 / 2)))
    assert order(errors) > 0.9  # the sum over points is a rectangle rule with both ends


def test_the_largest_errors_are_left_out():
    true = torch.zeros(2000, dtype=D)
    pred = torch.ones(2000, dtype=D)
    pred[7], pred[1234] = 100, -50
    assert pde.mse_without_outliers(pred, true).item() == 1
    assert pde.mse_without_outliers(pred, true, 1e-4).item() == pytest.approx((1998 + 2500) / 1999)
    assert pde.mse_without_outliers(pred, true, 0.0).item() == pytest.approx((1998 + 10_000 + 2500) / 2000)
    # A part of a value is a whole one.
    assert pde.mse_without_outliers(pred[:1999], true[:1999], 1e-3).item() == 1


def test_an_error_of_zero_has_a_gradient():
    true = torch.ones(1, 4, 4, dtype=D)
    pred = true.clone().requires_grad_()
    for loss in (pde.relative_l2, pde.RelativeH1(), lambda p, t: pde.relative_h1(p, t, 0.1)):
        (gradient,) = torch.autograd.grad(loss(pred, true).sum(), pred)
        assert gradient.isfinite().all()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda y: pde.relative_l2(y[:1], y),
            "pred and true must have the same shape, not \\(1, 4, 4\\) and \\(2, 4, 4",
        ),
        (
            lambda y: pde.relative_l2(y, y * torch.tensor([1.0, 0])[:, None, None]),
            "sample 1 of true is zero everywhere",
        ),
        (
            lambda y: pde.RelativeH1()(y[0], y[0]),
            "samples must be functions on a plane, \\(n, ..., h, w\\), not \\(4, 4",
        ),
        (lambda y: pde.RelativeH1(-1.0), "weight must not be negative, not -1.0"),
        (lambda y: pde.RelativeH1(max_mode=0), "max_mode must be at least 1, not 0"),
        (lambda y: pde.h1_norm(y, 0.0), "spacing must be positive, not 0.0"),
        (lambda y: pde.h1_norm(y[:, :2], 0.1), "error must be functions on a plane of at least 3 x 3 points"),
        (lambda y: pde.mse_without_outliers(y, y, 1.0), "fraction must be in \\[0, 1\\) and leave some of 32 values"),
        (lambda y: pde.relative_l2(y[:0], y[:0]), "there are no values to compare"),
    ],
)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.ones(2, 4, 4))
