"""What experiments repeat."""

import math
from dataclasses import replace

import pytest
import torch

from deeponet import ModelConfig, ProblemConfig, TrainConfig
from deeponet.candidates import Networks, RecurrentNetworks
from deeponet.experiments import EquationConfig
from deeponet.trials import SensorTrial, SequenceTrial, Trial, make_data, run_sensors, run_sequences, run_trial

TRIAL = Trial(
    problem=ProblemConfig(n_sensors=10),
    n_train=50,
    n_test=30,
    model=ModelConfig(branch="6,6", trunk="6,6"),
    train=TrainConfig(steps=20, lr=1e-2, check_every=10),
)


def test_training_held_out_and_test_data_are_drawn_apart():
    train, test = make_data(TRIAL)
    again, held_out = make_data(replace(TRIAL, is_held_out=True))
    assert torch.equal(train.u, again.u)
    rows = [{tuple(row.tolist()) for row in part.u} for part in (train, test, held_out)]
    assert not rows[0] & rows[1]
    assert not rows[1] & rows[2]
    assert not rows[0] & rows[2]
    other, _ = make_data(replace(TRIAL, seed=1))
    assert not torch.equal(train.u, other.u)


def test_a_shuffled_control_has_the_same_data_out_of_order():
    (train, test), (shuffled, same) = make_data(TRIAL), make_data(replace(TRIAL, is_shuffled=True))
    assert torch.equal(train.u, shuffled.u)
    assert not torch.equal(train.s, shuffled.s)
    assert torch.equal(train.s.flatten().sort().values, shuffled.s.flatten().sort().values)
    assert torch.equal(test.s, same.s)


def test_a_trial_gives_its_numbers_again():
    found = run_trial(TRIAL, "cpu")
    assert found == run_trial(TRIAL, "cpu")
    assert found["generalization_gap"] == pytest.approx(found["mse"] - found["train_mse"])
    longer = run_trial(replace(TRIAL, train=replace(TRIAL.train, steps=200)), "cpu")
    assert longer["mse"] < found["mse"]
    assert found["mean_mse"] == longer["mean_mse"]


def test_a_training_that_diverges_has_no_numbers():
    trial = replace(TRIAL, problem=ProblemConfig(n_sensors=10, space="chebyshev", bound=1e25))
    found = run_trial(trial, "cpu")
    assert found["mse"] is None
    assert found["mean_mse"] > 0


def test_recurrent_networks_are_trained_on_grids():
    trial = replace(TRIAL, n_train=10, n_test=5, train=replace(TRIAL.train, steps=5, check_every=5))
    found = run_sequences(SequenceTrial(trial, "rnn"), "cpu")
    assert found["n_rows"] == 5 * 101
    longer = replace(trial, train=replace(trial.train, steps=60, check_every=20))
    assert run_sequences(SequenceTrial(longer, "rnn"), "cpu")["train_mse"] < found["train_mse"]


def test_functions_and_points_are_varied_apart():
    settings = EquationConfig(replace(TRIAL, n_points=7), (5, 10), (3, 4)).settings()
    assert {key: (one.n_train, one.n_points, one.name) for key, one in settings.items()} == {
        ("functions", 5): (5, 7, "diffusion-reaction"),
        ("functions", 10): (10, 7, "diffusion-reaction"),
        ("points of each", 3): (50, 3, "diffusion-reaction"),
        ("points of each", 4): (50, 4, "diffusion-reaction"),
    }


def test_candidates_are_all_combinations_on_held_out_data():
    candidates = Networks((2, 3), (10,), (1e-2, 1e-3)).candidates(TRIAL)
    assert [(one.model.branch, one.train.lr) for one in candidates] == [
        ("10", 1e-2),
        ("10", 1e-3),
        ("10,10", 1e-2),
        ("10,10", 1e-3),
    ]
    assert all(one.is_held_out and one.model.kind == "fnn" for one in candidates)


def test_residual_and_recurrent_networks_are_tuned_like_others():
    residual = Networks((2, 3), (128,), (1e-2, 1e-3)).candidates(TRIAL, "resnet")
    assert [(one.model.branch, one.train.lr) for one in residual] == [
        ("128", 1e-2),
        ("128", 1e-3),
        ("128,128", 1e-2),
        ("128,128", 1e-3),
    ], "the published one is among them, once"
    assert ("128,128", 1e-3) in [
        (one.model.branch, one.train.lr) for one in Networks((2,), (10,)).candidates(TRIAL, "resnet")
    ]
    recurrent = RecurrentNetworks((5, 10), (1e-2, 1e-3)).candidates(TRIAL, "lstm")
    assert [(one.hidden_size, one.trial.train.lr) for one in recurrent] == [
        (5, 1e-2),
        (5, 1e-3),
        (10, 1e-2),
        (10, 1e-3),
    ]
    assert {one.cell for one in recurrent} == {"lstm"}
    assert all(one.is_held_out and one.model.kind == "resnet" for one in residual)
    assert all(one.trial.is_held_out for one in recurrent)


def test_the_law_of_sensors_is_measured_for_each_length():
    found = run_sensors(SensorTrial(length_scales=(0.2, 0.5), n_sensors=(10, 20), n=20), "cpu")
    for errors in found.values():
        assert len(errors) == 2
        for few, many in errors:
            assert 2.5 < few / many < 6.5
    assert found["interpolation"][0][1] > found["interpolation"][1][1]
    assert all(math.isfinite(value) for errors in found["solution"] for value in errors)
