"""What an episode shows."""

import re

import numpy as np
import pytest
import torch

from ncap_swimmer import MLPPolicy, RandomTorques, make_circuit_policy, make_env
from ncap_swimmer.policies import ShuffledCircuit
from ncap_swimmer.traces import Trace, describe, plot, record, wave


@pytest.fixture(scope="module")
def swum():
    env = make_env("swim", 6)
    return record(make_circuit_policy(env), env, seed=3)


def test_a_trace_is_the_circuit_s_own_equations(swum):
    """Recomputed from the recorded joints alone, for the untrained circuit, whose weights are all 1 or -1."""
    q = np.clip(swum.joints / (2 * np.pi / 6), -1, 1)
    dorsal = np.arange(1000) % 60 < 30
    neurons = {
        "dorsal": np.column_stack((dorsal, np.clip(q[:, :-1], 0, 1))),
        "ventral": np.column_stack((~dorsal, np.clip(-q[:, :-1], 0, 1))),
    }
    np.testing.assert_array_equal(swum.oscillator, dorsal)
    for side, other in (("dorsal", "ventral"), ("ventral", "dorsal")):
        np.testing.assert_allclose(getattr(swum, f"{side}_neurons"), neurons[side], atol=1e-6)
        muscles = np.clip(neurons[side] - neurons[other], 0, 1)
        np.testing.assert_allclose(getattr(swum, f"{side}_muscles"), muscles, atol=1e-6)
    np.testing.assert_allclose(swum.torques, swum.dorsal_muscles - swum.ventral_muscles, atol=1e-6)
    assert 760 < swum.rewards.sum() < 830


def test_a_wave_of_known_speed_is_found():
    """Sines that follow each other by 7 steps, the head by a quarter of a turn behind nothing."""
    t = np.arange(1000)[:, None]
    joints = np.sin(2 * np.pi * (t - 7 * np.arange(4)) / 60).astype(np.float32)
    oscillator = (np.sin(2 * np.pi * t[:, 0] / 60) >= 0).astype(np.float32)
    found = wave(Trace(joints, joints, np.zeros(1000, np.float32), oscillator))
    assert found.lags == (7, 7, 7)
    assert found.correlations == pytest.approx((1, 1, 1), abs=1e-3)
    # A sine and its sign correlate by 2 sqrt(2) / pi.
    assert found.head_lag == 0
    assert found.head_correlation == pytest.approx(2 * np.sqrt(2) / np.pi, abs=0.01)
    assert found.is_travelling
    backwards = wave(Trace(joints[:, ::-1], joints, np.zeros(1000, np.float32), oscillator))
    assert backwards.lags == (-7, -7, -7)
    assert not backwards.is_travelling


def bending(head_lag, lag, noise=0.0):
    """Four joints that follow the oscillator and one another by so many steps."""
    t = np.arange(400)[:, None]
    joints = np.sin(2 * np.pi * (t - head_lag - lag * np.arange(4)) / 60)
    joints += noise * np.random.default_rng(0).normal(size=joints.shape)
    joints = joints.astype(np.float32)
    return wave(Trace(joints, joints, joints[:, 0], (t[:, 0] % 60 < 30).astype(np.float32)))


@pytest.mark.parametrize(
    ("head_lag", "lag", "noise", "is_travelling"),
    [
        (0, 1, 0.0, True),
        (14, 10, 0.0, True),
        (5, 29, 0.0, True),
        (5, 10, 0.1, True),
        (5, 0, 0.0, False),  # all joints bend at once
        (5, -3, 0.0, False),  # from the tail to the head
        (5, 30, 0.0, False),  # neighbours in antiphase: neither follows
        (16, 10, 0.0, False),  # the head nearer out of phase than in phase
        (-2, 10, 0.0, False),  # the head before the oscillator
        (30, 10, 0.0, False),  # the head against the oscillator
        (5, 10, 1.0, False),  # too little of the motion is the wave
    ],
)
def test_what_travels(head_lag, lag, noise, is_travelling):
    found = bending(head_lag, lag, noise)
    assert found.is_travelling == is_travelling
    if is_travelling:
        assert (found.head_lag, *found.lags) == pytest.approx((head_lag, lag, lag, lag), abs=10 * noise)


