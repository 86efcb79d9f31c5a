"""Step times and memory."""

import pytest
import torch
from torch import nn

from kan_assessment import MLP, BSplineKAN, Overhead, get_family, match, measure_overhead, profile_step


@pytest.mark.timed
def test_quartiles_are_in_order_and_the_step_takes_longer_than_the_forward_pass():
    found = profile_step(MLP([64, 256, 10]), 64, batch_size=256, n_steps=15)
    assert 0 < found.step.low <= found.step.median <= found.step.high
    assert found.step.n == 15
    assert found.forward.median < found.step.median


def test_memory_is_what_the_backward_pass_needs():
    # The input and the hidden activations, each once; of the last layer nothing but the error.
    model = nn.Sequential(nn.Linear(8, 100), nn.ReLU(), nn.Linear(100, 2))
    found = profile_step(model, 8, batch_size=32, n_steps=3)
    least = 4 * 32 * (8 + 100)
    assert least <= found.memory <= least + 4 * 32 * 2 * 3 + 64
    kan = profile_step(BSplineKAN([8, 100, 2]), 8, batch_size=32, n_steps=3)
    # Eight splines for each input of each layer.
    assert kan.memory > 4 * 32 * (8 + 100) * 8


def test_the_model_s_mode_is_training_afterwards():
    model = MLP([4, 3, 2], batch_norm=True)
    profile_step(model, 4, batch_size=8, n_steps=2)
    assert model.training


@pytest.mark.timed
def test_equal_time_gives_a_network_of_about_that_time():
    family = get_family("mlp")
    found = match(family, 32, 10, 0.004, "time", batch_size=64, activation="relu")
    assert found.hidden[0] > 8
    assert 0.2 < found.value / 0.004 < 5


@pytest.mark.timed
def test_ratios_are_of_medians_and_the_slow_one_is_slower():
    setting = Overhead((4, 16), n_inputs=32, batch_size=64, n_steps=5, families=("bspline_kan", "per_edge_kan"))
    found = measure_overhead(setting, "cpu")
    assert set(found) == {"step", "forward"}
    steps = found["step"]
    assert set(steps) == {"B-spline KAN", "B-spline KAN, edge by edge", "B-spline KAN, equal parameters"}
    assert set(steps["B-spline KAN"]) == {"4", "16"}
    assert steps["B-spline KAN, edge by edge"]["16"] > steps["B-spline KAN"]["16"] > 1


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="positive"):
        profile_step(MLP([2, 1]), 2, batch_size=0)


@pytest.mark.gpu
def test_it_measures_on_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    found = profile_step(MLP([8, 4, 2]).cuda(), 8, n_steps=3)
    assert found.memory > 0
