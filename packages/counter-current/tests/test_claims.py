"""The predicates: the paper's own numbers pass, and what a wrong implementation would give does not."""

import math

import pytest

from counter_current.candidates import RULES, make_autoencoders, make_convolutions
from counter_current.configs import PRESETS, Changes, preset
from counter_current.experiments import QUICK_GRID, QUICK_RULES
from counter_current.paper import PAPER

GOOD = {
    "local-updates": {"ccl": 0.0, "bp": 0.9},
    "comparable-mlp": {
        "ccl": 0.9813,
        "bp": 0.9819,
        "fa": 0.9696,
        "dfa": 0.9727,
        "drtp": 0.9216,
        "fw_dtp": 0.9720,
        "output_only": 0.9,
    },
    "cnn": {"ccl": 0.93, "bp": 0.97, "output_only": 0.8},
    "training-cost": {"ccl": 2.55, "bp": 2.39, "fw_dtp": 18.06, "dtp": 48.69},
    "autoencoder": {"ccl": 0.0086, "bp": 0.0059, "mean": 0.06, "output_only": 0.05},
    "alignment": {
        "before": 0.2,
        "after": 0.7,
        "bp_after": 0.5,
        "mlp_before": 0.3,
        "mlp_after": 0.4,
        "mlp_bp_after": 0.4,
    },
    "trained-feedback": {
        "frozen_low": 0.9719,
        "frozen_middle": 0.96,
        "frozen_high": 0.95,
        "trained_low": 0.975,
        "trained_middle": 0.98,
        "trained_high": 0.9815,
    },
}
BAD = [
    ("local-updates", {"ccl": 1e-7}),
    ("local-updates", {"bp": 0.0}),
    ("comparable-mlp", {"ccl": 0.955}),
    ("comparable-mlp", {"ccl": 0.9}),
    ("comparable-mlp", {"output_only": 0.98}),
    ("cnn", {"ccl": 0.84}),
    ("cnn", {"ccl": 0.9, "output_only": 0.9}),
    ("training-cost", {"ccl": 2.7}),
    ("training-cost", {"fw_dtp": 2.5}),
    ("autoencoder", {"ccl": 0.05}),
    ("autoencoder", {"output_only": 0.008}),
    ("alignment", {"after": 0.35}),
    ("alignment", {"bp_after": 0.75}),
    ("trained-feedback", {"trained_high": 0.94}),
    # Feedback that makes no difference.
    ("trained-feedback", {"trained_high": 0.95}),
    ("trained-feedback", {"frozen_low": math.nan, "frozen_middle": 0.7, "frozen_high": 0.7}),
]


def test_every_claim_has_numbers_that_pass_and_some_that_do_not():
    assert set(GOOD) == {claim.id for claim in PAPER.claims} == {claim for claim, _ in BAD}


@pytest.mark.parametrize("claim", GOOD)
def test_numbers_like_the_paper_s_pass(claim):
    assert PAPER.claim(claim).holds(GOOD[claim])


@pytest.mark.parametrize(("claim", "changed"), BAD)
def test_controls_and_wrong_implementations_do_not(claim, changed):
    assert not PAPER.claim(claim).holds(GOOD[claim] | changed)


SHOWN_ONLY = {
    ("autoencoder", "bp"),
    *(("alignment", key) for key in ("mlp_before", "mlp_after", "mlp_bp_after")),
    *(("trained-feedback", key) for key in ("trained_low", "trained_middle", "frozen_low", "frozen_middle")),
}
"""What the predicates do not look at, or not alone."""


@pytest.mark.parametrize("claim", GOOD)
def test_what_diverged_does_not(claim):
    for key in GOOD[claim]:
        if (claim, key) not in SHOWN_ONLY:
            assert not PAPER.claim(claim).holds(GOOD[claim] | {key: math.nan}), key


