"""Verdicts: what the paper says holds, and what a network without its effect would give does not."""

import math

import pytest

from mt_deeponet.paper import FAMILIES, PAPER

SOURCES = {"multi": 0.05, "one_hot": 0.1, "shuffled": 0.8} | {
    f"{kind}_{name}": value for name in FAMILIES for kind, value in (("multi", 0.05), ("single", 0.05), ("third", 0.08))
}
MASKS = {
    "both": 0.1,
    "no_loss_mask": 0.12,
    "no_branch_mask": 0.15,
    "blind": 0.5,
    "unseen_both": 0.3,
    "unseen_no_loss_mask": 0.3,
    "unseen_no_branch_mask": 0.5,
}
WITH = {
    "multi-source": SOURCES,
    "synergy-cost": {"multi": 5.0, "singles": 10.0, "ratio": 0.5, "shuffled": 1.0},
    "mask": MASKS,
    "transfer": {"multi": 0.1, "single": 0.2, "scratch": 0.3, "untuned": 0.4},
    "plate3d": {"network": 0.01, "nearest": 0.02, "mean": 0.07},
}
"""Numbers as the paper describes them."""

WITHOUT = {
    "multi-source": [
        SOURCES | {"multi": 0.2},
        SOURCES | {"multi_f2": 0.09},
        dict.fromkeys(SOURCES, 0.8),
        SOURCES | {"shuffled": 0.05},
    ],
    "synergy-cost": [
        {"multi": 9.0, "singles": 10.0, "ratio": 0.9, "shuffled": 1.0},
        {"multi": 5.0, "singles": 10.0, "ratio": 0.5, "shuffled": 0.4},
    ],
    "mask": [
        dict.fromkeys(MASKS, 0.1),
        MASKS | {"no_loss_mask": 0.105},
        MASKS | {"unseen_no_branch_mask": 0.35},
        MASKS | {"no_branch_mask": 0.09},
        MASKS | {"blind": 0.1},
    ],
    "transfer": [
        dict.fromkeys(("multi", "single", "scratch", "untuned"), 0.1),
        {"multi": 0.2, "single": 0.1, "scratch": 0.3, "untuned": 0.4},
        {"multi": 0.1, "single": 0.4, "scratch": 0.3, "untuned": 0.4},
        {"multi": 0.1, "single": 0.2, "scratch": 0.3, "untuned": 0.1},
    ],
    "plate3d": [
        {"network": 0.06, "nearest": 0.08, "mean": 0.1},
        {"network": 0.03, "nearest": 0.02, "mean": 0.07},
        {"network": 0.04, "nearest": 0.05, "mean": 0.04},
    ],
}
"""Numbers of untrained or shuffled networks, and of such without the effect."""


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_the_paper_s_effect_holds_and_its_absence_does_not(claim):
    assert claim.holds(WITH[claim.id])
    for without in [*WITHOUT[claim.id], dict.fromkeys(claim.paper, math.nan)]:
        assert without.keys() == claim.paper.keys()
        assert not claim.holds(without)
