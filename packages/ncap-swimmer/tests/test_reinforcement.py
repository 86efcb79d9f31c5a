import copy
import math
from functools import partial

import numpy as np
import pytest
import torch

from ncap_swimmer import (
    CircuitPolicy,
    DDPGConfig,
    MLPPolicy,
    PPOConfig,
    SwimmerCircuit,
    TrainConfig,
    make_env,
    train,
)
from ncap_swimmer.reinforcement import make_ddpg_learner, make_ppo_learner

pytestmark = pytest.mark.usefixtures("small_critics")
swim = partial(make_env, n_links=3)


def ppo(**options):
    return PPOConfig(**{"segment": 32, "n_envs": 2, "epochs": 2, "batch_size": 16, "target_kl": math.inf} | options)


def ddpg(**options):
    return DDPGConfig(**{"buffer_size": 500, "warmup": 14, "every": 1, "batch_size": 8} | options)


LEARNERS = {"ppo": (make_ppo_learner, ppo), "ddpg": (make_ddpg_learner, ddpg)}


def circuit():
    return CircuitPolicy(SwimmerCircuit(2))


def perceptron():
    return MLPPolicy(12, 2, (6,), generator=torch.Generator().manual_seed(3))


def advance(learner, steps=32):
    """Piece by piece, whatever their size."""
    returns, until = [], learner.steps + steps
    while learner.steps < until:
        returns.append(learner.advance())
    return returns


def vector(module):
    return torch.nn.utils.parameters_to_vector(module.parameters()).detach().clone()


def same_parameters(one, other):
    """Of policies, critics, targets, and all statistics."""
    one, other = (learner.algorithm.policy.state_dict() for learner in (one, other))
    return one.keys() == other.keys() and all(torch.equal(value, other[key]) for key, value in one.items())


# ---- learning


def test_ppo_reaches_the_optimum_of_a_one_step_quadratic(bowl, constant):
    policy = constant(-0.2, 0.4)
    config = ppo(segment=128, n_envs=4, epochs=4, batch_size=64, lr=0.04, critic_lr=0.02)
    result = train(policy, bowl, TrainConfig(1100, 1100, 1), config)
    np.testing.assert_allclose(policy.action.detach(), bowl.goal, atol=0.1)
    assert result.policy is policy
    assert result.history[0].test_return == pytest.approx(-(0.7**2) - 0.7**2, abs=1e-5)
    assert result.history[-1].test_return > -0.02


def test_ddpg_reaches_the_optimum_of_a_quadratic(bowl, constant):
    policy = constant(-0.2, 0.4)
    config = ddpg(warmup=100, every=10, batch_size=64, lr=1e-2, critic_lr=5e-3, buffer_size=2000)
    train(policy, bowl, TrainConfig(400, 1000, 1), config)
    np.testing.assert_allclose(policy.action.detach(), bowl.goal, atol=0.1)


@pytest.mark.parametrize("length", [1, 4])
def test_piece_reports_the_mean_return_of_the_episodes_that_ended(bowl, constant, length):
    config = ppo(lr=0.0, std=1e-4)
    learner = make_ppo_learner(constant(0.5, 0.7), partial(bowl, length), config)
    assert learner.advance() == pytest.approx(-length, abs=0.01)
    assert learner.steps == 32
    assert math.isnan(make_ppo_learner(constant(0.5, 0.7), partial(bowl, 100), config).advance())


def test_episodes_that_span_pieces_are_counted_whole(bowl, constant):
    learner = make_ppo_learner(constant(0.5, 0.7), partial(bowl, 24), ppo(lr=0.0, std=1e-4))
    assert math.isnan(learner.advance())
    assert learner.advance() == pytest.approx(-24, abs=0.1)


# ---- PPO's parts


