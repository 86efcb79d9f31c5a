"""Verdicts: what the paper says holds, and what a network without its effect would give does not."""

import math

import pytest

from deeponet.paper import PAPER

WITH = {
    "ode-and-pde": {"antiderivative": 0.02, "pendulum": 0.03, "diffusion_reaction": 0.05, "shuffled": 0.9},
    "gap-vs-fnn": {
        "deeponet_test": 1e-4,
        "fnn_test": 5e-3,
        "deeponet_gap": 5e-5,
        "fnn_gap": 4e-3,
        "shuffled_test": 0.2,
    },
    "sensors": {"slope": -2.05, "mse_few": 1e-2, "mse_many": 1e-4},
    "input-type": {"ratio_2": 4.5, "ratio_5": 7.0, "mse_01": 3e-3, "mse_02": 1e-3, "mse_05": 1e-4},
    "poly-rate": {"order": 1.5, "order_shuffled": 0.1},
    "exp-rate": {"r2_exponential": 0.99, "r2_polynomial": 0.9, "mse_first": 0.1, "mse_last": 0.01},
    "unstacked-bias": {
        "unstacked_bias": 1e-4,
        "unstacked": 1.4e-4,
        "stacked_bias": 2e-4,
        "stacked": 3e-4,
        "unstacked_gap": 5e-5,
        "stacked_gap": 1e-4,
        "mean": 0.2,
    },
}
"""Numbers as the paper describes them."""

WITHOUT = {
    "ode-and-pde": [dict.fromkeys(WITH["ode-and-pde"], 1.0), WITH["ode-and-pde"] | {"shuffled": 0.02}],
    "gap-vs-fnn": [
        {"deeponet_test": 0.2, "fnn_test": 0.7, "deeponet_gap": 0.1, "fnn_gap": 0.4, "shuffled_test": 0.2},
        WITH["gap-vs-fnn"] | {"fnn_test": 2e-4},
        WITH["gap-vs-fnn"] | {"fnn_gap": 6e-5},
    ],
    "sensors": [
        WITH["sensors"] | {"slope": -1.0},
        WITH["sensors"] | {"slope": -3.0},
        {"slope": -2.0, "mse_few": 0.2, "mse_many": 0.2},
    ],
    "input-type": [
        WITH["input-type"] | {"ratio_2": 2.0},
        WITH["input-type"] | {"ratio_5": 1.0},
        WITH["input-type"] | {"mse_01": 1e-4, "mse_05": 3e-3},
    ],
    "poly-rate": [{"order": 0.1, "order_shuffled": 0.1}, {"order": 0.6, "order_shuffled": 0.5}],
    "exp-rate": [
        WITH["exp-rate"] | {"r2_polynomial": 0.995},
        WITH["exp-rate"] | {"mse_last": 0.09},
    ],
    "unstacked-bias": [
        dict.fromkeys(WITH["unstacked-bias"], 0.2) | {"unstacked_gap": 0.0, "stacked_gap": 0.01},
        WITH["unstacked-bias"] | {"stacked_bias": 9e-5},
        WITH["unstacked-bias"] | {"unstacked_gap": 2e-4},
    ],
}
"""Numbers of untrained or shuffled networks, and of such without the effect."""


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_the_paper_s_effect_holds_and_its_absence_does_not(claim):
    assert claim.holds(WITH[claim.id])
    for without in [*WITHOUT[claim.id], dict.fromkeys(claim.paper, math.nan)]:
        assert without.keys() == claim.paper.keys()
        assert not claim.holds(without)
