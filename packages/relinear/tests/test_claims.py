"""Verdicts: what the paper says holds, and what a network without its effect would give does not."""

import math

import pytest

from relinear.budgets import mlp_size, operation_ratio, parameter_ratio
from relinear.paper import ALTERNATIVES, GAMMAS, PAPER

OTHERS = dict.fromkeys(ALTERNATIVES, 0.3)
WITH = {
    "expressivity": {
        "dimension_quadratic": 28,
        "dimension_activation": 11,
        "dimension_conventional": 4,
        "mismatches": 0,
        "spline_error": 1e-14,
        "spline_error_conventional": 1e-2,
        "xor_error": 0.0,
        "degree_quadratic": 8,
        "degree_conventional": 1,
        "pieces_quadratic": 12,
        "pieces_activation": 1,
        "rings_quadratic": 1.0,
        "rings_activation": 0.75,
        "rings_conventional": 0.5,
    },
    "collapse": {"random": 0.8, "conventional": 0.0, **OTHERS, "accuracy_random": 0.2, "accuracy_conventional": 0.9},
    "stabilizes": {
        "relinear": 0.0,
        "relinear_sw": 0.0,
        "init_only": 0.5,
        "rate_only": 0.7,
        "random": 0.8,
        "conventional": 0.0,
        **OTHERS,
        "accuracy_relinear": 0.95,
        **{f"accuracy_{key}": 0.6 for key in ALTERNATIVES},
    },
    "full-potential": {
        "relinear": 0.96,
        "conventional": 0.95,
        "conventional_wide": 0.97,
        "activation": 0.8,
        "random": 0.7,
    },
    "inside-optimum": {
        **{f"gamma_{key}": 0.95 for key in GAMMAS},
        "gamma_1": 0.1,
        "best": 0.96,
        "conventional": 0.951,
        "moved": 0.0,
    },
    "from-trained": {
        "difference": 1e-6,
        "before": 0.2,
        "after": 0.19,
        "after_conventional": 0.19,
        "random_start": 9.0,
        "gained": 0.01,
    },
    "compact": {
        "parameters": 2 / 3,
        "operations": 2 / 3,
        "collapse": 0.0,
        "accuracy": 0.95,
        "accuracy_full": 0.955,
        "accuracy_conventional": 0.95,
    },
}
"""Numbers as the paper describes them."""

CHANGES = {
    "expressivity": [
        {"dimension_quadratic": 11},
        {"dimension_activation": 3},
        {"mismatches": 1},
        {"spline_error": 1e-3},
        {"xor_error": 0.1},
        {"degree_quadratic": 1},
        {"pieces_quadratic": 1},
        {"rings_quadratic": 0.9},
        {"rings_conventional": 0.95},
    ],
    "collapse": [{"random": 0.0}, {"conventional": 0.7}],
    "stabilizes": [
        {"relinear": 0.8, "conventional": 0.8, **dict.fromkeys(ALTERNATIVES, 0.8)},
        {"relinear": 0.1},
        {"clip": -0.1},
        {"random": 0.2},
        {"accuracy_relinear": 0.5},
    ],
    "full-potential": [
        {"relinear": 0.94},
        {"activation": 0.97},
        {"random": 0.97},
        {"relinear": 0.5, "conventional": 0.4, "activation": 0.4, "random": 0.4},
    ],
    "inside-optimum": [{"best": 0.94}, {"gamma_1": 0.97}, {"conventional": 0.9}, {"moved": 1e-3}],
    "from-trained": [{"difference": 1.0}, {"after": 0.3}, {"random_start": 0.1}],
    "compact": [{"parameters": 1.0}, {"operations": 0.9}, {"collapse": 0.1}, {"accuracy": 0.9}],
}
"""What networks without the effect would give instead."""


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_the_paper_s_effect_holds_and_its_absence_does_not(claim):
    assert WITH[claim.id].keys() == claim.paper.keys()
    assert claim.holds(WITH[claim.id])
    for change in CHANGES[claim.id]:
        assert not claim.holds(WITH[claim.id] | change), change
    assert not claim.holds(dict.fromkeys(claim.paper, math.nan))


def test_compact_neurons_cost_two_thirds():
    assert parameter_ratio() == pytest.approx(2 / 3)
    # Three products for each map, forward and for both gradients.
    assert operation_ratio() == pytest.approx(2 / 3)


def test_sizes_of_perceptrons():
    size = mlp_size("digits")
    n = 64 * 8 + 8 + 8 * 4 + 4 + 4 * 10 + 10
    assert size((8, 4), 1) == n
    assert size((8, 4), 3) == 3 * n