@pytest.mark.parametrize("terminates", [True, False], ids=["termination", "time limit"])
def test_advantages_are_the_explicit_sum_over_a_five_step_episode(bowl, constant, terminates):
    gamma, lam = 0.9, 0.8
    config = ppo(segment=5, n_envs=1, batch_size=5, gamma=gamma, gae_lambda=lam)
    # After a time limit the last state's value counts; observations are then all the same, so that it is known.
    env = partial(bowl, 5, terminates=terminates, varied=terminates)
    learner = make_ppo_learner(constant(0.0, 0.0), env, config)
    learner.advance()
    buffer = learner.algorithm.rollout_buffer
    rewards = -np.sum((np.clip(buffer.actions.reshape(5, 2), -1, 1) - bowl.goal) ** 2, 1)
    values = np.append(buffer.values.ravel(), 0.0 if terminates else buffer.values.ravel()[0])
    deltas = rewards + gamma * values[1:] - values[:-1]
    expected = [sum((gamma * lam) ** (k - t) * deltas[k] for k in range(t, 5)) for t in range(5)]
    np.testing.assert_allclose(buffer.advantages.ravel(), expected, atol=1e-5)
    np.testing.assert_allclose(buffer.returns.ravel(), expected + values[:5], atol=1e-5)


def test_circuits_explore_with_a_fixed_spread_and_perceptrons_learn_theirs():
    for make, std, is_fixed in ((circuit, 0.1, True), (perceptron, 0.5, False)):
        learner = make_ppo_learner(make(), swim, ppo(lr=0.01))
        log_std = learner.algorithm.policy.log_std
        torch.testing.assert_close(log_std.detach().exp(), torch.full((2,), std))
        learner.advance()
        assert torch.allclose(log_std.detach().exp(), torch.full((2,), std)) == is_fixed
    wide = make_ppo_learner(circuit(), swim, ppo(std=0.3)).algorithm.policy.log_std
    torch.testing.assert_close(wide.detach().exp(), torch.full((2,), 0.3))


def test_segment_ends_early_when_the_policy_has_moved_far():
    moved = []
    for target in (math.inf, 0.015, 1e-9):
        policy = perceptron()
        before = vector(policy)
        learner = make_ppo_learner(policy, swim, ppo(epochs=20, target_kl=target, lr=0.002))
        learner.advance()
        moved.append((vector(policy) - before).abs().max().item())
    assert moved[0] > moved[1] > moved[2] > 0


# ---- both


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("still", ["lr", "critic_lr"])
def test_actor_and_critic_have_learning_rates_of_their_own(name, still):
    make, config = LEARNERS[name]
    policy = perceptron()
    learner = make(policy, swim, config(**{still: 0.0}))
    parts = learner.algorithm.policy
    critic = parts.critic if name == "ddpg" else parts.mlp_extractor.critic
    before = vector(policy), vector(critic)
    advance(learner)
    assert torch.equal(vector(policy), before[0]) == (still == "lr")
    assert torch.equal(vector(critic), before[1]) == (still == "critic_lr")


@pytest.mark.parametrize("name", LEARNERS)
def test_weights_of_the_wrong_sign_are_brought_back(name):
    make, config = LEARNERS[name]
    policy = circuit()
    for weight in policy.circuit.weight.values():
        weight.data.mul_(-0.5)
    advance(make(policy, swim, config()))
    for kind, weight in policy.circuit.weight.items():
        assert weight.item() == policy.circuit.weights()[kind]


@pytest.mark.parametrize("name", LEARNERS)
def test_standardization_knows_all_observations_of_a_piece(name, bowl):
    make, config = LEARNERS[name]
    policy = MLPPolicy(3, 2, (4,))
    learner = make(policy, partial(bowl, 7, varied=True), config())
    advance(learner, 96)
    modules = [m for m in learner.algorithm.policy.modules() if hasattr(m, "running_mean")]
    assert len(modules) == (2 if name == "ppo" else 4)
    for module in modules:
        assert module.running_count == learner.steps
        np.testing.assert_allclose(module.running_mean, 0, atol=0.2)
        np.testing.assert_allclose(module.running_var, 1 / 3, atol=0.1)
        assert torch.equal(module.running_mean, policy.standardize.running_mean)


