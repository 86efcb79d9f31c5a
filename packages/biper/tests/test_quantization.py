"""Quantization errors against published values, samples and bounds; gradients of smoothed losses."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from biper import (
    binarize,
    cosine,
    finite_difference_gradient,
    fit_laplace,
    laplace_error,
    quantization_error,
    quantization_errors,
    sgn,
    sign_ste,
    smoothed_gradient,
    square_wave,
    zero_gradient_share,
)
from biper.gradients import deviation_that_flips

VALUES = {0.1: 0.009428, 0.2: 0.031983, 0.5: 0.088800, 1: 0.102794, 2: 0.098552, 5: 0.095447}


def test_the_closed_form_has_the_known_values():
    for u, error in VALUES.items():
        assert laplace_error(20.0, u / 20) == pytest.approx(error, abs=1e-6)
    assert laplace_error(1e4, 1.0) == pytest.approx(0.5 - 4 / math.pi**2, abs=1e-6)
    assert laplace_error(1e200, 1.0) == pytest.approx(0.5 - 4 / math.pi**2)
    assert laplace_error(1e-200, 1e-200) == pytest.approx(0)
    assert laplace_error(1.0, 1.0, "l1") == pytest.approx(0.4548, abs=1e-4)
    assert laplace_error(1e4, 1.0, "l1") == pytest.approx(1 - 2 / math.pi, abs=1e-4)


def test_a_million_samples_agree_with_it():
    w = torch.from_numpy(np.random.default_rng(0).laplace(scale=0.03, size=1_000_000))
    assert fit_laplace(w) == pytest.approx(0.03, rel=5e-3)
    for omega in (3.0, 20.0, 100.0):
        for metric in ("l2", "l1"):
            assert quantization_error(w, omega, metric) == pytest.approx(laplace_error(omega, 0.03, metric), rel=5e-3)
    assert quantization_error(w, None) == pytest.approx(0.03**2, rel=1e-2), "the plain sign's is b squared"


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0.01, 1000))
def test_the_error_is_the_smallest_of_all_scales_and_bounded(values, omega):
    w = torch.tensor(values, dtype=torch.float64)
    error = quantization_error(w, omega)
    assert -1e-12 <= error <= 0.25 + 1e-12
    s = np.sin(omega * w.numpy())
    signs = np.where(s >= 0, 1.0, -1.0)
    scales = np.linspace(0, 1, 2001)
    smallest = min(np.mean((s - scale * signs) ** 2) for scale in scales)
    assert error == pytest.approx(smallest, abs=1e-6)


def test_errors_of_a_network():
    model = binarize(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 30), nn.Linear(30, 2)), omega=8.0).model
    (name, error), *others = quantization_errors(model).items()
    assert not others
    assert (name, error) == ("1", quantization_error(model[1].weight, 8.0))
    assert quantization_errors(model, omega=1.0)["1"] == quantization_error(model[1].weight, 1.0)
    with pytest.raises(ValueError, match="no layer of BiPer's"):
        quantization_errors(nn.Linear(2, 2))
    for wrong in (lambda: quantization_error(torch.ones(3), -1.0), lambda: laplace_error(math.nan, 1.0)):
        with pytest.raises(ValueError, match="omega"):
            wrong()
    with pytest.raises(ValueError, match="omega must be positive"):
        quantization_errors(model, omega=0.0)
    for weight, omega in ((torch.tensor([1.0, math.nan]), None), (torch.tensor([1e200], dtype=torch.float64), 1e200)):
        with pytest.raises(ValueError, match="must be finite"):
            quantization_error(weight, omega)
    with pytest.raises(ValueError, match="scale b"):
        laplace_error(1.0, 0.0)
    with pytest.raises(ValueError, match="no weights"):
        quantization_error(torch.ones(0), 1.0)


def test_differences_and_smoothing_of_a_quadratic():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(6, 6, dtype=torch.float64, generator=generator)
    w = torch.randn(2, 3, dtype=torch.float64, generator=generator)

    def loss(w):
        return w.flatten() @ matrix @ w.flatten()

    expected = ((matrix + matrix.T) @ w.flatten()).view(2, 3)
    torch.testing.assert_close(finite_difference_gradient(loss, w), expected, rtol=1e-6, atol=1e-6)
    # The gradient of a smoothed quadratic is its own.
    found = smoothed_gradient(loss, w, 0.5, 50_000, generator)
    assert (found - expected).norm() < 0.05 * expected.norm()


def test_the_smoothed_square_wave():
    """Noise leaves the first harmonic of a square wave: (4/π) exp(-σ²ω²/2) sin(ωw), up to the third one."""
    w = torch.linspace(0.05, 1.5, 5, dtype=torch.float64)
    omega, deviation = 2.0, 0.8
    generator = torch.Generator().manual_seed(0)
    found = smoothed_gradient(lambda w: square_wave(w, omega).sum(), w, deviation, 200_000, generator)
    harmonics = [
        4 / math.pi * omega * math.exp(-((k * omega * deviation) ** 2) / 2) * torch.cos(k * omega * w)
        for k in (1, 3, 5)
    ]
    torch.testing.assert_close(found, sum(harmonics), rtol=0.05, atol=0.03)


def test_how_much_noise_turns_a_share_of_signs():
    from statistics import NormalDist

    w = torch.ones(5_000, dtype=torch.float64)
    found = deviation_that_flips(sgn, w, 0.1, torch.Generator().manual_seed(0))
    assert found == pytest.approx(-1 / NormalDist().inv_cdf(0.1), rel=0.02)
    with pytest.raises(ValueError, match="between 0 and 1/2"):
        deviation_that_flips(sgn, w, 0.6, torch.Generator())


def test_shares_without_a_gradient():
    w = torch.randn(20_000, dtype=torch.float64, generator=torch.manual_seed(0))
    assert zero_gradient_share(sign_ste, w) == pytest.approx(0.3173, abs=0.01), "beyond one deviation"
    assert zero_gradient_share(lambda w: square_wave(w, 20.0), 100 * w) == 0
    assert cosine(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0])) == pytest.approx(math.sqrt(0.5))
