"""The predicates: the paper's own numbers pass, and what a wrong implementation would give does not."""

import math

import pytest

from biper.experiments import QUICK_ACCURACY, of_method, rank_correlation
from biper.paper import METHODS, NETWORKS, PAPER
from biper.trials import ErrorTrial, GradientTrial, run_errors, run_gradients

GOOD = {
    "mismatch": {"sine": 1.0, "biper": 0.9, "ste": 0.6, "random": 0.05, "zero_biper": 0.0, "zero_ste": 0.3},
    "quantization-error": {"spread": 5.0, "rank": 1.0, "gap": 0.05, "gap_laplace": 0.01},
    "bounded": {"biper": 0.12, "laplace": 0.1028, "sign": 400.0, "growth": 2.0},
    "cifar10": {
        **{f"{one}_{name}": 0.9 for one in NETWORKS for name in METHODS},
        "vgg_biper": 0.9246,
        "vgg_recu": 0.922,
        "resnet_biper": 0.9375,
        "resnet_recu": 0.928,
    },
    "imagenet": {"resnet18": 0.614, "resnet34": 0.6573},
    "two-stages": {"two_stages": 0.93, "one_stage": 0.92, "sine_only": 0.94},
}
BAD = [
    # A first stage that is not differentiated through its sine.
    ("mismatch", {"sine": 0.9}),
    ("mismatch", {"biper": 0.5}),
    ("mismatch", {"ste": 0.01}),
    ("mismatch", {"zero_biper": 0.3}),
    ("mismatch", {"biper": math.nan}),
    ("quantization-error", {"spread": 1.5}),
    ("quantization-error", {"rank": 0.5}),
    ("bounded", {"biper": 0.3}),
    ("bounded", {"laplace": 0.2}),
    ("bounded", {"growth": 1.0}),
    ("cifar10", {"resnet_biper": 0.928, "vgg_biper": 0.92}),
    ("cifar10", {"vgg_biper": 0.4}),
    ("cifar10", {"resnet_ste": math.nan}),
    ("imagenet", {"resnet18": 0.58}),
    ("two-stages", {"two_stages": 0.91}),
    ("two-stages", {"two_stages": 0.1, "one_stage": 0.1}),
    ("two-stages", {"one_stage": math.nan}),
]


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_good_numbers_pass(claim):
    assert set(GOOD[claim.id]) == set(claim.paper)
    assert claim.holds(GOOD[claim.id])
    assert claim.direction is None or claim.direction(GOOD[claim.id])


@pytest.mark.parametrize(("name", "change"), BAD)
def test_bad_numbers_do_not(name, change):
    claim, numbers = PAPER.claim(name), {**GOOD[name], **change}
    assert not claim.holds(numbers)
    assert claim.direction is None or not claim.direction(numbers)


def test_numbers_of_the_statement_are_told_from_its_direction():
    for name, change in (("quantization-error", {"gap": 0.4}), ("cifar10", {"resnet_recu": 0.936})):
        claim, numbers = PAPER.claim(name), {**GOOD[name], **change}
        assert not claim.holds(numbers)
        assert claim.direction(numbers)


def test_every_method_has_as_many_epochs():
    for trial in (QUICK_ACCURACY.vgg, QUICK_ACCURACY.resnet):
        for name in (*METHODS, "one_stage"):
            train = of_method(trial, name, 0.1).train
            assert train.epochs + train.stage2_epochs == trial.train.epochs + trial.train.stage2_epochs
    assert of_method(QUICK_ACCURACY.vgg, "one_stage", 0.1).train.epochs == 0
    two = of_method(QUICK_ACCURACY.vgg, "biper", 0.021).train
    assert (two.lr, two.stage2_lr) == (0.021, pytest.approx(0.0037))


def test_ranks():
    assert rank_correlation([0.1, 0.5, 0.9], [1, 2, 3]) == 1
    assert rank_correlation([0.1, 0.5, 0.9], [3, 2, 1]) == -1
    assert rank_correlation([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(0.8)


def test_gradients_of_a_small_network():
    found = {
        name: run_gradients(GradientTrial(name, hidden=3, n_steps=4, n_images=32, n_samples=2000), "cpu")
        for name in ("biper", "ste")
    }
    assert found["biper"]["sine"] > 0.999999
    assert found["biper"]["zero"] == 0
    assert found["ste"]["zero"] == pytest.approx(0.317, abs=0.02)
    assert found["ste"]["sine"] is None
    assert max(found["biper"]["cosines"]) > 3 * max(found["biper"]["random"])


def test_errors_of_a_small_network():
    from biper.experiments import SMOKE_ACCURACY

    found = run_errors(ErrorTrial(of_method(SMOKE_ACCURACY.vgg, "biper", 0.05)), "cpu")
    assert found["gap_laplace"] < 0.1
    assert max(found["periodic"]) <= 0.25
    assert max(found["bound"]) <= 0.1029
    ratios = [b / a for a, b in zip(found["sign"], found["sign"][1:], strict=False)]
    assert ratios == pytest.approx([100] * 6)