@pytest.mark.parametrize("name", LEARNERS)
def test_same_seed_same_weights_whatever_the_global_generators(name):
    make, config = LEARNERS[name]
    found = []
    for seed, outside in ((1, 0), (1, 99), (2, 0)):
        torch.manual_seed(outside)
        np.random.seed(outside)  # noqa: NPY002
        learner = make(perceptron(), swim, config(), seed)
        advance(learner)
        found.append(learner)
    assert same_parameters(found[0], found[1])
    assert not torch.equal(vector(found[0].policy), vector(found[2].policy))


@pytest.mark.parametrize("name", LEARNERS)
def test_learning_draws_nothing_global(name, untouched):
    make, config = LEARNERS[name]
    policy = perceptron()
    with untouched():
        learner = make(policy, swim, config())
    with untouched():
        advance(learner)


@pytest.mark.parametrize("make_policy", [circuit, perceptron])
@pytest.mark.parametrize("name", LEARNERS)
def test_saved_learner_goes_on_bit_for_bit(name, make_policy, through_file):
    make, config = LEARNERS[name]
    whole = make(make_policy(), swim, config(), 3)
    advance(whole)
    saved = through_file(whole.state())
    torch.manual_seed(77)
    other = make(make_policy(), swim, config(), 3)
    other.restore(saved)
    assert other.steps == whole.steps
    for learner in (whole, other):
        advance(learner)
    assert same_parameters(whole, other)
    assert other.steps == whole.steps
    assert torch.equal(vector(whole.policy), vector(other.policy))


@pytest.mark.parametrize("name", LEARNERS)
def test_saved_learner_goes_on_across_the_end_of_an_episode(name, through_file, monkeypatch):
    monkeypatch.setattr("ncap_swimmer.environments.EPISODE_STEPS", 25)
    make, config = LEARNERS[name]
    whole, other = (make(circuit(), partial(make_env, "navigate", 3), config()) for _ in range(2))
    advance(whole)
    other.restore(through_file(whole.state()))
    returns = [advance(learner) for learner in (whole, other)]
    np.testing.assert_array_equal(*returns)
    assert np.isfinite(returns[0]).any()
    assert same_parameters(whole, other)


@pytest.mark.parametrize("name", LEARNERS)
def test_state_is_a_snapshot(name):
    make, config = LEARNERS[name]
    learner = make(perceptron(), swim, config())
    advance(learner)
    saved = learner.state()
    kept = copy.deepcopy(saved)
    advance(learner)
    torch.testing.assert_close(saved["parameters"]["policy"], kept["parameters"]["policy"], rtol=0, atol=0)
    after = vector(learner.policy)
    learner.restore(saved)
    advance(learner)
    assert torch.equal(vector(learner.policy), after)


@pytest.mark.parametrize("name", LEARNERS)
def test_environments_without_a_state_begin_anew(name, bowl, constant, through_file):
    make, config = LEARNERS[name]
    learner = make(constant(0.0, 0.0), partial(bowl, 5), config())
    advance(learner)
    saved = through_file(learner.state())
    other = make(constant(0.0, 0.0), partial(bowl, 5), config())
    other.restore(saved)
    advance(other)
    assert other.steps == 2 * learner.steps


@pytest.mark.parametrize("n_envs", [0, 3, 32])
def test_segments_that_do_not_fit_the_environments(n_envs):
    with pytest.raises(ValueError, match="shared evenly by the environments"):
        PPOConfig(segment=32, n_envs=n_envs)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (PPOConfig, {"lr": -1.0}),
        (PPOConfig, {"std": 0.0}),
        (PPOConfig, {"batch_size": 1}),
        (DDPGConfig, {"every": 0}),
        (DDPGConfig, {"noise": -0.1}),
    ],
)
def test_settings_out_of_range(kind, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        kind(**options)
