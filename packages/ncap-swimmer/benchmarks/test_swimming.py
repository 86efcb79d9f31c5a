"""Simulation with the circuit in the loop beside dm_control's swimmer, and the circuit's forward pass.

dm_control needs MuJoCo before version 4; its case is skipped where it cannot load. Measure it, and ours beside it, in
an environment of its own (`pip install 'dm-control==1.0.50' 'mujoco<4'`).
"""

import numpy as np
import pytest
import torch

from house import peer
from ncap_swimmer import MLPPolicy, SwimmerCircuit, make_circuit_policy, make_controller, make_env

STEPS = 1000


def numpy_circuit(joints, t, limit=2 * np.pi / 6):
    """The untrained circuit in numpy, for the peer: the bend of the joint before, and a square wave."""
    q = np.clip(joints / limit, -1, 1)
    return np.concatenate(([1.0 if t % 60 < 30 else -1.0], q[:-1]))


def swim_here(kind):
    env = make_env("swim", 6)
    if kind == "numpy":  # the controller of the peer's case
        return episode_of(env, lambda observation, t: numpy_circuit(observation[:5], t))
    policy = (
        make_circuit_policy(env) if kind == "circuit" else MLPPolicy(24, 5, generator=torch.Generator().manual_seed(0))
    )
    act = make_controller(policy)
    return episode_of(env, lambda observation, t: act(observation))


def episode_of(env, act):
    def go():
        observation, _ = env.reset(seed=0)
        total = 0.0
        for t in range(STEPS):
            observation, reward, *_ = env.step(act(observation, t))
            total += reward
        return total

    return go


def swim_in_dm_control():
    suite = peer("dm_control.suite")
    try:
        env = suite.load("swimmer", "swimmer6", {"random": 0})
    except Exception as error:  # noqa: BLE001 - whatever a MuJoCo that is too new makes of its models
        pytest.skip(f"dm_control does not load its swimmer: {error}")

    def go():
        timestep = env.reset()
        for t in range(STEPS):
            timestep = env.step(numpy_circuit(timestep.observation["joints"], t))

    return go


@pytest.mark.parametrize("kind", ["circuit", "numpy", "perceptron"])
@pytest.mark.benchmark(group="an episode of 1000 control steps, 6 links")
def test_an_episode(benchmark, kind):
    total = benchmark(swim_here(kind))
    assert total < 200 if kind == "perceptron" else total > 700


@pytest.mark.benchmark(group="an episode of 1000 control steps, 6 links")
def test_an_episode_in_dm_control(benchmark):
    benchmark(swim_in_dm_control())


@pytest.mark.parametrize("batch", [1, 64, 4096])
@pytest.mark.benchmark(group="forward pass of the circuit, 5 joints")
def test_forward(benchmark, batch):
    circuit = SwimmerCircuit(5)
    generator = torch.Generator().manual_seed(0)
    joints, t = torch.rand(batch, 5, generator=generator), torch.arange(batch)
    with torch.no_grad():
        torques = benchmark(lambda: circuit(joints, t))
    assert torques.shape == (batch, 5)


@pytest.mark.parametrize("n_links", [4, 6, 14, 30])
@pytest.mark.benchmark(group="control step by number of links")
def test_cost_grows_with_the_body(benchmark, n_links):
    env = make_env("swim", n_links)
    act = make_controller(make_circuit_policy(env))
    observation, _ = env.reset(seed=0)
    for _ in range(100):
        observation, *_ = env.step(act(observation))

    benchmark(lambda: env.step(act(observation)))
    assert np.isfinite(env.step(act(observation))[0]).all()
