"""Verdicts: what the paper says holds, and what a setting without its effect would give does not."""

import math

import numpy as np
import pytest

from double_descent.experiments import extremes
from double_descent.paper import BATCHES, OPTIMIZERS, PAPER, RATES
from double_descent.presets import All, Stopped


def rising(names):
    keys = list(names)
    return {key: 0.05 + 0.1 * i for i, key in enumerate(keys)} | {
        f"loss_{key}": 0.04 - 0.01 * i for i, key in enumerate(keys)
    }


AGREEING = {
    "low-loss": {"rank_correlation": 0.95, "highest_at_high_loss": 1.0, "lowest_at_low_loss": 3.0},
    "weak-or-absent": {"steps_1e3": 1.0, "steps_1e4": 1.4, "steps_1e6": 10.0, "infinite": 400.0},
    "condition-number": {"half": 200.0, "threshold": 4e4, "wide": 150.0, "location": 1.0},
    "optimizer": rising(OPTIMIZERS),
    "learning-rate": rising(RATES),
    "batch-size": rising(BATCHES),
    "initialization": {"zero": 0.08, "std_001": 0.08, "std_01": 0.13, "std_1": 4.6, "prominence_1": 0.2},
    "normalization": {
        "kappa_raw": 200.0,
        "kappa_standardized": 30.0,
        "peak_raw": 1.4,
        "peak_standardized": 3.0,
        "loss_network": 0.008,
        "loss_network_batch": 0.001,
        "peak_network": 1.6,
        "peak_network_batch": 2.3,
    },
    "two-layer": {"adam": 2.0, "location": 1.0, "sgd": 1.0, "loss_adam": 0.008, "loss_sgd": 0.04},
    "real-world": {"gd": 0.02, "momentum": 0.02, "sgd": 0.0, "adam": 0.05, "unstopped": 300.0},
}
WRONG = [
    # the peak has nothing to do with the loss, is there without a low one, or is not there with one
    ("low-loss", {"rank_correlation": 0.3}),
    ("low-loss", {"highest_at_high_loss": 1.5}),
    ("low-loss", {"lowest_at_low_loss": 1.0}),
    # explicit regularization; always a peak; never one
    ("weak-or-absent", {"infinite": 1.0}),
    ("weak-or-absent", {"steps_1e3": 5.0}),
    ("weak-or-absent", {"steps_1e6": 1.4}),
    # a float32 spectrum, or another feature map
    ("condition-number", {"threshold": 500.0}),
    ("condition-number", {"location": 2.0}),
    ("condition-number", {"half": math.inf}),
    *(
        (claim, {key: AGREEING[claim][other]})
        for claim, key, other in [
            ("optimizer", "adam", "momentum"),
            ("optimizer", "sgd", "gd"),
            ("optimizer", "loss_gd", "loss_sgd"),
            ("learning-rate", "high", "low"),
            ("learning-rate", "loss_medium", "loss_low"),
            ("batch-size", "batch_8", "batch_32"),
            ("batch-size", "loss_batch_8", "loss_whole"),
        ]
    ),
    ("initialization", {"std_1": 0.08}),
    ("initialization", {"std_01": 0.07}),
    ("initialization", {"prominence_1": 5.0}),
    ("normalization", {"kappa_standardized": 300.0}),
    ("normalization", {"peak_standardized": 1.2}),
    ("normalization", {"peak_network_batch": 1.5}),
    ("normalization", {"loss_network_batch": 0.01}),
    ("two-layer", {"adam": 1.1}),
    ("two-layer", {"sgd": 1.5}),
    ("two-layer", {"location": 0.3}),
    ("two-layer", {"loss_sgd": 0.001}),
    *(("real-world", {name: 0.5}) for name in ("gd", "momentum", "sgd", "adam")),
    ("real-world", {"unstopped": 0.1}),
]


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_a_claim_holds_for_numbers_that_bear_it_out_and_for_none_that_is_missing(claim):
    measured = AGREEING[claim.id]
    assert measured.keys() == claim.paper.keys() == claim.labels.keys()
    assert claim.holds(measured)
    for key in measured:
        assert not claim.holds(measured | {key: math.nan}), key


@pytest.mark.parametrize(("claim", "changed"), WRONG)
def test_no_claim_holds_for_what_a_wrong_implementation_would_measure(claim, changed):
    assert changed.keys() <= AGREEING[claim].keys()
    assert not PAPER.claim(claim).holds(AGREEING[claim] | changed)


def test_if_and_only_if_needs_settings_of_both_kinds():
    losses, peaks = np.array([0.03, 0.025, 0.01, 0.004]), np.array([0.9, 1.1, 1.5, 3.0])
    assert extremes(losses, peaks) == {"highest_at_high_loss": 1.1, "lowest_at_low_loss": 3.0}
    claim = PAPER.claim("low-loss")
    assert claim.holds({"rank_correlation": 0.95} | extremes(losses, peaks))
    for one_kind in (losses < 0.02, losses > 0.005):
        assert not claim.holds({"rank_correlation": 0.95} | extremes(losses[one_kind], peaks[one_kind]))


def test_the_settings_of_a_factor_differ_in_it_alone():
    trials = All().linear.trials((0, 1, 2))
    for factor in ("optimizer", "rate", "init", "norm"):
        own = {name: one for name, one in trials.items() if name.startswith(f"{factor} ")}
        assert len({(one.widths, one.data, one.dataset, one.seeds) for one in own.values()}) == 1
    steps = {one.budgets for name, one in trials.items() if name.startswith(("rate ", "norm "))}
    assert steps == {("1e5",), ("1e4",)}
    updates = {name: float(trials[name].budgets[0]) for name in ("batch 8", "batch 32", "batch 300")}
    assert updates == {"batch 8": 38 * 3000, "batch 32": 10 * 3000, "batch 300": 3000}
    assert {trials[name].fit.rate for name in updates} == {0.1}


def test_budgets_are_chosen_on_validation_samples_for_every_optimizer():
    trials = Stopped().trials((0,))
    assert all(one.data.validation > 0 for one in trials.values())
    assert len({one.widths for one in trials.values()}) == 1
    assert len(trials["adam"].budgets) == len(trials["sgd"].budgets)
