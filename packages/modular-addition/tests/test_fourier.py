"""Spectra against NumPy's transform and closed forms, for odd and even p."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modular_addition import fourier_basis, participation_ratio, spectrum, synthesize, wrap


@given(p=st.integers(3, 40), seed=st.integers(0, 99))
def test_spectrum_is_numpys_transform(p, seed):
    v = torch.randn(4, p, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    found, other = spectrum(v), np.fft.rfft(v.numpy())
    double = np.full(p // 2, 2.0)
    if p % 2 == 0:
        double[-1] = 1.0
    np.testing.assert_allclose(found.magnitude, double * np.abs(other[:, 1:]) / p, atol=1e-12)
    turned = np.exp(1j * found.phase.numpy())
    np.testing.assert_allclose(turned, other[:, 1:] / np.abs(other[:, 1:]), atol=1e-9)
    torch.testing.assert_close(synthesize(found), v, atol=1e-12, rtol=0)
    basis = fourier_basis(p)
    torch.testing.assert_close(basis @ basis.T, torch.eye(p, dtype=torch.double), atol=1e-12, rtol=0)


@pytest.mark.parametrize(("p", "k", "phi"), [(23, 1, 0.3), (23, 11, -3.0), (12, 5, 2.0), (97, 40, 1.5)])
def test_one_cosine_has_one_magnitude_and_its_phase(p, k, phi):
    found = spectrum(0.7 * torch.cos(2 * torch.pi * k * torch.arange(p, dtype=torch.double) / p + phi))
    assert found.magnitude[k - 1] == pytest.approx(0.7, abs=1e-12)
    assert found.phase[k - 1] == pytest.approx(phi, abs=1e-12)
    assert found.dominant == k
    others = found.magnitude.clone()
    others[k - 1] = 0
    assert others.max() < 1e-12
    assert participation_ratio(found.magnitude) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("sign", "phase"), [(1, 0.0), (-1, np.pi)])
def test_the_highest_frequency_of_an_even_p_counts_once(sign, phase):
    found = spectrum(sign * 0.4 * torch.tensor([1.0, -1.0] * 5, dtype=torch.double))
    assert found.magnitude[-1] == pytest.approx(0.4, abs=1e-12)
    assert abs(found.phase[-1]) == pytest.approx(phase, abs=1e-12)


@given(seed=st.integers(0, 99), n=st.integers(1, 30), scale=st.sampled_from([1e-200, 1.0, 1e200]))
def test_the_participation_ratio_lies_between_all_alike_and_one(seed, n, scale):
    magnitude = scale * torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    ratio = float(participation_ratio(magnitude))
    assert 1 / n - 1e-9 <= ratio <= 1 + 1e-9
    assert float(participation_ratio(torch.full((n,), scale, dtype=torch.double))) == pytest.approx(1 / n)


def test_angles_are_wrapped_to_one_turn():
    wrapped = wrap(torch.tensor([0.0, torch.pi, -torch.pi, 4.0, -7.0], dtype=torch.double))
    expected = [0, np.pi, np.pi, 4 - 2 * np.pi, -7 + 2 * np.pi]
    np.testing.assert_allclose(wrapped, expected, atol=1e-12)
