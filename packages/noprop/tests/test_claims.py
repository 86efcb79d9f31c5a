"""Verdicts: what the paper says holds, and what a model without its effect would give does not."""

import math

import pytest

from noprop.paper import PAPER

WITH = {
    "matches-backprop": {"dt": 0.95, "backprop": 0.96, "dt_train": 0.99, "backprop_train": 1.0, "untrained": 0.1},
    "better-than-backprop-free": {"dt": 0.95, "ff": 0.9},
    "less-memory": {"block": 3.0, "stacked": 30.0, "backprop": 31.0},
    "faster-than-adjoint": {"ct": 0.94, "adjoint": 0.9},
    "flow-matching": {"fm": 0.93, "untrained": 0.1},
    "independent-blocks": {"together": 0.95, "apart": 0.953, "elsewhere": 0.0, "backprop_elsewhere": 0.01},
    "chain-improves": {"first": 0.1, "middle": 0.4, "last": 0.95, "fall": 0.004},
    "embeddings": {"one_hot": 0.97, "learned": 0.96, "prototype": 0.95},
}
"""Numbers as the paper describes them."""

WITHOUT = {
    "matches-backprop": [
        {"dt": 0.9, "backprop": 0.91},
        {"dt": 0.93, "backprop": 0.96},
        {"backprop": 0.68},
        {"untrained": 0.95},
    ],
    "better-than-backprop-free": [{"ff": 0.96}, {"ff": 0.1}],
    "less-memory": [{"block": 15.0}, {"block": 0.0}],
    "faster-than-adjoint": [{"adjoint": 0.95}, {"ct": 0.4, "adjoint": 0.3}, {"adjoint": 0.13}],
    "flow-matching": [{"fm": 0.85}, {"untrained": 0.93}],
    "independent-blocks": [
        {"apart": 0.9},
        {"elsewhere": 1e-6},
        {"backprop_elsewhere": 0.0},
        {"together": 0.1, "apart": 0.1},
    ],
    "chain-improves": [{"first": 0.95}, {"last": 0.5}, {"fall": 0.1}, {"middle": 0.97}],
    "embeddings": [{"learned": 0.5}, {"prototype": 0.1}],
}
"""What differs where there is no such effect."""


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_the_paper_s_effect_holds_and_its_absence_does_not(claim):
    assert claim.holds(WITH[claim.id])
    for changes in WITHOUT[claim.id]:
        assert not claim.holds(WITH[claim.id] | changes)
    for key in claim.paper:
        changed = WITH[claim.id] | {key: math.nan}
        assert not claim.holds(changed) or key in {"stacked", "dt_train", "backprop_train"}
