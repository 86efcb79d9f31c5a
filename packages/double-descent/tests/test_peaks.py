"""Peaks of curves that are known."""

import numpy as np
import pytest

from double_descent import find_peak, largest_rise
from double_descent.labels import spread
from double_descent.peaks import most_prominent

WIDTHS = [10, 30, 60, 90, 100, 120, 200, 400, 1000]


def curve(*values, noise=0.0, seeds=4):
    random = np.random.default_rng(0)
    return np.array(values)[None] + noise * random.normal(size=(seeds, len(values)))


def test_a_peak_is_measured_against_both_of_its_sides():
    found = find_peak(WIDTHS, curve(5, 3, 2, 4, 8, 6, 3, 2, 1), 100)
    assert (found.height, found.relative, found.prominence, found.location) == (6, 8, 4, 1.0)
    assert found.is_present


@pytest.mark.parametrize(
    "values",
    [
        (1, 2, 3, 4, 5, 6, 7, 8, 90),  # rises without end, as with large initial weights
        (9, 8, 7, 6, 5, 4, 3, 2, 1),  # falls without end
        (5, 3, 2, 2.2, 2.3, 2.2, 2.1, 2, 2),  # hardly stands out
        (1, 1, 1, 1, 1, 1, 1, 1, 1),
        (2, 1, 3, 4, 5, 5, 5, 5, 5),  # a step
    ],
)
def test_what_has_no_lower_error_on_both_sides_is_no_peak(values):
    found = find_peak(WIDTHS, curve(*map(float, values)), 100)
    assert not found.is_present
    assert found.prominence <= 1.2


def test_a_peak_that_drowns_in_the_spread_over_seeds_is_none():
    values = (5, 3, 2, 2.5, 3, 2.5, 2, 2, 2)
    assert find_peak(WIDTHS, curve(*values, noise=0.01), 100).is_present
    random = np.random.default_rng(1)
    errors = curve(*values)
    errors[:, 4] *= np.exp(random.normal(size=4) * 3)
    errors[:, 4] *= 3 / errors[:, 4].mean()
    assert not find_peak(WIDTHS, errors, 100).is_present


def test_a_maximum_far_from_the_threshold_is_not_looked_at():
    assert find_peak(WIDTHS, curve(50, 3, 2, 4, 8, 6, 3, 2, 1), 100).location == 1.0
    with pytest.raises(ValueError, match="no width lies between"):
        find_peak([1.0, 2.0], np.ones((1, 2)), 100)
    with pytest.raises(ValueError, match="must increase"):
        find_peak([2.0, 1.0], np.ones((1, 2)), 1)


@pytest.mark.parametrize(
    ("errors", "at"),
    [
        ((9, 3, 2, 4, 8, 6, 3, 2, 1), 4),
        ((9, 1, 4, 1, 2, 1, 1, 1, 1), 2),  # far from the threshold
        ((9, 8, 1, 1, 1, 1, 1, 3, 2), 7),
    ],
)
def test_the_most_prominent_maximum_is_found_wherever_it_is(errors, at):
    assert most_prominent(np.array(errors, dtype=float)) == at


def test_the_largest_rise_is_over_the_lowest_so_far():
    assert largest_rise(np.array([4.0, 2, 3, 1, 1.2])) == pytest.approx(0.5)
    assert largest_rise(np.array([4.0, 3, 2])) == 0


def test_names_are_spread_without_leaving_the_axes():
    for wanted in ([0.1, 0.1, 0.1], [0.99, 1.0, 1.3], [-1.0, 0.0, 0.5], [0.2, 0.5, 0.8]):
        places = spread(wanted, 0.1, 0.0, 1.0)
        assert all(b - a >= 0.1 - 1e-9 for a, b in zip(places, places[1:]))
        assert places[0] >= -1e-9
        assert places[-1] <= 1 + 1e-9
    assert spread([0.2, 0.5, 0.8], 0.1, 0.0, 1.0) == [0.2, 0.5, 0.8]
    assert spread([0.3, 0.3], 0.1, 0.0, 1.0) == pytest.approx([0.25, 0.35])
