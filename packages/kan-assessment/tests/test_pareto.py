"""Fronts against brute force; exponents of exact power laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kan_assessment import best_per_bin, pareto_front, scaling_exponent

POINTS = st.lists(st.tuples(st.floats(1, 1e6), st.floats(0, 1)), min_size=1, max_size=30)


@given(points=POINTS, is_lower_better=st.booleans())
def test_nothing_on_the_front_is_beaten_and_everything_else_is(points, is_lower_better):
    costs, values = zip(*points)
    sign = 1 if is_lower_better else -1
    front = pareto_front(costs, values, is_lower_better=is_lower_better)

    def beaten(i):
        return any(
            costs[j] <= costs[i]
            and sign * values[j] <= sign * values[i]
            and (costs[j] < costs[i] or sign * values[j] < sign * values[i])
            for j in range(len(points))
        )

    assert front
    assert not any(beaten(i) for i in front)
    on_front = {(costs[i], values[i]) for i in front}
    assert all(beaten(i) or (costs[i], values[i]) in on_front for i in range(len(points)))
    assert [costs[i] for i in front] == sorted(costs[i] for i in front)


def test_each_bin_has_its_best():
    costs, values = [1, 1.05, 10, 100, 99], [3, 2, 5, 1, 4]
    assert best_per_bin(costs, values, is_lower_better=True) == [1, 2, 3]
    assert best_per_bin(costs, values, is_lower_better=False) == [0, 2, 4]
    assert best_per_bin([], [], is_lower_better=True) == []
    assert best_per_bin([5, 5], [1, 2], is_lower_better=True) == [0]


@given(c=st.floats(1e-3, 1e3), alpha=st.floats(-1, 4))
def test_the_exponent_of_a_power_law_is_found(c, alpha):
    sizes = [100, 200, 400, 1600]
    found = scaling_exponent(sizes, [c * n**-alpha for n in sizes])
    assert found.alpha == pytest.approx(alpha, abs=1e-6)


def test_an_inverse_square_has_exponent_two():
    found = scaling_exponent([10, 100, 1000], [7 * n**-2 for n in (10, 100, 1000)])
    assert found.alpha == pytest.approx(2)
    assert found.r2 == pytest.approx(1)
    assert found.high - found.low < 1e-6


def test_the_interval_has_the_true_exponent_as_often_as_it_says():
    rng = np.random.default_rng(0)
    sizes = [100.0, 200.0, 400.0, 800.0, 1600.0]
    hits = 0
    for _ in range(400):
        found = scaling_exponent(sizes, (np.array(sizes) ** -0.7 * np.exp(0.2 * rng.normal(size=5))).tolist())
        hits += found.low <= 0.7 <= found.high
    assert 0.92 < hits / 400 < 0.98


def test_what_has_no_exponent_is_refused():
    with pytest.raises(ValueError, match="two different sizes"):
        scaling_exponent([10, 10], [1, 2])
    with pytest.raises(ValueError, match="positive"):
        scaling_exponent([10, 20], [1, 0])