def test_the_swimming_wave_travels_to_the_tail_unless_sensors_are_shuffled(swum):
    assert wave(swum).is_travelling
    env = make_env("swim", 6)
    assert not wave(record(ShuffledCircuit(make_circuit_policy(env).circuit, (1, 0, 3, 2)), env, seed=3)).is_travelling


def test_joints_that_do_not_move_have_no_correlation():
    still = np.zeros((1000, 2), np.float32)
    found = wave(Trace(still, still, still[:, 0], (np.arange(1000) % 60 < 30).astype(np.float32)))
    assert found.correlations == (0,)
    assert found.head_correlation == 0
    assert not found.is_travelling


def test_arrays_are_saved_whole_or_not_at_all(swum, tmp_path):
    swum.save(tmp_path / "trace.npz")
    with np.load(tmp_path / "trace.npz", allow_pickle=False) as saved:
        assert set(saved) == set(swum.arrays())
        np.testing.assert_array_equal(saved["joints"], swum.joints)
        assert saved["dorsal_neurons"].shape == (1000, 5)
    with pytest.raises(ValueError, match=r"\.npz"):
        swum.save(tmp_path / "trace.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["trace.npz"]


def test_a_perceptron_has_joints_and_torques_only():
    env = make_env("swim", 3)
    trace = record(MLPPolicy(12, 2, (4,)), env)
    assert set(trace.arrays()) == {"joints", "torques", "rewards"}
    assert trace.torques.shape == (1000, 2)
    assert len(plot(trace).axes) == 2
    with pytest.raises(ValueError, match="only the trace of a circuit"):
        wave(trace)


def test_a_short_trace_has_no_wave():
    few = np.zeros((150, 2), np.float32)
    with pytest.raises(ValueError, match="too short"):
        wave(Trace(few, few, few[:, 0], few[:, 0]))


def test_the_plot_shows_every_joint(swum):
    figure = plot(swum, title="swim")
    assert [len(axes.lines) for axes in figure.axes] == [5, 5, 5]
    assert figure.axes[0].get_title(loc="left") == "swim" or figure.axes[0].get_title() == "swim"


def test_a_clock_of_its_own_is_traced_as_it_ran(short_episodes):
    env = make_env("swim", 4, time_feature=False)
    trace = record(make_circuit_policy(env), env, seed=2)
    assert trace.oscillator.tolist() == [1] * 30 + [0] * 20
    np.testing.assert_allclose(trace.torques, trace.dorsal_muscles - trace.ventral_muscles, atol=1e-6)


def test_torques_are_those_that_were_acted_with(short_episodes):
    env = make_env("swim", 4)
    trace = record(RandomTorques(3, torch.Generator().manual_seed(0)), env, seed=2)
    env.reset(seed=2)
    replayed = [env.step(torques)[1] for torques in trace.torques]
    np.testing.assert_allclose(replayed, trace.rewards, atol=1e-6)


@pytest.mark.parametrize(
    ("joints", "told"),
    [
        (np.zeros((400, 3)), "no wave travels down the body.*0.00"),
        (np.sin(2 * np.pi * (np.arange(400)[:, None] - 7 * np.arange(3)) / 60), "by 7, 7 steps of 30 ms"),
        (np.sin(2 * np.pi * (np.arange(400)[:, None] + 7 * np.arange(3)) / 60), "no wave travels down the body"),
        (np.zeros((200, 3)), "too short to look for a wave of period 60"),
    ],
)
def test_a_wave_is_told_of_where_there_is_one(joints, told):
    joints = joints.astype(np.float32)
    assert re.search(told, describe(Trace(joints, joints, joints[:, 0], joints[:, 0]), 60))
