"""Verdicts: what the paper says holds, and what a model without its effect would give does not."""

import math

import pytest

from epochwise_descent.paper import PAPER

WITH = {
    "distinct-features": {
        "fast_min": 0.23,
        "fast_end": 0.28,
        "slow_start": 0.28,
        "slow_end": 0.0,
        "slow_rise": 0.0,
        "both_min": 0.23,
        "both_peak": 0.27,
        "both_end": 0.0,
        "balanced_rise": 0.0,
    },
    "scale-ratio": {
        "rise_1": 0.0,
        "rise_7": 0.01,
        "rise_30": 0.06,
        "rise_100": 0.12,
        "rise_1000": 0.15,
        "fall_100": 0.37,
        "fall_100000": 0.0,
    },
    "theory-accurate": {
        "gd_exact": 1e-12,
        "closed_1": 0.003,
        "closed_100": 0.017,
        "closed_10000": 0.019,
        "closed_worst": 0.046,
        "peak_height": 0.02,
        "peak_time": 2.5,
        "limit_100": 0.003,
        "wrong_ratio": 0.13,
    },
    "regularization": {
        "none_rise": 0.06,
        "none_fall": 0.19,
        "none_end": 0.1,
        "middle_end": 0.3,
        "strong_rise": 0.0,
        "strong_fall": 0.0,
    },
    "closed-form": {"closed_ms": 0.1, "gd_ms": 2000.0, "ratio": 20_000.0},
    "deep-networks": {"first_min": 0.1, "rise": 0.08, "fall": 0.05, "two_se": 0.03, "clean_rise": 0.005},
}
"""Numbers as the paper describes them."""

WITHOUT = {
    "distinct-features": [
        {"fast_end": 0.23},
        {"slow_rise": 0.05},
        {"slow_end": 0.25},
        {"both_peak": 0.23},
        {"both_end": 0.25},
        {"balanced_rise": 0.05},
    ],
    "scale-ratio": [{"rise_1": 0.05}, {"rise_100": 0.05}, {"rise_1000": 0.04}, {"fall_100": 0.0}, {"fall_100000": 0.1}],
    "theory-accurate": [
        {"gd_exact": 1e-6},
        {"closed_1": 0.02},
        {"closed_100": 0.05},
        {"closed_worst": 0.1},
        {"peak_height": 0.1},
        {"peak_time": 5.0},
        {"wrong_ratio": 0.01},
    ],
    "regularization": [{"none_rise": 0.0}, {"none_fall": 0.0}, {"middle_end": 0.12}, {"strong_rise": 0.05}],
    "closed-form": [{"closed_ms": 2.0}, {"ratio": 50.0}],
    "deep-networks": [{"rise": 0.0}, {"fall": 0.0}, {"clean_rise": 0.1}],
}
"""What differs where there is no such effect."""


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_the_paper_s_effect_holds_and_its_absence_does_not(claim):
    assert claim.holds(WITH[claim.id])
    for changes in WITHOUT[claim.id]:
        assert not claim.holds(WITH[claim.id] | changes)
    for key in claim.paper:
        changed = WITH[claim.id] | {key: math.nan}
        assert not claim.holds(changed) or key in {"limit_100", "first_min"}


def test_a_rise_without_a_fall_is_the_direction_of_double_descent_in_networks():
    claim = PAPER.claim("deep-networks")
    assert claim.direction(WITH[claim.id] | {"fall": 0.0})
    assert not claim.direction(WITH[claim.id] | {"rise": 0.01})
