"""The predicates: the paper's own numbers pass, and what a wrong implementation would give does not."""

import math
from dataclasses import replace

import pytest
import torch

from biper import EvaluationReport, trials
from biper.experiments import QUICK_ACCURACY, SMOKE_ACCURACY, for_choice, of_method, rank_correlation
from biper.paper import METHODS, NETWORKS, PAPER
from biper.trials import ErrorTrial, GradientTrial, gradient_training, run_errors, run_gradients
from separata.labeled import load_splits

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
            choice = for_choice(trial, name, 0.1, QUICK_ACCURACY.tuning)
            assert choice.train.epochs + choice.train.stage2_epochs == sum(QUICK_ACCURACY.tuning)
            assert choice.is_held_out
            assert replace(choice, is_held_out=False, train=train) == of_method(trial, name, 0.1)
    assert of_method(QUICK_ACCURACY.vgg, "one_stage", 0.1).train.epochs == 0
    two = of_method(QUICK_ACCURACY.vgg, "biper", 0.021).train
    assert (two.lr, two.stage2_lr) == (0.021, pytest.approx(0.0037))


def test_rates_are_chosen_on_held_out_images_and_accuracy_is_of_test_images(monkeypatch):
    seen = []

    def evaluate(model, data):
        seen.append(data)
        return EvaluationReport(len(data), 0.5, 1.0)

    monkeypatch.setattr(trials, "evaluate", evaluate)
    trial = of_method(SMOKE_ACCURACY.vgg, "biper", 0.06)
    data = trial.data("cpu")
    assert len(data.train) == trial.n_train == 100
    for is_held_out, part in ((True, data.validation), (False, data.test)):
        seen.clear()
        trials.run_trial(replace(trial, is_held_out=is_held_out), "cpu")
        assert len(seen) == 2, "after each stage"
        assert all(torch.equal(one.x, part.x) for one in seen)
    rows = {tuple(row) for row in data.train.x.flatten(1).tolist()}
    assert not rows & {tuple(row) for row in data.validation.x.flatten(1).tolist()}


def test_ranks():
    assert rank_correlation([0.1, 0.5, 0.9], [1, 2, 3]) == 1
    assert rank_correlation([0.1, 0.5, 0.9], [3, 2, 1]) == -1
    assert rank_correlation([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(0.8)


TINY_GRADIENTS = GradientTrial(hidden=3, n_steps=4, rates=(0.1,), n_points=3, n_images=32, n_samples=2000)


def test_gradients_of_a_small_network():
    found = {name: run_gradients(replace(TINY_GRADIENTS, method=name), "cpu") for name in ("sine", "biper", "ste")}
    assert found["sine"]["sine"] > 0.999999
    assert found["biper"]["zero"] == 0
    assert found["ste"]["zero"] == pytest.approx(0.317, abs=0.02)
    assert max(found["biper"]["cosines"]) > 3 * max(found["biper"]["random"])
    for name in ("biper", "ste"):
        at_points = found[name]["at_points"]
        assert len(at_points) == 3
        assert len({tuple(one) for one in at_points}) == 3, "the weights have changed between any two points"
        assert found[name]["cosines"] == pytest.approx([sum(some) / 3 for some in zip(*at_points, strict=True)])


def test_gradients_are_compared_over_the_whole_training():
    """Every method begins with the same weights, is never switched, and its last point is after the last step."""
    images = load_splits("digits").train
    data = images.x.flatten(1).double(), images.y
    points = {
        name: gradient_training(replace(TINY_GRADIENTS, method=name), 0.1, data, 10)
        for name in ("sine", "biper", "ste")
    }
    first = [some[0][0].weight for some in points.values()]
    assert all(torch.equal(one, first[0]) for one in first)
    assert [[model[0].has_binary_weights for model in some] for some in points.values()] == [
        [False] * 3, [True] * 3, [True] * 3
    ]  # fmt: skip
    half = gradient_training(replace(TINY_GRADIENTS, n_steps=2, n_points=2), 0.1, data, 10)
    assert torch.equal(half[0][0].weight, first[0])
    assert not torch.equal(points["biper"][1][0].weight, points["biper"][2][0].weight)


def test_the_rate_that_does_best_on_held_out_images_counts():
    for rates in ((0.1, 1e-9, math.inf), (math.inf, 1e-9, 0.1)):
        trial = replace(TINY_GRADIENTS, method="sine", n_steps=20, rates=rates)
        assert run_gradients(trial, "cpu")["rate"] == 0.1


def test_errors_of_a_small_network():
    found = run_errors(ErrorTrial(of_method(SMOKE_ACCURACY.vgg, "biper", 0.05)), "cpu")
    assert found["gap_laplace"] < 0.1
    assert max(found["periodic"]) <= 0.25
    assert max(found["bound"]) <= 0.1029
    ratios = [b / a for a, b in zip(found["sign"], found["sign"][1:], strict=False)]
    assert ratios == pytest.approx([100] * 6)
