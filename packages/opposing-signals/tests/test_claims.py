"""Verdicts: what the paper says holds, and what a network without the effect would give does not."""

import math

import pytest

from opposing_signals.experiments.natural import Natural, increases, mean_increases
from opposing_signals.experiments.optimizers import KINDS, LABELS, Optimizers
from opposing_signals.experiments.planted import Planted
from opposing_signals.paper import DOSES, PAPER
from opposing_signals.trials import rise

AGREEING = {
    "paired-groups": {"swing": 0.2, "eos": -0.97, "stable": 0.99},
    "opposing-gradients": {"cosine": -0.5, "norm": 2.7, "correlation": -0.8},
    "consistent-features": {"groups_input": 1.6, "random_input": 1.0, "groups_last": 1.2, "random_last": 1.1},
    "edge-of-stability": {
        "lowest": 0.97,
        "highest": 1.2,
        "power_lowest": 0.9,
        "power_highest": 1.1,
        "rises": 25,
        "stable_rises": 0,
    },
    "cross-entropy": {"ce_peak": 2.5, "ce_late": 0.8, "ce_rises": 11},
    "narrow-valley": {
        "balance": 0.2,
        "balance_random": 0.6,
        "share": 0.8,
        "balance_edge": 0.8,
        "groups_rise": 5,
        "rest_rise": 1.1,
    },
    "outliers-dominate": {"planted": -0.29, "random": 0.07},
    "outliers-dominate-natural": {"all": 101, "without_groups": 60, "without_random": 103, "share": 0.05},
    "linear-analysis": {
        "sharpness": 0.97,
        "dip": 0.7,
        "stable_rises": 0,
        "rises": 31,
        "settled": 0.96,
        "flow": 0.01,
        "sampled": 1.02,
    },
    "depth": {"one_layer": 1.0, "two_layers": 100, "mlp_0": 1.0, "mlp_1": 1.4, "mlp_3": 2.5},
    "predictions": {
        "dose_0": 0.03,
        "dose_1_5": 0.0,
        "dose_3": 0.1,
        "dose_5": 0.85,
        "svd_5": 0.8,
        "loss_5": 0.5,
        "probe": -0.9,
    },
    "adam-and-sgd": {
        "text_sgd": 0.9,
        "text_adam": 0.3,
        "text_split": 0.7,
        "images_sgd": 1.0,
        "images_adam": 0.5,
        "images_split": 0.9,
    },
}
WRONG = [
    ("paired-groups", {"swing": 0.05}),
    ("paired-groups", {"eos": -0.5}),
    ("paired-groups", {"stable": -0.95}),
    ("opposing-gradients", {"cosine": 0.3}),
    ("opposing-gradients", {"norm": 1.0}),
    ("opposing-gradients", {"correlation": 0.1}),
    ("consistent-features", {"groups_input": 1.0, "groups_last": 1.0}),
    ("edge-of-stability", {"lowest": 0.4}),
    ("edge-of-stability", {"highest": 3.0}),
    ("edge-of-stability", {"rises": 0}),
    ("edge-of-stability", {"stable_rises": 20}),
    ("cross-entropy", {"ce_peak": 0.9}),
    ("cross-entropy", {"ce_late": 1.1}),
    ("cross-entropy", {"ce_rises": 0}),
    ("narrow-valley", {"balance": 1.0}),
    ("narrow-valley", {"rest_rise": 4.0}),
    ("outliers-dominate", {"planted": -0.05}),
    ("outliers-dominate", {"random": -0.3}),
    ("outliers-dominate-natural", {"without_groups": 101}),
    ("linear-analysis", {"sharpness": 0.5}),
    ("linear-analysis", {"dip": 1.0}),
    ("linear-analysis", {"rises": 0}),
    ("linear-analysis", {"stable_rises": 5}),
    ("linear-analysis", {"settled": 1.1}),
    ("linear-analysis", {"flow": 0.5}),
    ("linear-analysis", {"sampled": 0.5}),
    ("depth", {"one_layer": 2.0}),
    ("depth", {"two_layers": 1.0}),
    ("depth", {"mlp_0": 1.5}),
    ("depth", {"mlp_1": 3.0}),
    ("predictions", {"dose_5": 0.04}),
    ("predictions", {"dose_0": 0.9}),
    ("predictions", {"dose_3": 0.9}),
    ("predictions", {"probe": 0.5}),
    ("adam-and-sgd", {"text_split": 1.0}),
    ("adam-and-sgd", {"text_split": 0.9, "text_sgd": 0.9}),
    ("adam-and-sgd", {"images_sgd": 0.55}),
    ("adam-and-sgd", {"images_split": 2.0}),
    ("adam-and-sgd", {"images_adam": 1.0}),
]


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_a_claim_holds_for_numbers_that_bear_it_out_and_for_none_that_is_missing(claim):
    measured = AGREEING[claim.id]
    assert measured.keys() == claim.paper.keys() == claim.labels.keys()
    assert claim.holds(measured)
    assert not claim.holds(dict.fromkeys(measured, math.nan))
    assert not claim.direction or not claim.direction(dict.fromkeys(measured, math.nan))


@pytest.mark.parametrize(("claim", "changed"), WRONG, ids=lambda one: one if isinstance(one, str) else "-".join(one))
def test_no_claim_holds_for_what_a_network_without_the_effect_would_give(claim, changed):
    assert changed.keys() <= AGREEING[claim].keys()
    assert not PAPER.claim(claim).holds(AGREEING[claim] | changed)


def test_trainings_that_are_compared_differ_in_one_thing():
    config = Natural()
    assert config.stable().data == config.trial.data
    assert (config.stable().train.lr, config.trial.train.lr) == (0.05, 0.3)
    assert config.entropy().train.loss == "cross-entropy"
    assert Planted().doses == tuple(DOSES.values())
    optimizers = Optimizers()
    assert len(optimizers.rates) == len(optimizers.small_rates), "as many candidates for each"
    assert set(LABELS) == {*KINDS, "split", "split_plain"}


def test_increases_and_rises_are_counted():
    assert increases([3, 2, 2.5, 1, 1.5, 1.6]) == 3
    assert increases([3, 2, 2.5, 1, 1.5, 1.6], 3) == 1
    assert mean_increases([3, 2, 3, 2, 3], 60) == pytest.approx(30)
    assert rise([4, 2, 1, 3, 2]) == 3
    assert rise([5, 4, 3]) == 1
