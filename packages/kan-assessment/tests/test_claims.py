"""Verdicts: what the abstract says holds, and numbers without its effect do not pass."""

import math

import pytest

from kan_assessment.paper import PAPER

WITH = {
    "symbolic-only": {"symbolic_wins": 0.83, "other_wins": 0.0, "mlp_learned": 1.0},
    "underperforms": {
        "tabular_params": 0.4,
        "vision_params": 3.5,
        "text_params": 2.0,
        "tabular_flops": 1.0,
        "vision_flops": 8.0,
        "text_flops": 3.0,
        "tabular_shared": 0.2,
        "vision_shared": 5.0,
        "text_shared": 1.0,
        "mlp_over_chance": 60.0,
    },
    "spline-not-architecture": {"bspline_kan": 0.2, "bspline_mlp": 0.25, "close": 0.8},
    "overhead": {
        "smallest": 1.4,
        "largest": 90.0,
        "efficient": 4.0,
        "per_edge": 40.0,
        "rbf": 2.0,
        "equal_params": 5.0,
        "inference_smallest": 1.2,
        "inference_largest": 70.0,
    },
    "dimensionality": {
        "kan_generic_low": 1.5,
        "kan_generic_high": 0.2,
        "mlp_generic_low": 1.2,
        "mlp_generic_high": 0.3,
        "kan_composed_low": 1.5,
        "kan_composed_high": 1.4,
    },
    "conditions": {"rule": 0.9, "always_mlp": 0.6, "always_kan": 0.4},
    "ranking": {"mlp": 3.0, "bspline_kan": 1.2, "af_kan": 2.5, "s_kan": 3.3, "agreement": 0.8},
}
"""Numbers as the abstract describes them."""

WITHOUT = {
    "symbolic-only": [{"symbolic_wins": 0.4}, {"other_wins": 0.5}, {"mlp_learned": 0.0}],
    "underperforms": [
        {"vision_params": 0.5},
        {"text_flops": -1.0},
        {"tabular_params": -0.1},
        {"mlp_over_chance": 0.5},
    ],
    "spline-not-architecture": [{"close": 0.2}, {"bspline_mlp": 0.9}],
    "overhead": [{"smallest": 0.9}, {"largest": 300.0}, {"largest": 3.0}],
    "dimensionality": [{"kan_generic_high": 1.2}, {"kan_generic_low": 0.1, "kan_generic_high": 0.0}],
    "conditions": [{"rule": 0.6}, {"always_mlp": 0.9}, {"always_kan": 0.95}],
    "ranking": [{"agreement": 0.1}],
}
"""What differs where the effect is not there, or nothing was learned."""


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_the_effect_holds_and_its_absence_does_not(claim):
    assert WITH[claim.id].keys() == claim.paper.keys()
    assert claim.holds(WITH[claim.id])
    for changes in WITHOUT[claim.id]:
        assert not claim.holds(WITH[claim.id] | changes)
    assert not claim.holds(dict.fromkeys(claim.paper, math.nan))


def test_slower_than_an_mlp_by_other_factors_is_the_direction():
    claim = PAPER.claim("overhead")
    assert claim.direction(WITH["overhead"] | {"largest": 300.0})
    assert not claim.direction(WITH["overhead"] | {"smallest": 0.9})


def test_the_budget_with_shared_bases_does_not_decide():
    changed = WITH["underperforms"] | {"vision_shared": -5.0, "text_shared": -5.0, "tabular_shared": -5.0}
    assert PAPER.claim("underperforms").holds(changed)
