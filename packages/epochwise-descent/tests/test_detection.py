"""Descents in curves whose turns are known, and in noise that has none."""

import numpy as np
import pytest
from descent_shell import wave
from hypothesis import given, settings
from hypothesis import strategies as st

from epochwise_descent import find_double_descent, turn_sizes

T = np.geomspace(1, 1e4, 81)


def monotone(t):
    return 0.1 + 0.4 / (1 + t / 10)


def test_turns_of_a_clean_curve_are_found_within_a_step():
    found = find_double_descent(T, wave(T))
    assert found.is_double_descent
    step = T[1] / T[0] * 1.001
    for point, at, error in ((found.first_min, 10, 0.2), (found.peak, 10**2.5, 0.35), (found.second_min, 1e4, 0.1)):
        assert 1 / step <= point.step / at <= step
        assert point.error == pytest.approx(error, abs=0.005)
    assert found.rise == pytest.approx(0.15, abs=0.01)
    assert found.fall == pytest.approx(0.25, abs=0.01)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held = np.zeros(2)
    for _ in range(60):
        found = find_double_descent(T, wave(T) + 0.01 * rng.standard_normal((4, 81)))
        assert found.is_double_descent
        held += [
            found.peak.step_low <= 10**2.5 <= found.peak.step_high,
            found.first_min.step_low <= 10 <= found.first_min.step_high,
        ]
    assert (held >= 48).all(), held


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("shape", [monotone, lambda t: np.full_like(t, 0.3)])
def test_noise_alone_is_no_double_descent(seeds, shape):
    rng = np.random.default_rng(1)
    found = [
        find_double_descent(T, shape(T) + 0.01 * rng.standard_normal((seeds, 81)), smallest=0.0).is_double_descent
        for _ in range(60)
    ]
    # With three seeds the size of noise is known to a factor of 1.7 only.
    assert sum(found) <= (6 if seeds == 1 else 9)


def test_noise_that_stays_from_point_to_point_is_no_double_descent():
    rng = np.random.default_rng(4)
    t, found = np.arange(1, 301), 0
    for _ in range(25):
        noise = rng.standard_normal(300)
        for i in range(1, 300):
            noise[i] = 0.9 * noise[i - 1] + 0.44 * noise[i]
        found += find_double_descent(t, monotone(t) + 0.02 * noise).is_double_descent
    assert found <= 3


@pytest.mark.parametrize("seeds", [2, 3, 6])
def test_intervals_of_errors_hold_the_truth_with_few_seeds(seeds):
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(80):
        found = find_double_descent(T, wave(T) + 0.01 * rng.standard_normal((seeds, 81)))
        at = np.abs(np.log(found.steps / 2e3)).argmin()
        held += found.low[at] <= wave(found.steps[at]) <= found.high[at]
    # 95 % of 80 is 76.
    assert held >= 70


def test_other_shapes():
    u = np.interp(np.log10(T), [0, 2, 4], [0.5, 0.2, 0.4])
    found = find_double_descent(T, u)
    assert found.shape == "U-shaped"
    assert found.peak is None
    assert found.rise == pytest.approx(0.2, abs=0.02)
    assert found.first_min.step == pytest.approx(100, rel=0.15)
    assert find_double_descent(T, monotone(T)).shape == "descending"
    assert find_double_descent(T, -monotone(T)).shape == "rising"


def test_a_wave_that_is_too_small_does_not_count():
    assert not find_double_descent(T, wave(T), smallest=0.2).is_double_descent
    assert find_double_descent(T, wave(T), smallest=0.1).is_double_descent


def test_what_seeds_do_not_agree_on_does_not_count():
    rng = np.random.default_rng(2)
    alike = wave(T) + 0.002 * rng.standard_normal((4, 81))
    shifts = np.array([[-0.4], [-0.1], [0.1], [0.4]]) * (T > 50)
    assert find_double_descent(T, alike).is_double_descent
    assert not find_double_descent(T, alike + shifts).is_double_descent


def test_a_noisy_beginning_does_not_hide_what_comes_later():
    rng = np.random.default_rng(3)
    size = np.where(T < 5, 0.07, 0.004)
    assert find_double_descent(T, wave(T) + size * rng.standard_normal((3, 81))).is_double_descent
    u = np.interp(np.log10(T), [0, 2, 4], [0.6, 0.1, 0.2])
    assert find_double_descent(T, u + size * rng.standard_normal((3, 81))).shape == "U-shaped"


def test_epochs_in_a_line_and_from_zero_and_thousands_of_them():
    t = np.arange(0, 10_000)
    values = wave(np.maximum(t, 1.0)) + 0.01 * np.random.default_rng(0).standard_normal(10_000)
    found = find_double_descent(t, values)
    assert found.is_double_descent
    assert found.peak.step == pytest.approx(10**2.5, rel=0.25)
    assert len(found.steps) <= 400


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(0.01, 100), shift=st.floats(-10, 10), stretch=st.floats(0.1, 1000))
def test_units_do_not_matter(scale, shift, stretch):
    first = find_double_descent(T, wave(T))
    other = find_double_descent(stretch * T, scale * wave(T) + shift)
    assert other.shape == first.shape
    assert other.peak.step == pytest.approx(stretch * first.peak.step)
    assert other.rise == pytest.approx(scale * first.rise, rel=1e-6)


def test_sizes_of_turns():
    assert turn_sizes(np.array([5.0, 1.0, 4.0, 2.0])) == (1, 2, 3.0, 2.0)
    assert turn_sizes(np.array([5.0, 4.0, 1.0]))[2:] == (0.0, 0.0)


def test_the_report_in_words_and_as_json():
    found = find_double_descent(T, wave(T))
    assert found.summary().startswith("double descent")
    assert found.to_json()["peak"]["step"] == found.peak.step
    assert find_double_descent(T, monotone(T)).to_json()["peak"] is None


@pytest.mark.parametrize(
    ("t", "error", "told"),
    [
        (T[:7], wave(T)[:7], "at least 8 points"),
        (np.append(T[:10], 2.0), wave(T)[:11], "2 follows"),
        (T[:10], np.append(wave(T)[:9], np.nan), "no finite number"),
        (T - 5, wave(T), "must not be negative"),
        (T, wave(T)[:-1], "an error for each time"),
    ],
)
def test_what_is_refused(t, error, told):
    with pytest.raises(ValueError, match=told):
        find_double_descent(t, error)
