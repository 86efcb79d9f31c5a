import math
import pickle
from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from ncap_swimmer import (
    CircuitPolicy,
    EvaluationReport,
    MLPPolicy,
    RandomTorques,
    SwimmerCircuit,
    evaluate,
    make_circuit_policy,
    make_controller,
    make_env,
)
from ncap_swimmer.rollouts import Evaluator, _evaluate_in_worker, _start_worker, episode, episode_seeds


@pytest.fixture(scope="module")
def env():
    return make_env()


def circuit(weights=None, n_joints=5, **options):
    policy = CircuitPolicy(SwimmerCircuit(n_joints, **options))
    for name, value in (weights or {}).items():
        policy.circuit.weight[name].data.fill_(value)
    return policy


# ---- returns measured for the paper's file with dm_control and with another program on MuJoCo


@pytest.mark.parametrize(
    ("n_joints", "expected", "episodes"),
    [(3, 341, 2), (5, 797, 3), (7, 895, 1), (9, 904, 1), (11, 909, 1), (13, 918, 1)],
)
def test_untrained_circuit_swims_in_bodies_of_all_lengths(unchecked, n_joints, expected, episodes):
    env = make_env(n_links=n_joints + 1)
    assert evaluate(make_circuit_policy(env), env, episodes).mean == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(
    ("period", "expected", "tolerance"),
    [(20, 205, 0.2), (30, 490, 0.03), (40, 617, 0.03), (50, 693, 0.03), (80, 798, 0.03), (120, 768, 0.03)],
)
def test_untrained_circuits_of_other_periods(unchecked, env, period, expected, tolerance):
    assert evaluate(circuit(period=period), env, 1).mean == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize(
    ("weights", "low", "high"),
    [
        ({"prop": 2.0}, 845, 895),
        ({"prop": 0.5}, 465, 495),
        ({"ipsi": 2.0}, 840, 890),
        ({"osc": 0.3}, 690, 730),
        ({"contra": 0.0}, 780, 815),
        ({"prop": 0.0}, 115, 150),
        ({"osc": 0.0}, 50, 170),
    ],
)
def test_change_of_a_single_weight(unchecked, env, weights, low, high):
    assert low < evaluate(circuit(weights), env, 1).mean < high


def test_no_torque_brings_nothing_and_random_torques_little(unchecked, env):
    assert evaluate(circuit({"ipsi": 0.0}), env, 1).mean == 0
    assert 88 < evaluate(RandomTorques(5, torch.Generator().manual_seed(0)), env, 1).mean < 112


# ---- evaluation


@pytest.mark.parametrize("returns", [(1.0, 2.0, 4.0), (3.0, 3.0), tuple(np.linspace(0, 9, 10))])
def test_statistics_of_returns(returns):
    found = EvaluationReport(returns)
    assert found.mean == pytest.approx(np.mean(returns))
    assert found.std == pytest.approx(stats.tstd(returns))
    if found.std:
        interval = stats.t.interval(0.95, len(returns) - 1, loc=np.mean(returns), scale=stats.sem(returns))
        assert found.ci == pytest.approx(interval)
    else:
        assert found.ci == (3, 3)


def test_statistics_of_one_return():
    one = EvaluationReport((5.0,))
    assert (one.mean, one.std) == (5, 0)
    assert all(math.isnan(end) for end in one.ci)


def test_equal_seeds_give_equal_first_states_whatever_the_policy(bowl, constant):
    logs = []
    for action in ((0.0, 0.0), (1.0, 1.0)):
        logs.append([])
        found = evaluate(constant(*action), bowl(3, log=logs[-1]), 4, seed=7)
        assert found.returns == pytest.approx([-3 * np.sum((np.array(action) - bowl.goal) ** 2)] * 4)
    seeds, others = ([seed for kind, seed in log if kind == "reset"] for log in logs)
    assert seeds == others == episode_seeds(7, 4)
    assert len(set(seeds)) == 4
    assert episode_seeds(7, 10)[:4] == seeds
    assert not set(seeds) & set(episode_seeds(8, 10))


def test_evaluation_repeats_itself_and_draws_nothing_global(untouched):
    env = gymnasium.wrappers.TimeLimit(make_env(n_links=3), 40)
    policy = CircuitPolicy(SwimmerCircuit(2))
    with untouched():
        one = evaluate(policy, env, 3, seed=1)
    assert evaluate(policy, env, 3, seed=1) == one
    assert evaluate(policy, env, 3, seed=2) != one
    assert len(set(one.returns)) == 3


def test_episode_gives_the_observation_acted_on_and_its_reward(bowl):
    seen = []

    def act(observation):
        seen.append(observation)
        return observation[:2]

    steps = list(episode(act, bowl(4, varied=True), 3))
    assert len(steps) == 4
    for (observation, reward), given in zip(steps, seen):
        np.testing.assert_array_equal(observation, given)
        assert reward == pytest.approx(-np.sum((observation[:2] - bowl.goal) ** 2))


