"""Parity with dm_control's swimmer, wherever it is installed (it needs mujoco < 4); needs no PyTorch."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ks_2samp

from ncap_swimmer.environments import NavigateEnv, SwimEnv

swimmer = pytest.importorskip("dm_control.suite.swimmer", exc_type=Exception)
rewards = pytest.importorskip("dm_control.utils.rewards", exc_type=Exception)


@pytest.fixture(scope="module", params=[3, 6, 12])
def n_links(request):
    return request.param


@pytest.fixture(scope="module")
def both(n_links):
    """100 random actions from one state: states, observations and rewards of dm_control and of both tasks here."""
    theirs = swimmer.swimmer(n_links, random=1)
    steps = [theirs.reset()]
    physics = theirs.physics
    start, target = physics.data.qpos.copy(), physics.named.model.geom_pos["target"][:2].copy()
    actions = np.random.default_rng(0).uniform(-1.3, 1.3, (100, n_links - 1))
    head = [physics.named.data.sensordata["head_vel"].copy()]
    states = [start]
    for action in actions:
        steps.append(theirs.step(np.clip(action, -1, 1)))
        states.append(physics.data.qpos.copy())
        head.append(physics.named.data.sensordata["head_vel"].copy())
    ours = {}
    for kind in (SwimEnv, NavigateEnv):
        env = kind(n_links, time_feature=False)
        env.reset(seed=0)
        env.data.qpos[:] = start
        seen = [env.restore(env.state() | {"target": target})]
        found, paid = [env.data.qpos.copy()], []
        for action in actions:
            observation, reward, *_ = env.step(action)
            seen.append(observation)
            paid.append(reward)
            found.append(env.data.qpos.copy())
        ours[kind.task] = SimpleNamespace(seen=np.array(seen), rewards=np.array(paid), states=np.array(found))
    return SimpleNamespace(steps=steps, states=np.array(states), head=np.array(head), ours=ours)


@pytest.mark.parametrize("task", ["swim", "navigate"])
def test_same_states_after_each_of_100_actions(both, task):
    np.testing.assert_allclose(both.ours[task].states, both.states, atol=1e-6, rtol=0)


def test_same_observations(both):
    for step, swim, navigate in zip(both.steps, both.ours["swim"].seen, both.ours["navigate"].seen):
        joints, target, velocities = (step.observation[key] for key in ("joints", "to_target", "body_velocities"))
        np.testing.assert_allclose(swim, np.concatenate((joints, velocities)), atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(navigate, np.concatenate((joints, target, velocities)), atol=1e-5, rtol=1e-5)


def test_same_rewards(both):
    theirs = [step.reward for step in both.steps[1:]]
    np.testing.assert_allclose(both.ours["navigate"].rewards, theirs, atol=1e-6)
    # As the paper's code makes it from dm_control's parts.
    swim = [
        rewards.tolerance(-v[1], (0.1, float("inf")), margin=0.1, value_at_margin=0.0, sigmoid="linear")
        for v in both.head[1:]
    ]
    np.testing.assert_allclose(both.ours["swim"].rewards, swim, atol=1e-6)


def test_same_distribution_of_first_states():
    theirs, ours = swimmer.swimmer(4, random=0), NavigateEnv(4)
    ours.reset(seed=0)
    samples = []
    for reset, qpos, target in (
        (theirs.reset, lambda: theirs.physics.data.qpos, lambda: theirs.physics.named.model.geom_pos["target"][:2]),
        (ours.reset, lambda: ours.data.qpos, lambda: ours.state()["target"]),
    ):
        rows = [np.zeros(8)] * 600
        for i in range(600):
            reset()
            rows[i] = np.concatenate((qpos(), target()))
        samples.append(np.array(rows))
    assert not samples[0][:, :2].any()
    assert not samples[1][:, :2].any()
    for one, two in zip(samples[0].T[2:], samples[1].T[2:]):
        assert ks_2samp(one, two).pvalue > 1e-3
