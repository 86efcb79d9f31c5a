"""Verdicts: what the paper says holds, and what a network without its effect would give does not."""

import math

import pytest

from mgno.paper import PAPER

CONDITIONS = ("dirichlet", "periodic", "neumann")
HEAT = {f"heat_{name}{other}": 0.5 if other else 0.1 for name in CONDITIONS for other in ("", "_other")}
WITH = {
    "accuracy": {"mgno": 0.01, "fno": 0.02, "unet": 0.03, "dilated_resnet": 0.02, "worst": 0.6, "mean": 0.3},
    "efficiency": {
        "mgno_parameters": 5e5,
        "fno_parameters": 2.4e6,
        "unet_parameters": 7e6,
        "mgno_error": 0.01,
        "fno_error": 0.02,
        "small_fno_parameters": 1000,
        "small_fno_error": 0.05,
        "mgno_ms": 80,
        "fno_ms": 70,
        "mgno_megabytes": 10,
        "fno_megabytes": 30,
        "mean": 0.3,
    },
    "ease-of-training": {"share_unet": 0.4, "share_dilated_resnet": 0.3, "spread_mgno": 2.0, "spread_unet": 3.0},
    "less-overfit": {
        "mgno_few": 1.3,
        "fno_few": 2.0,
        "mgno_many": 1.1,
        "fno_many": 1.5,
        "mgno_error": 0.03,
        "fno_error": 0.05,
        "mean": 0.3,
    },
    "no-lift-project": {"without": 0.02, "with_both": 0.019, "mean": 0.3},
    "boundary": {**HEAT, "darcy_zeros": 0.02, "darcy_circular": 0.03, "shift": 1e-15, "shift_unwrapped": 0.2},
    "linearity": {"cycle": 1e-15, "network": 0.5},
}
"""Numbers as the paper describes them."""

WITHOUT = {
    "accuracy": [
        WITH["accuracy"] | {"unet": 0.009},
        WITH["accuracy"] | {"worst": 1.1},
        dict.fromkeys(WITH["accuracy"], 1.0),
    ],
    "efficiency": [
        WITH["efficiency"] | {"mgno_parameters": 1e6},
        WITH["efficiency"] | {"mgno_error": 0.03},
        WITH["efficiency"] | {"mgno_error": 0.3, "fno_error": 0.3},
    ],
    "ease-of-training": [
        WITH["ease-of-training"] | {"share_unet": 2.0},
        WITH["ease-of-training"] | {"share_dilated_resnet": 0.6},
        WITH["ease-of-training"] | {"spread_mgno": 4.0},
    ],
    "less-overfit": [
        WITH["less-overfit"] | {"mgno_many": 1.6},
        # A network that has learned nothing has the same error everywhere.
        WITH["less-overfit"] | {"mgno_few": 1.0, "mgno_many": 1.0, "mgno_error": 0.3, "fno_error": 0.3},
    ],
    "no-lift-project": [WITH["no-lift-project"] | {"without": 0.03}, dict.fromkeys(WITH["no-lift-project"], 0.3)],
    "boundary": [
        WITH["boundary"] | {"heat_neumann": 0.4},
        WITH["boundary"] | {"darcy_zeros": 0.04},
        WITH["boundary"] | {"shift": 0.1},
        WITH["boundary"] | {"shift_unwrapped": 1e-9},
    ],
    "linearity": [{"cycle": 0.1, "network": 0.5}, {"cycle": 1e-15, "network": 1e-15}],
}
"""Numbers of untrained networks, and of such without the effect."""


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_the_paper_s_effect_holds_and_its_absence_does_not(claim):
    assert claim.holds(WITH[claim.id])
    for without in [*WITHOUT[claim.id], dict.fromkeys(claim.paper, math.nan)]:
        assert without.keys() == claim.paper.keys()
        assert not claim.holds(without)