@pytest.mark.parametrize("terminates", [True, False])
def test_episodes_end_by_termination_and_by_truncation(bowl, constant, terminates):
    assert len(list(episode(make_controller(constant(0.0, 0.0)), bowl(6, terminates=terminates), 0))) == 6


def test_circuit_with_a_clock_of_its_own_swims_the_same():
    env, timeless = (gymnasium.wrappers.TimeLimit(make_env(time_feature=flag), 150) for flag in (True, False))
    policies = [CircuitPolicy(SwimmerCircuit(5), time_feature=flag) for flag in (True, False)]
    assert evaluate(policies[0], env, 2).returns == evaluate(policies[1], timeless, 2).returns


# ---- many parameter vectors


def test_evaluator_evaluates_each_vector_with_its_seed_and_leaves_the_policy(bowl, constant):
    policy, log = constant(0.25, 0.75), []
    vectors = torch.tensor([[0.5, -0.3], [0.0, 0.0], [1.0, 1.0]])
    found = Evaluator(policy, partial(bowl, 2, log=log))(vectors, [5, 5, 6])
    expected = -2 * ((vectors.double() - torch.from_numpy(bowl.goal)) ** 2).sum(1)
    assert [value for value, _ in found] == pytest.approx(expected.tolist(), abs=1e-6)
    assert [length for _, length in found] == [2, 2, 2]
    assert [seed for kind, seed in log if kind == "reset"] == [5, 5, 6]
    assert policy.action.tolist() == [0.25, 0.75]


def test_workers_are_sent_what_the_evaluator_has(bowl, monkeypatch):
    """As `test_two_workers_are_as_one` without the processes: everything goes through pickle."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    policy = MLPPolicy(3, 2, (4,))
    policy.standardize.update(torch.randn(30, 3))
    vectors = torch.randn(3, sum(p.numel() for p in policy.parameters()))
    buffers = {name: buffer.numpy() for name, buffer in policy.named_buffers()}
    here = Evaluator(policy, partial(bowl, 2))(vectors, [1, 2, 2], dict(policy.named_buffers()))
    _start_worker(*pickle.loads(pickle.dumps((policy, partial(bowl, 2)))))
    for vector, seed, expected in zip(vectors, (1, 2, 2), here):
        assert _evaluate_in_worker(pickle.loads(pickle.dumps((vector.numpy(), buffers, seed)))) == expected


def test_evaluator_uses_the_buffers_it_is_given(bowl):
    policy = MLPPolicy(3, 2, (4,))
    trained = MLPPolicy(3, 2, (4,))
    trained.standardize.update(torch.randn(30, 3))
    vector = nn.utils.parameters_to_vector(trained.parameters()).detach()
    found = Evaluator(policy, bowl)(vector[None], [0], dict(trained.named_buffers()))
    assert found[0][0] == pytest.approx(evaluate(trained, bowl(), 1).mean, abs=1e-6)


# ---- bad input


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_not_every_generator_takes(bowl, constant, seed):
    with pytest.raises(ValueError, match=f"between 0 and 4294967295, not {seed}"):
        evaluate(constant(0.0, 0.0), bowl(), 1, seed=seed)
    with pytest.raises(ValueError, match=f"between 0 and 4294967295, not {seed}"):
        next(episode(make_controller(constant(0.0, 0.0)), bowl(), seed))


def test_no_episodes(bowl, constant):
    with pytest.raises(ValueError, match="at least 1 episode, not 0"):
        evaluate(constant(0.0, 0.0), bowl(), 0)


@pytest.mark.parametrize(
    ("n_joints", "n_links"), [(3, 6), (7, 6), (13, 3)], ids=["shorter", "longer", "longer than the observation"]
)
def test_circuit_in_another_body(unchecked, n_joints, n_links):
    with pytest.raises(ValueError, match=r"the policy gives actions|the environment|numbers of an observation"):
        evaluate(circuit(n_joints=n_joints), make_env(n_links=n_links), 1)


@pytest.mark.parametrize("n_links", [5, 12])
def test_perceptron_in_another_body(unchecked, n_links):
    with pytest.raises(ValueError, match="observation"):
        evaluate(MLPPolicy(24, 5, (8,)), make_env(n_links=n_links), 1)


def test_perceptron_with_other_actions(unchecked):
    with pytest.raises(ValueError, match=r"gives actions \(4,\), but the environment takes \(5,\)"):
        evaluate(MLPPolicy(24, 4, (8,)), make_env(), 1)


class Broken(gymnasium.ObservationWrapper):
    def observation(self, observation):
        return np.where(np.arange(len(observation)) == 1, self.bad, observation).astype(np.float32)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_observations_that_are_not_finite(bad):
    env = Broken(make_env(n_links=3))
    env.bad = bad
    with pytest.raises(ValueError, match="observation at step 0 of the episode is not finite"):
        evaluate(circuit(n_joints=2), env, 1)


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers(unchecked, bowl, constant, workers):
    with pytest.raises(ValueError, match="worker"):
        Evaluator(constant(0.0, 0.0), bowl, workers)(torch.zeros(1, 2), [0])