def test_all_rules_have_as_many_candidates_and_none_sees_the_test_images():
    candidates = {key: QUICK_RULES.candidates(rule) for key, rule in RULES.items()}
    assert {len(some) for some in candidates.values()} == {6}
    assert all(one.is_held_out for some in candidates.values() for one in some)
    assert {one.seed for some in candidates.values() for one in some} == {1000}
    assert set(candidates) == set(PAPER.claim("comparable-mlp").paper)


def test_only_photographs_are_cropped_and_standardized():
    for dataset, is_photo in (("mnist5k", False), ("cifar10", True)):
        cnn, ae = make_convolutions(dataset, "4,8", 1, None), make_autoencoders(dataset, "4,8", 1, None)
        configs = [cnn.trial.config, cnn.bp]
        assert {(one.train.augment, one.network.standardize) for one in configs} == {(is_photo, is_photo)}
        assert {one.augment for one in (ae.trial.config.train, ae.bp)} == {is_photo}


def test_another_similarity_has_its_usual_weight():
    dot, cosine = preset("mnist-mlp"), preset("cifar10-cnn")
    changed = Changes(similarity="cosine").applied(dot).loss
    assert (changed.similarity, changed.scale) == ("cosine", 1)
    changed = Changes(similarity="dot").applied(cosine).loss
    assert (changed.similarity, changed.scale, changed.decorrelation) == ("dot", 0.5, 0)
    assert Changes(similarity="cosine", decorrelation=0.2).applied(dot).loss.decorrelation == 0.2
    assert Changes(similarity="cosine").applied(cosine) == cosine


def test_the_grid_has_the_rates_of_the_claim_s_labels():
    labels = PAPER.claim("trained-feedback").labels
    for which, rate in zip(("low", "middle", "high"), QUICK_GRID.rates, strict=True):
        assert labels[f"trained_{which}"].endswith(f"{rate:g}")


def test_presets_are_the_published_settings():
    mlp, cnn, ae = (preset(name) for name in ("mnist-mlp", "cifar10-cnn", "stl10-ae"))
    assert (mlp.train.lr, mlp.train.clip, mlp.train.batch_size, mlp.train.epochs) == (1, 1, 256, 100)
    assert (mlp.loss.similarity, mlp.loss.scale) == ("dot", 0.5)
    assert (cnn.loss.similarity, cnn.loss.scale, cnn.loss.decorrelation, cnn.loss.flood_threshold) == (
        "cosine",
        1,
        0.5,
        0.1,
    )
    assert (cnn.train.momentum, cnn.train.clip, cnn.train.warmup, cnn.train.centralize) == (0.8, 0.3, 100, True)
    assert (ae.train.lr, ae.train.momentum, ae.train.clip_feedback, ae.network.norm) == (0.01, 0.9, 0.2, "after")
    bp = preset("cifar100-cnn", "bp")
    assert (bp.train.lr, bp.train.batch_size, bp.network.norm, bp.train.clip) == (0.03, 256, "before", 0)
    assert preset("cifar10-cnn", "fa").network.norm == "none"
    assert (cnn.network.standardize, cnn.train.augment) == (True, True)
    assert (ae.network.standardize, ae.train.augment) == (False, True)


def test_the_preset_of_digits_is_the_published_one():
    ccl, bp = preset("mnist-cnn"), preset("mnist-cnn", "bp")
    assert (ccl.train.lr, ccl.train.momentum, ccl.train.clip, ccl.train.batch_size) == (1, 0, 1, 256)
    assert (ccl.train.cosine, ccl.train.centralize, ccl.train.warmup) == (False, False, 100)
    assert (ccl.loss.similarity, ccl.loss.scale, ccl.loss.decorrelation) == ("cosine", 0.5, 0.5)
    assert (ccl.network.standardize, ccl.network.norm) == (False, "none")
    assert (bp.train.lr, bp.train.clip, bp.train.warmup, bp.network.norm) == (0.1, 0, 0, "after")


def test_all_presets_are_there():
    assert len(PRESETS) == 6
