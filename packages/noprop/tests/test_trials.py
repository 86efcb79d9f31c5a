"""What experiments repeat."""

from dataclasses import replace

import pytest
import torch
from noprop_own import blobs
from torch import nn

from noprop import ModelConfig, TrainConfig
from noprop.trials import Trial, clock_of, largest_gradient, run_apart, run_memory, run_trial

TRIAL = Trial(
    "digits",
    200,
    ModelConfig(channels="3,4", width=8, n_steps=3),
    TrainConfig(epochs=2, batch_size=32, lr=1e-2, steps=3),
    n_runs=1,
)


def test_a_trial_gives_its_numbers_again():
    found, again = run_trial(TRIAL, "cpu"), run_trial(TRIAL, "cpu")
    assert {**found, "seconds": 0} == {**again, "seconds": 0}
    assert len(found["chain"]) == 4
    assert found["steps"] == 2 * 6
    longer = run_trial(replace(TRIAL, train=replace(TRIAL.train, epochs=10)), "cpu")
    assert longer["train_accuracy"] > max(found["untrained"], found["train_accuracy"])
    assert found["accuracy"] != run_trial(replace(TRIAL, is_held_out=True), "cpu")["accuracy"]


def test_a_rival_is_trained_for_a_time():
    rival = replace(TRIAL, layers="10,10", seconds=0.05)
    found = run_trial(rival, "cpu")
    assert 0.05 <= found["seconds"] < 2
    assert found["steps"] >= 1
    assert "chain" not in found


def test_memory_of_a_step():
    found = run_memory(replace(TRIAL, model=replace(TRIAL.model, n_steps=8)), "cpu")
    assert 0 < found["block"] <= found["backprop"] / 3
    assert found["stacked"] > 3 * found["block"]


def test_blocks_apart_are_as_good_as_together():
    apart, together = (
        run_apart(TRIAL, "cpu"),
        run_trial(replace(TRIAL, train=replace(TRIAL.train, order="sequential")), "cpu"),
    )
    assert apart["accuracy"] == pytest.approx(together["accuracy"], abs=1e-9)
    assert apart["elsewhere"] == 0 < apart["backprop_elsewhere"]


def test_a_gradient_elsewhere_is_found(unchecked):
    class Leaky(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([nn.Linear(6, 3), nn.Linear(6, 3)])

    model, data = Leaky(), blobs(9)
    assert largest_gradient(model, lambda: model.blocks[1](data.x).sum(), 2) == 0
    leaking = largest_gradient(model, lambda: (model.blocks[1](data.x) + model.blocks[0](data.x)).sum(), 2)
    expected = max(data.x.sum(0).abs().max().item(), 9)
    assert leaking == pytest.approx(expected, rel=1e-5)
    assert clock_of("cpu")() > 0
    assert torch.is_grad_enabled()
