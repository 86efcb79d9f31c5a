"""Encodings against closed forms; scalers against SciPy."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from mip_hypernet import InputScaler, NormalScaler, encode

units = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=8)


@given(units)
def test_the_norm_is_constant(values):
    gamma = torch.tensor(values, dtype=torch.float64)
    assert float(encode(gamma).square().sum()) == pytest.approx(len(values))
    assert float(encode(gamma, "l1").abs().sum()) == pytest.approx(len(values))


def test_known_values():
    half = math.sqrt(0.5)
    for value, expected in ((0.0, [1, 0]), (1.0, [0, 1]), (0.5, [half, half])):
        torch.testing.assert_close(encode(torch.tensor([value])), torch.tensor(expected, dtype=torch.float))
    torch.testing.assert_close(encode(torch.tensor([0.2, 0.8]), "l1"), torch.tensor([0.2, 0.8, 0.8, 0.2]))
    # All cosines, then all sines.
    torch.testing.assert_close(encode(torch.tensor([0.0, 1.0])), torch.tensor([1.0, 0.0, 0.0, 1.0]))
    raw = torch.tensor([-3.0, 7.0])
    assert encode(raw, None) is raw


def test_different_inputs_have_different_codes():
    codes = encode(torch.linspace(0, 1, 101)[:, None])
    assert float(torch.pdist(codes).min()) > 0.01


def test_of_batches_and_under_vmap():
    gamma = torch.rand(5, 3)
    torch.testing.assert_close(encode(gamma)[2], encode(gamma[2]))
    torch.testing.assert_close(torch.vmap(encode)(gamma), encode(gamma))


@pytest.mark.parametrize("mode", ["l2", "l1"])
@pytest.mark.parametrize("wrong", [-0.1, 1.5, math.nan, math.inf])
def test_what_is_outside_is_refused(mode, wrong):
    word = "finite" if not math.isfinite(wrong) else f"{wrong:g}"
    with pytest.raises(ValueError, match=word):
        encode(torch.tensor([0.5, wrong]), mode)


def test_raw_inputs_must_be_finite():
    with pytest.raises(ValueError, match="finite"):
        encode(torch.tensor([math.nan]), None)


def test_unknown_mode(unchecked):
    with pytest.raises(ValueError, match="l2, l1 or None"):
        encode(torch.rand(2), "fourier")


@given(st.floats(0, 1))
def test_scalers_are_inverted(unit):
    for scaler in (InputScaler(-2, 3), InputScaler(1e-4, 10.0, "log")):
        assert float(scaler(scaler.inverse(torch.tensor(unit, dtype=torch.float64)))) == pytest.approx(unit, abs=1e-5)


def test_scales():
    assert float(InputScaler(10, 20)(15.0)) == pytest.approx(0.5)
    assert float(InputScaler(1e-4, 1, "log")(1e-2)) == pytest.approx(0.5)
    several = InputScaler([0.0, 10.0], [1.0, 30.0])(torch.tensor([[0.5, 20.0], [1.0, 10.0]]))
    torch.testing.assert_close(several, torch.tensor([[0.5, 0.5], [1.0, 0.0]]))


def test_the_normal_distribution_as_scale():
    values = torch.tensor([-3.0, 0.0, 1.0, 2.5], dtype=torch.float64)
    scaler = NormalScaler(1.0, 2.0)
    expected = norm(1.0, 2.0).cdf(values.numpy())
    torch.testing.assert_close(scaler(values), torch.from_numpy(expected))
    torch.testing.assert_close(scaler.inverse(scaler(values)), values)
    samples = 1 + 2 * torch.randn(20_000)
    assert float(scaler(samples).std()) == pytest.approx(math.sqrt(1 / 12), rel=0.02), "uniform"


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: InputScaler(1, 1), "below high"),
        (lambda: InputScaler(0, 1, "log"), "above 0"),
        (lambda: InputScaler(0, 1, "cubic"), "linear or log"),
        (lambda: NormalScaler(0, 0), "positive"),
        (lambda: InputScaler(0, 10)(11.0), "11"),
        (lambda: InputScaler(0, 10)(torch.tensor([1.0, -3.0])), "-3"),
        (lambda: InputScaler(0, 10)(math.nan), "nan"),
        (lambda: NormalScaler()(math.nan), "NaN"),
    ],
)
def test_what_cannot_be_scaled(make, word, unchecked):
    with pytest.raises(ValueError, match=word):
        make()
