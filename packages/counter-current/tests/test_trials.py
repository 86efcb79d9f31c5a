"""What experiments repeat: the same trial twice, locality, and the alignment of a short training."""

import math
from dataclasses import replace

import pytest
import torch

from counter_current.configs import NetworkConfig, RunConfig, TrainConfig, preset
from counter_current.trials import AlignmentTrial, Trial, run_alignment, run_locality, run_trial

MLP = Trial("digits", RunConfig(NetworkConfig(widths="32,24"), train=TrainConfig(epochs=4, batch_size=32)), n_train=300)


def test_a_trial_is_what_its_settings_say_and_nothing_else():
    first, again, other = (run_trial(trial, "cpu") for trial in (MLP, MLP, replace(MLP, seed=1)))
    assert first == again
    assert first != other
    assert 0.2 < first["accuracy"] <= 1


def test_held_out_images_are_no_test_images():
    test, held_out = MLP.data("cpu").test, MLP.data("cpu").validation
    assert len(test) != len(held_out)
    assert not (torch.cdist(test.x.flatten(1), held_out.x.flatten(1)) == 0).any(1).all()
    assert torch.equal(replace(MLP, seed=5).data("cpu").test.x, test.x), "the test part is the same for every seed"
    assert run_trial(replace(MLP, is_held_out=True), "cpu") != run_trial(MLP, "cpu")


def test_a_trial_that_diverges_has_no_numbers():
    train = replace(MLP.config.train, lr=1e30, clip=0.0, clip_feedback=0.0)
    assert run_trial(replace(MLP, config=replace(MLP.config, train=train)), "cpu") == {"loss": None, "accuracy": None}


@pytest.mark.parametrize("rule", ["ccl", "bp", "fa", "dfa"])
def test_only_local_rules_do_without_the_layers_above(rule):
    change = run_locality(replace(MLP, config=replace(MLP.config, rule=rule)), "cpu")["change"]
    assert (change == 0) == (rule == "ccl")


def test_layers_without_a_gradient_are_not_taken_for_local_ones():
    trial = replace(MLP, config=replace(MLP.config, rule="output-only"))
    assert math.isnan(run_locality(trial, "cpu")["change"])


def test_the_alignment_of_a_short_training():
    found = run_alignment(AlignmentTrial(MLP, (0, 3, 6)), "cpu")
    maps = torch.tensor(found["maps"])
    assert maps.shape == (3, 4, 4)
    assert found["top"] == pytest.approx(maps[:, 1:-1, 1:-1].mean((1, 2)).tolist())
    assert not torch.equal(maps[0], maps[2])


def test_an_autoencoder_is_measured_beside_the_mean_image():
    config = preset("stl10-ae")
    config = replace(
        config, network=replace(config.network, widths="3,4"), train=replace(config.train, epochs=1, batch_size=64)
    )
    trial = Trial("digits", config, n_train=300)
    found = run_trial(trial, "cpu")
    data = trial.data("cpu")
    assert found["mean"] == pytest.approx((data.test.x - data.train.x.mean(0)).square().mean().item())
    assert found["accuracy"] is None
    assert torch.tensor(found["pictures"]["reconstruction"]).shape == (8, 1, 8, 8)
