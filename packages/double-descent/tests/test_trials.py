"""What experiments keep of a sweep."""

import json
import math

import pytest
import torch

from double_descent import DataConfig, FitConfig, NetworkConfig
from double_descent.network_sweep import network_sweep
from double_descent.samples import draw, load_source
from double_descent.trials import LinearTrial, NetworkTrial, numbers_of, run_trial


def test_numbers_that_are_not_finite_survive_a_file():
    data = DataConfig(n_train=20, n_test=20)
    trial = LinearTrial("gd", FitConfig(), ("10", "inf"), (5, 30), data, "digits", seeds=(0, 1))
    kept = json.loads(json.dumps(run_trial(trial, "cpu"), allow_nan=False))
    rows = numbers_of(kept)
    assert {row["steps"] for row in rows} == {10, math.inf}
    assert all(isinstance(row["test_mse"], float) for row in rows)


def test_a_network_whose_units_are_all_dead_is_kept(monkeypatch):
    """Its condition number is none, which JSON cannot hold as a number."""
    data, config = DataConfig(n_train=20, n_test=20), NetworkConfig()

    def dead(*args, **kwargs):
        result = network_sweep(*args, **kwargs)
        result.rows[0]["condition_number"] = math.nan
        return result

    monkeypatch.setattr("double_descent.trials.network_sweep", dead)
    trial = NetworkTrial("adam", config, (1,), (2,), data, seeds=(0,))
    kept = json.loads(json.dumps(run_trial(trial, "cpu"), allow_nan=False))
    (row,) = numbers_of(kept)
    assert math.isnan(row["condition_number"])
    samples = draw(load_source("digits"), data, (0,))
    (plain,) = network_sweep(samples, (2,), {"adam": config}, (1,), "cpu").rows
    assert row["test_mse"] == pytest.approx(plain["test_mse"])
    assert torch.isfinite(torch.tensor(plain["test_mse"]))
