"""Intervals, outcomes and tests, against SciPy and simulations with a known truth."""

import math

import numpy as np
import pytest
from scipy import stats

from kan_assessment import bootstrap_interval, outcome, paired, student_interval, wilcoxon
from kan_assessment.protocol.statistics import BAND_POINTS, advantage, band


def test_student_s_interval_is_scipy_s():
    values = [0.3, 1.2, -0.4, 0.9]
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert student_interval(values) == pytest.approx(expected)


def test_the_bootstrap_is_scipy_s():
    values = np.random.default_rng(3).normal(1, 2, 40)
    expected = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=5000, rng=0).confidence_interval
    assert bootstrap_interval(values.tolist(), n_resamples=5000) == pytest.approx(tuple(expected), abs=0.05)


def coverage(interval, n: int) -> float:
    rng = np.random.default_rng(0)
    found = [interval(rng.normal(0, 1, n).tolist()) for _ in range(600)]
    return float(np.mean([low <= 0 <= high for low, high in found]))


def test_few_pairs_need_student_s_interval():
    assert coverage(student_interval, 3) > 0.92
    assert coverage(lambda values: bootstrap_interval(values, n_resamples=200), 3) < 0.85
    assert coverage(lambda values: bootstrap_interval(values, n_resamples=200), 40) > 0.9


def test_models_that_are_the_same_tie():
    """Null comparison: the same model twice, under other names and with other seeds."""
    rng = np.random.default_rng(0)
    ties = []
    for _ in range(1000):
        a, b = (95 + 0.8 * rng.normal(size=(2, 3))).tolist()
        ties.append(outcome(advantage(a, b, is_lower_better=False), band(is_lower_better=False)) == "tie")
    assert np.mean(ties) >= 0.95
    ties = []
    for _ in range(1000):
        a, b = (1e-3 * np.exp(0.3 * rng.normal(size=(2, 5)))).tolist()
        ties.append(outcome(advantage(a, b, is_lower_better=True), band(is_lower_better=True)) == "tie")
    assert np.mean(ties) >= 0.95


def test_a_planted_winner_wins_whichever_way_the_metric_goes():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(2, 3))
    good, bad = (90 + noise[0]).tolist(), (80 + noise[1]).tolist()
    for a, b, expected in ((good, bad, "win"), (bad, good, "loss"), (good, [v + 0.1 for v in good], "tie")):
        assert outcome(advantage(a, b, is_lower_better=False), BAND_POINTS) == expected
    small, large = (0.01 * np.exp(0.1 * noise[0])).tolist(), (0.05 * np.exp(0.1 * noise[1])).tolist()
    width = band(is_lower_better=True)
    assert outcome(advantage(small, large, is_lower_better=True), width) == "win"
    assert outcome(advantage(large, small, is_lower_better=True), width) == "loss"


def test_what_is_certain_but_within_the_band_is_a_tie():
    assert outcome(paired([90.2, 91.2, 92.2], [90.0, 91.0, 92.0]), 0.5) == "tie"
    # 4 % less error, the same with all seeds.
    assert outcome(advantage([0.96, 1.92], [1.0, 2.0], is_lower_better=True), band(is_lower_better=True)) == "tie"
    assert outcome(advantage([0.94, 1.88], [1.0, 2.0], is_lower_better=True), band(is_lower_better=True)) == "win"


def test_errors_are_compared_by_their_ratio():
    found = advantage([1e-3, 1e-2], [2e-3, 2e-2], is_lower_better=True)
    assert found.mean == pytest.approx(math.log(2))
    assert (found.low, found.high) == pytest.approx((math.log(2), math.log(2)))


def test_wilcoxon_is_scipy_s():
    values = [0.5, -0.1, 1.2, 0.3, 0.8, 0.05]
    assert wilcoxon(values) == pytest.approx(stats.wilcoxon(values).pvalue)
    assert wilcoxon([0.0, 0.0]) == 1.0
    with pytest.raises(ValueError, match="no differences"):
        wilcoxon([])


def test_an_interval_needs_two_seeds_that_are_paired():
    with pytest.raises(ValueError, match="more seeds"):
        paired([1.0], [2.0])
    with pytest.raises(ValueError, match="not pairs"):
        paired([1.0, 2.0], [2.0])
