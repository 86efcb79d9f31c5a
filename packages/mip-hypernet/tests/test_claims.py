"""Verdicts: what the paper says holds, and what would be found without its effect does not."""

import math

import pytest

from mip_hypernet.paper import FACTORS, PAPER, TASKS
from mip_hypernet.presets import ABLATIONS, METHODS, Ablations, Comparison, change

WITH = {
    "slow": {"plain": 60, "default": 300, "spread_plain": 2.0, "spread_default": 8.0},
    "proportional": {
        "default": 1.0,
        "deviation": 1e-6,
        "mip": 0.01,
        "mip_ratio": 1.04,
        "default_trained": 0.8,
        "mip_trained": 0.02,
    },
    "unstable": {
        "default_adam": 0.9,
        "encoded_adam": 0.12,
        "default_sgd": 2.3,
        "encoded_sgd": 1.0,
        "sliced_adam": 0.9,
        "sliced_sgd": 2.3,
        "failed_default": 0.6,
        "failed_encoded": 0.0,
        "failed_sliced": 0.5,
    },
    "stabilizes": {
        "mip_adam": 0.04,
        "default_adam": 0.4,
        "residual_adam": 0.05,
        "mip_sgd": 0.08,
        "default_sgd": 2.3,
        "residual_sgd": 0.1,
        "failed_mip": 0.0,
        "failed_default": 0.5,
        "tuned_mip": 0.03,
        "tuned_default": 0.2,
        "tuned_torch": 0.2,
        "tuned_biased": 0.2,
        "steps_mip": 100,
        "steps_default": 300,
        "steps_torch": 250,
        "steps_biased": 250,
        "accuracy_mip": 0.92,
        "accuracy_default": 0.7,
    },
    "tasks": {
        f"{task}_{name}": {"mip": 0.1, "default": 0.5, "torch": 0.4}[name]
        for task in TASKS
        for name in ("mip", "default", "torch")
    }
    | {"failed": 0.0},
    "ablations": {"share": 1.0, **dict.fromkeys(FACTORS, 1.0), "gain": 0.5},
    "no-extra-cost": {
        "parameters": 1.008,
        "time": 1.01,
        "difference": 1e-7,
        "converted": 1.0,
        "pretrained": 0.0,
    },
}
"""Numbers as the paper describes them."""

CHANGES = {
    "slow": [{"default": 80}, {"spread_default": 1.5}, {"spread_plain": 9.0}, {"plain": 0}],
    "proportional": [
        {"default": 0.9},
        {"deviation": 0.5},
        {"mip": 1.0},
        {"mip_ratio": 1.3},
        {"mip_trained": 0.3},
        {"default": 0.0},
    ],
    "unstable": [{"default_adam": 0.2}, {"failed_default": 0.0}, {"failed_encoded": 0.6}, {"encoded_adam": 0.9}],
    "stabilizes": [
        {"failed_mip": 0.5},
        {"mip_adam": 0.3},
        {"mip_sgd": 2.3},
        {"tuned_mip": 0.2},
        {"tuned_torch": 0.02},
        {"tuned_biased": 0.02},
        {"steps_biased": 90},
        {"steps_mip": 260},
    ],
    "tasks": [{"failed": 0.3}, {"registration_mip": 0.6}, {"regularization_torch": 0.05}, {"scale_space_default": 0.1}],
    "ablations": [{"share": 0.95}, {"gain": -0.1}],
    "no-extra-cost": [
        {"time": 1.1},
        {"parameters": 1.5},
        {"difference": 0.1},
        {"pretrained": 0.1},
        {"converted": 0.5},
        {"time": 0.0},
    ],
}
"""What would be found without the effect."""


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_the_paper_s_effect_holds_and_its_absence_does_not(claim):
    assert WITH[claim.id].keys() == claim.paper.keys()
    assert claim.holds(WITH[claim.id])
    for change_ in CHANGES[claim.id]:
        assert not claim.holds(WITH[claim.id] | change_), change_
    assert not claim.holds(dict.fromkeys(claim.paper, math.nan))


def test_most_settings_are_a_direction():
    claim = PAPER.claim("ablations")
    assert claim.direction(WITH["ablations"] | {"share": 0.95})
    assert not claim.direction(WITH["ablations"] | {"share": 0.85})


def test_methods_have_as_many_candidates_on_equal_terms():
    config = Comparison()
    candidates = {name: config.candidates(name, 0) for name in METHODS}
    assert {len(some) for some in candidates.values()} == {6}
    for some in zip(*candidates.values(), strict=True):
        assert len({one.train for one in some}) == 1
        assert len({one.task_config for one in some}) == 1
        assert len({one.hyper.hidden for one in some if one.hyper}) == 1


def test_the_grid_has_every_combination_and_every_factor():
    config = Ablations()
    cells = config.cells()
    assert len(cells) == sum(map(len, config.values.values())) + 3 * 2 * 2 * 2
    # The usual setting has five names, and four of the grid change one factor or two of these at most.
    usual = {"activation: leaky_relu", "normalization: none", "dimension: 1", "architecture: 16,128", "optimizer: adam"}
    assert len(usual & set(config.distinct())) == 1
    trials = [config.trial(cells[name], "mip") for name in config.distinct()]
    assert len(set(trials)) == len(trials) == len({config.trial(cell, "mip") for cell in cells.values()})
    assert change("architecture", "16,8 low-rank") == {"hidden": "16,8", "heads": "low-rank"}
    assert change("normalization", "primary batch") == {"norm": "batch"}
    assert change("dimension", "4") == {"dim": 4}
    for preset in ABLATIONS.values():
        for cell in preset.cells().values():
            mip, default = (preset.trial(cell, which) for which in ("mip", "default"))
            assert mip.train == default.train
            assert mip.task_config == default.task_config
            kept = ("hidden", "activation", "normalization", "heads")
            assert all(getattr(mip.hyper, name) == getattr(default.hyper, name) for name in kept)
