"""Steps to a loss, on curves whose crossings are known."""

import math

import pytest

from noble_branch import step_speedup

BASE = [(100 * i, 2 - (i - 1) / 9) for i in range(1, 11)]


def test_the_paper_s_figures():
    result = step_speedup(BASE, [(100, 2.0), (680, 1.0), (1000, 0.9)], step_time_ratio=1.205)
    assert result.speedup == pytest.approx(1.4706, abs=1e-4)
    assert result.fewer_percent == pytest.approx(32)
    assert result.net_speedup == pytest.approx(1.22, abs=5e-3)
    assert "32.0 % fewer steps" in str(result)


def test_a_crossing_between_two_points_is_interpolated():
    assert step_speedup(BASE, [(100, 2.0), (500, 1.5), (700, 0.5)]).step == pytest.approx(600)


def test_only_the_first_time_and_the_first_best_count():
    baseline = [(1, 3.0), (5, 1.0), (9, 1.0), (12, 2.0)]
    assert step_speedup(baseline, [(1, 2.0), (2, 1.0), (3, 4.0), (4, 0.5)]).speedup == pytest.approx(2.5)


def test_what_is_never_reached_is_nothing():
    result = step_speedup(BASE, [(100, 2.0), (1000, 1.001)])
    assert (result.step, result.speedup, result.fewer_percent, result.net_speedup) == (None, None, None, None)
    assert "not reached" in str(result)


def test_a_slower_training_has_a_speedup_below_one():
    result = step_speedup(BASE, [(100, 2.0), (2000, 1.0)])
    assert result.speedup == pytest.approx(0.5)
    assert "100.0 % more steps" in str(result)


@pytest.mark.parametrize(
    ("baseline", "curve", "message"),
    [
        ([], BASE, "baseline's curve is empty"),
        (BASE, [], "other curve is empty"),
        (BASE, [(1, 2.0), (1, 1.0)], "must ascend"),
        (BASE, [(1, math.nan)], "finite"),
        ([(0, 1.0), (1, 2.0)], BASE, "never gets below"),
    ],
)
def test_curves_that_cannot_be_compared_are_refused(baseline, curve, message):
    with pytest.raises(ValueError, match=message):
        step_speedup(baseline, curve)
