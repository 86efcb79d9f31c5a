"""Verdicts: what the paper says holds, and what a network without its effect would give does not."""

import math

import pytest

from s_kan.configs import POOL
from s_kan.experiments import extremes, ranks_of
from s_kan.paper import FAMILIES, PAPER

RANKS = {f"rank_{name}": 3.5 for name in FAMILIES}
EXTRA = {"rank_skan_equal_total": 3.0, "rank_skan_successive": 2.0}
REGRETS = dict.fromkeys(FAMILIES, 0.8)
IMAGES = {"skan": 0.95, "fixed": 0.94, "best_fixed": 0.955, "cnn": 0.95, "margin_fixed": 0.002, "margin_cnn": -0.003}

WITH = {
    "outperforms": {"rank_skan": 2.0, **RANKS, "worst_ratio": 1.5, **EXTRA},
    "surpasses-mlp": {"wins": 7, "ratio": 0.2, "wins_unpruned": 6, "ratio_unpruned": 0.4},
    "single-space": {"extreme": 5, "spread": 4, "largest_spread": 15},
    "images": IMAGES,
    "variability": {"skan": 0.3, **REGRETS},
    "matches-mlp": {"skan": 0.96, "mlp": 0.963, "ratio": 0.2},
}
"""Numbers as the paper describes them."""

WITHOUT = {
    "outperforms": [
        WITH["outperforms"] | {"rank_skan": 3.5},
        WITH["outperforms"] | {"rank_fourier": 1.9},
        WITH["outperforms"] | {"worst_ratio": 2.1},
    ],
    "surpasses-mlp": [
        WITH["surpasses-mlp"] | {"wins": 5},
        WITH["surpasses-mlp"] | {"ratio": 0.6},
        WITH["surpasses-mlp"] | {"ratio_unpruned": 1.1},
    ],
    "single-space": [WITH["single-space"] | {"extreme": 4}, WITH["single-space"] | {"spread": 2}],
    "images": [
        IMAGES | {"margin_fixed": -0.001},
        IMAGES | {"margin_cnn": -0.006},
        IMAGES | {"skan": 0.1, "fixed": 0.1, "cnn": 0.1},
    ],
    "variability": [WITH["variability"] | {"skan": 0.8}, WITH["variability"] | {"rbf": 0.2}],
    "matches-mlp": [WITH["matches-mlp"] | {"skan": 0.95}, WITH["matches-mlp"] | {"ratio": 1.2}],
}
"""Numbers of networks without the effect."""


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_the_paper_s_effect_holds_and_its_absence_does_not(claim):
    assert claim.holds(WITH[claim.id])
    for without in [*WITHOUT[claim.id], dict.fromkeys(claim.paper, math.nan)]:
        assert without.keys() == claim.paper.keys()
        assert not claim.holds(without)


def test_the_baselines_are_the_families_of_the_pool():
    assert FAMILIES == POOL


def test_ranks_and_extremes():
    assert ranks_of({"a": 0.3, "b": 0.1, "c": 0.3}) == {"a": 2.5, "b": 1.0, "c": 2.5}
    assert all(math.isnan(rank) for rank in ranks_of({"a": math.nan, "b": 0.1}).values())
    assert extremes([{"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 9, "c": 2}]) == {"a", "b", "c"}
    assert extremes([{"a": 1, "b": 2, "c": 3}]) == {"a", "c"}
