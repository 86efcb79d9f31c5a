"""Values and gradients of the binarizations, against closed forms and finite differences."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from biper import scale_by_deviation, sgn, sign_activation, sign_ste, sine, square_wave


def gradient(function, x):
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(function(x).sum(), x)
    return found


def test_square_wave_at_known_points():
    w = torch.tensor([0.1, math.pi / 40], dtype=torch.float64)
    assert square_wave(w, 20.0).tolist() == [1.0, 1.0]
    found = gradient(lambda w: square_wave(w, 20.0), w)
    assert found[0].item() == pytest.approx(20 * math.cos(2.0), abs=1e-9)
    assert found[0].item() == pytest.approx(-8.3229, abs=1e-4)
    assert abs(found[1].item()) < 1e-12


@given(st.floats(-50, 50), st.floats(0.1, 100))
def test_square_wave_is_odd_periodic_and_has_two_values(w, omega):
    if abs(math.sin(omega * w)) < 1e-6:
        return
    x = torch.tensor([w, w + 2 * math.pi / omega, -w], dtype=torch.float64)
    values = square_wave(x, omega)
    assert values.tolist() == [math.copysign(1, math.sin(omega * w))] * 2 + [-values[0].item()]
    slopes = gradient(lambda w: square_wave(w, omega), x)
    assert (slopes / omega - math.cos(omega * w)).abs().max() < 1e-6
    assert slopes.abs().max() <= omega


def test_the_gradient_is_that_of_the_sine():
    w = torch.randn(50, dtype=torch.float64, generator=torch.manual_seed(0))
    step = 1e-6
    expected = (torch.sin(7 * (w + step)) - torch.sin(7 * (w - step))) / (2 * step)
    for function in (sine, square_wave):
        torch.testing.assert_close(gradient(lambda w, f=function: f(w, 7.0), w), expected, rtol=1e-6, atol=1e-6)
    upstream = torch.linspace(-2, 2, 50, dtype=torch.float64)
    found = gradient(lambda w: upstream * square_wave(w, 7.0), w)
    torch.testing.assert_close(found, upstream * expected, rtol=1e-6, atol=1e-6)


def test_the_windows_of_the_signs():
    a = torch.tensor([0.25, -0.25, 0.9, -0.9, 1.0, 3.0, -2.0])
    assert sign_activation(a).tolist() == [1, -1, 1, -1, 1, 1, -1]
    torch.testing.assert_close(gradient(sign_activation, a), torch.tensor([1.5, 1.5, 0.2, 0.2, 0, 0, 0]))
    assert sign_ste(a).tolist() == [1, -1, 1, -1, 1, 1, -1]
    assert gradient(sign_ste, a).tolist() == [1, 1, 1, 1, 1, 0, 0]


def test_the_sign_of_zero():
    zero = torch.tensor([0.0, -0.0])
    for function in (sgn, sign_activation, sign_ste, lambda x, **settings: square_wave(x, 5.0, **settings)):
        for is_enabled in (True, False):
            with torch.set_grad_enabled(is_enabled):
                assert function(zero).tolist() == [1, 1]
                assert function(zero, zero_is_one=False).tolist() == [0, 0]


def test_samples_are_scaled_by_their_own_deviation():
    a = torch.randn(4, 3, 5, 5, dtype=torch.float64, generator=torch.manual_seed(0)) * 7 + 2
    expected = np.stack([one / np.sqrt(one.var(ddof=1) + 1e-5) for one in a.numpy()])
    np.testing.assert_allclose(scale_by_deviation(a, 3).numpy(), expected, rtol=1e-12)
    rows = a.flatten(1)
    np.testing.assert_allclose(scale_by_deviation(rows, 1).numpy(), expected.reshape(4, -1), rtol=1e-12)
    small = a[:2, :2, :2, :2].clone().requires_grad_()
    # The gradient flows through the variance, too.
    assert torch.autograd.gradcheck(lambda x: scale_by_deviation(x, 3), small)
    with pytest.raises(ValueError, match="single number"):
        scale_by_deviation(torch.ones(4, 1, 1, 1), 3)


def test_phases_keep_their_precision():
    w = torch.linspace(-3, 3, 1001)
    expected = torch.sin(20 * w.double())
    with torch.autocast("cpu", torch.bfloat16):
        assert (sine(w, 20.0).double() - expected).abs().max() < 1e-5
        assert (
            gradient(lambda w: square_wave(w, 20.0), w).double() - 20 * torch.cos(20 * w.double())
        ).abs().max() < 1e-3
    half = w.bfloat16()
    found = sine(half, 20.0)
    assert found.dtype == torch.bfloat16
    # Phases of up to 60 rad in bfloat16 itself would be wrong by as much as 0.1.
    assert (found.double() - torch.sin(20 * half.double())).abs().max() < 2**-8
    assert (torch.sin(20 * half).double() - torch.sin(20 * half.double())).abs().max() > 0.05


def test_batches_of_weights():
    w = torch.randn(3, 4, generator=torch.manual_seed(0))
    many = torch.vmap(torch.func.grad(lambda w: (square_wave(w, 3.0) * torch.arange(4.0)).sum()))(w)
    torch.testing.assert_close(many, 3 * torch.cos(3 * w) * torch.arange(4.0))


@pytest.mark.parametrize("omega", [0, -1.0, math.nan, math.inf])
def test_a_frequency_is_positive(omega):
    for function in (sine, square_wave):
        with pytest.raises(ValueError, match="omega must be positive and finite"):
            function(torch.ones(2), omega)
