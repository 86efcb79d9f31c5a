"""What experiments compute, against what the networks themselves show."""

import math

import pytest
import torch

from modular_addition import FourierReport, ModularAdditionNet, make_config, make_net, measure_ghosts
from modular_addition.trials import (
    Features,
    FeatureTrial,
    GrokkingTrial,
    grokking_config,
    run_features,
    run_grokking,
    stage_numbers,
)


def test_features_are_those_of_each_seeds_own_network():
    config = make_config("standard", p=7, width=64, lr=5e-3, steps=300, log_every=300)
    first, second = run_features(FeatureTrial((3, 4), config), "cpu")
    alone = run_features(FeatureTrial((4,), config), "cpu")[0]
    assert second["ipr"] == pytest.approx(alone["ipr"], abs=1e-3)
    assert second["accuracy"] == alone["accuracy"] == 1
    start = make_net(config, 4)
    report = FourierReport.from_weights(start.w_in, start.w_out)
    assert second["start"]["ipr"] == report.ipr
    assert second["start"]["least"] == int(report.specialized_counts.min())
    assert second["ghosts_untrained"] == measure_ghosts(start.logit_table()).prominence
    # The figures show the first network; it is the trained one.
    w_in, w_out = torch.tensor(first["w_in"]), torch.tensor(first["w_out"])
    trained = FourierReport.from_weights(w_in, w_out)
    assert (first["cos"], first["ipr"]) == pytest.approx((trained.mean_cos, trained.ipr))
    assert first["cos"] > 0.9
    assert abs(first["cos_shuffled"]) < 0.5
    ghost = measure_ghosts(ModularAdditionNet.from_weights(w_in, w_out).logit_table())
    assert first["ghost"]["ghost"] == pytest.approx(ghost.prominence)
    assert first["votes"][0] < first["votes"][-1] == 1
    assert first["own_phases"] > first["equal_phases"] == pytest.approx(1 / 7), "equal phases always say the same sum"


def test_controls_differ_in_what_they_are_controls_of():
    config = make_config("standard", p=7, width=64)
    trials = Features(config, narrow=8).trials((0, 1))
    assert {name: trial.config.data.target for name, trial in trials.items()} == {
        "addition": "addition", "random": "random", "subtraction": "subtraction", "narrow": "addition",
    }  # fmt: skip
    assert [trial.config.model.width for trial in trials.values()] == [64, 64, 64, 8]
    assert all(trial.config.train == config.train and trial.seeds == (0, 1) for trial in trials.values())


def test_weights_change_from_stage_to_stage():
    steps = [0, 10, 20, 30, 40]
    found = {
        "stage1_end": 10, "stage2_end": 30, "test_accuracy_when_memorized": 0.7,
        "history": {"ipr": [0.1, 0.2, 0.5, 0.6, 0.9], "norm": [1.0, 5.0, 9.0, 8.0, 6.0]},
    }  # fmt: skip
    numbers = stage_numbers(steps, found)
    assert numbers == pytest.approx(
        {"stage1_end": 10, "stage2_end": 30, "test_when_memorized": 0.7, "ipr_rise": 0.4, "norm_change": -0.25}
    )
    none = stage_numbers(steps, found | {"stage2_end": None})
    assert none["stage1_end"] == 10
    assert all(math.isnan(none[name]) for name in ("stage2_end", "ipr_rise", "norm_change"))


def test_histories_of_grokking_are_of_each_seeds_own_split():
    config = make_config("grokking", p=7, width=16, lr=0.01, steps=20, log_every=10)
    both = run_grokking(GrokkingTrial((0, 1), config), "cpu")
    alone = run_grokking(GrokkingTrial((1,), config), "cpu")
    assert both["steps"] == [0, 10, 20]
    for name in ("train_loss", "test_loss", "test_accuracy", "norm"):
        assert both["found"][1]["history"][name] == pytest.approx(alone["found"][0]["history"][name], abs=1e-4)
    assert both["found"][0]["history"]["test_loss"] != pytest.approx(both["found"][1]["history"]["test_loss"], abs=1e-4)
    chosen = grokking_config(23, 100)
    assert (chosen.data.train_fraction, chosen.train.lr, chosen.train.weight_decay) == (0.75, 1e-4, 2.0)
