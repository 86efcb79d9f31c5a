"""Trainings of the experiments at their own scale: planted signals are found, and the sharpness is right."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh

from opposing_signals import HessianOperator, SharpnessTracker, TrainConfig, plant_signal, train
from opposing_signals.configs import ModelConfig
from opposing_signals.experiments.natural import SMALL
from opposing_signals.experiments.optimizers import share_of_steps
from opposing_signals.experiments.planted import Planted, balance
from opposing_signals.planted_trials import PlantedTrial, run_planted
from opposing_signals.trials import Trial, at_step, few_power_iterations, run_trial, try_trial


def test_images_with_a_planted_signal_take_part_in_the_spikes_and_without_one_they_do_not():
    trial = Planted().trial
    quiet = replace(trial, train=replace(trial.train, sharpness_every=0))
    strong, none = (run_planted(PlantedTrial(quiet, amplitude), "cpu") for amplitude in (5.0, 0.0))
    assert strong["share"] >= 0.6, "40 of 1,000 images: 0.04 by chance"
    assert strong["svd_share"] >= 0.6
    assert none["share"] <= 0.1
    assert strong["probe_correlation"] < 0, "the output for the plain image alternates"


def test_the_planted_groups_balance_below_the_edge_of_stability():
    slow = Planted().slow
    short = replace(slow, train=replace(slow.train, n_steps=101, sharpness_every=0), spike_after=20)
    found = run_planted(PlantedTrial(short, with_valley=True), "cpu")
    assert [one["step"] for one in found["balance"]] == list(range(20, 101, 10))
    assert balance(found) < 0.1 < balance(found, "random")
    assert all(a * b < 0 for a, b in (one["planted"] for one in found["balance"]))
    assert min(one["share"] for one in found["balance"]) > 0.5, "4 % of the images"


def test_a_balance_is_0_between_opposite_slopes_and_1_between_equal_ones():
    assert balance({"balance": [{"planted": [3.0, -3.0]}]}) == 0
    assert balance({"balance": [{"planted": [3.0, 1.0]}]}) == 1
    assert balance({"balance": [{"planted": [3.0, -1.0]}]}) == pytest.approx(0.5)


def test_the_sharpness_past_the_edge_is_that_of_arpack_and_few_power_iterations_stay_below():
    trial = Trial(train=TrainConfig(lr=0.3))
    data = trial.samples()
    network = at_step(trial, data, 60, "cpu")
    found = SharpnessTracker(network, data.x, data.y, "mse").measure()
    operator = HessianOperator(network, data.x, data.y, "mse")
    p = operator.n_parameters
    matrix = LinearOperator((p, p), lambda v: operator(torch.from_numpy(np.ravel(v)).float()).numpy(), dtype=np.float32)
    expected = float(eigsh(matrix, 1, which="LA", tol=1e-4, v0=np.ones(p, np.float32))[0][0])
    assert found.value == pytest.approx(expected, rel=1e-3)
    assert found.value > 2 / 0.3
    assert few_power_iterations(operator, None)[0] < 0.99 * expected
    assert few_power_iterations(operator, None, 300)[0] == pytest.approx(expected, rel=1e-3)


def test_steps_to_a_loss_are_counted_until_three_records_are_down_there():
    found = {"steps": list(range(0, 100, 10)), "loss": [9.0, 8, 1, 8, 2, 2, 2, 2, 2, 2]}
    assert share_of_steps(found, 2.0, 50) == pytest.approx(60 / 50)
    assert share_of_steps(found, 4.0, 50) == pytest.approx(40 / 50)
    assert share_of_steps(found, 1.0, 50) == pytest.approx(90 / 50), "never: the whole training"
    assert np.isnan(share_of_steps(found, None, 50))


def test_another_order_of_the_images_gives_the_same_groups():
    trial = Trial(model=ModelConfig(activation="relu"), train=TrainConfig(30, lr=0.5, sharpness_every=0))
    data = trial.samples()
    planted = replace(data, x=plant_signal(data.x, data.y, 5.0).x)
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(3))
    one, other = (
        train(trial.network(data), some, trial.train).groups(10)
        for some in (planted, replace(planted, x=planted.x[order], y=planted.y[order]))
    )
    assert set(order[other.up].tolist()) == set(one.up.tolist())
    assert set(order[other.down].tolist()) == set(one.down.tolist())


def test_a_training_that_diverges_has_no_numbers_and_stops_nothing_else():
    found = try_trial(replace(SMALL, train=replace(SMALL.train, lr=1e6)), "cpu")
    assert found == {}
    assert try_trial(SMALL, "cpu")["loss"] == run_trial(SMALL, "cpu")["loss"]
