import copy
from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from scipy.stats import kstest, rankdata

from ncap_swimmer import CircuitPolicy, ESConfig, ESLearner, MLPPolicy, SwimmerCircuit, TrainConfig, make_env, train
from ncap_swimmer.evolution import ascent, sample


def es(**options):
    return ESConfig(**{"population": 8, "sigma": 0.1, "lr": 0.05, "weight_decay": 0.0} | options)


def vector(policy):
    return torch.nn.utils.parameters_to_vector(policy.parameters()).detach().clone()


def short_swim(steps=25, n_links=3):
    return gymnasium.wrappers.TimeLimit(make_env(n_links=n_links), steps)


def circuit(**options):
    return CircuitPolicy(SwimmerCircuit(2, **options))


def perceptron():
    return MLPPolicy(12, 2, (6,), generator=torch.Generator().manual_seed(3))


def same_state(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        if isinstance(value, dict):
            same_state(value, other[key])
        elif isinstance(value, torch.Tensor):
            assert torch.equal(value, other[key]), key
        elif isinstance(value, list):
            assert str(value) == str(other[key])
        else:
            assert value == other[key]


# ---- the formula


def explicit(center, sigma, samples, returns):
    """1 / (n sigma) sum u_i eps_i with u the ranks, scaled to -1/2 ... 1/2; each entry within -1 and 1."""
    n = len(returns)
    u = (rankdata(returns) - 1) / (n - 1) - 0.5
    total = sum(u_i * (sample - center) for u_i, sample in zip(u, samples.double().numpy()))
    return np.clip(total / (n * sigma), -1, 1)


@pytest.mark.parametrize(("population", "sigma"), [(2, 0.02), (8, 0.02), (32, 0.5)])
@pytest.mark.parametrize("seed", range(3))
def test_ascent_is_the_explicit_sum(population, sigma, seed):
    generator = torch.Generator().manual_seed(seed)
    center = torch.randn(5, generator=generator)
    samples = sample(center, sigma, population, generator)
    returns = torch.randn(population, generator=generator)
    found = ascent(center, sigma, samples, returns)
    np.testing.assert_allclose(found, explicit(center.numpy(), sigma, samples, returns), atol=2e-5)
    torch.testing.assert_close(ascent(center, sigma, samples, 50 * returns + 7), found)


def test_ascent_is_clipped_entry_by_entry():
    center, sigma = torch.zeros(3), 0.1
    # With two, g = eps / (2 sigma): 3, -0.5 and -4 before the clip.
    eps = 2 * sigma * torch.tensor([3.0, -0.5, -4.0])
    found = ascent(center, sigma, torch.stack((eps, -eps)), torch.tensor([9.0, 1.0]))
    torch.testing.assert_close(found, torch.tensor([1.0, -0.5, -1.0]))


@pytest.mark.parametrize("sigma", [0.02, 0.7])
def test_samples_are_antithetic_pairs_of_normal_draws(sigma):
    center = torch.tensor([1.0, -2.0, 0.5])
    drawn = sample(center, sigma, 1000, torch.Generator().manual_seed(0)) - center
    torch.testing.assert_close(drawn[::2], -drawn[1::2], atol=1e-6, rtol=0)
    assert kstest(drawn[::2].ravel().numpy(), "norm", (0, sigma)).pvalue > 1e-3
    assert np.abs(np.corrcoef(drawn[::2].T)[np.triu_indices(3, 1)]).max() < 0.15


def generations(log, population):
    """(seeds, actions) of each generation, one step an episode."""
    seeds = [value for kind, value in log if kind == "reset"]
    actions = [value for kind, value in log if kind == "step"]
    for first in range(0, len(seeds), population):
        yield seeds[first : first + population], np.array(actions[first : first + population])


def test_generations_follow_the_published_algorithm(bowl, constant):
    """From what the environment saw: perturbations, pairs and seeds; and what Adam must make of it."""
    policy, log, options = constant(0.1, 0.2), [], es(weight_decay=0.3)
    learner = ESLearner(policy, partial(bowl, log=log), options, 5)
    centers, means = [vector(policy).numpy()], []
    for _ in range(4):
        means.append(learner.advance())
        centers.append(vector(policy).numpy())
    assert learner.steps == 4 * 8

    first, second, seen = np.zeros(2), np.zeros(2), set()
    for k, (seeds, actions) in enumerate(generations(log, 8)):
        assert seeds[::2] == seeds[1::2]
        assert len(set(seeds)) == 4
        assert not seen & set(seeds)
        seen |= set(seeds)
        np.testing.assert_allclose(actions[::2] + actions[1::2], np.tile(2 * centers[k], (4, 1)), atol=1e-6)
        returns = -np.sum((actions - bowl.goal) ** 2, 1)
        assert means[k] == pytest.approx(returns.mean(), abs=1e-6)
        gradient = 0.3 * centers[k] - explicit(centers[k], 0.1, torch.from_numpy(actions), returns)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        step = first / (1 - 0.9 ** (k + 1)) / (np.sqrt(second / (1 - 0.999 ** (k + 1))) + 1e-8)
        np.testing.assert_allclose(centers[k + 1], centers[k] - 0.05 * step, atol=2e-5)


# ---- learning


def test_reaches_the_optimum_of_a_quadratic(bowl, constant):
    policy = constant(-0.2, 0.4)
    result = train(policy, bowl, TrainConfig(480, 200, 1), es(population=12, lr=0.1))
    np.testing.assert_allclose(policy.action.detach(), bowl.goal, atol=0.05)
    assert result.policy is policy
    assert result.history[-1].test_return > -0.005
    assert result.history[-1].steps == 480


def test_weight_decay_pulls_to_zero_when_nothing_else_does(bowl, constant):
    policy = constant(0.4, -0.4)
    learner = ESLearner(policy, bowl, es(population=2, weight_decay=50.0, lr=0.02))
    for _ in range(30):
        learner.advance()
    assert policy.action.detach().abs().max() < 0.1


def test_same_seed_same_weights_whatever_the_global_generator(bowl):
    policies = []
    for seed, outside in ((1, 0), (1, 99), (2, 0)):
        torch.manual_seed(outside)
        policies.append(circuit(init="uniform", generator=torch.Generator().manual_seed(8)))
        train(policies[-1], short_swim, TrainConfig(300, 300, 1), es(population=4), seed=seed)
    one, again, other = map(vector, policies)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("make", [circuit, perceptron])
def test_learning_draws_nothing_global(make, untouched):
    policy = make()
    with untouched():
        train(policy, short_swim, TrainConfig(100, 100, 1), es(population=2))


@pytest.mark.parametrize("make", [circuit, partial(circuit, share=False), perceptron])
def test_saved_learner_goes_on_bit_for_bit(make, through_file):
    options = es(population=4, weight_decay=0.01)
    whole = ESLearner(make(), short_swim, options, 3)
    for _ in range(2):
        whole.advance()
    saved = through_file(whole.state())
    means = [whole.advance() for _ in range(3)]
    other = ESLearner(make(), short_swim, options, 3)
    other.advance()
    other.restore(saved)
    assert other.steps == saved["steps"]
    assert [other.advance() for _ in range(3)] == means
    same_state(other.state(), whole.state())
    for one, two in zip(whole.policy.state_dict().values(), other.policy.state_dict().values()):
        assert torch.equal(one, two)


def test_state_is_a_snapshot(bowl, constant):
    learner = ESLearner(constant(0.0, 0.0), bowl, es())
    learner.advance()
    saved = learner.state()
    kept = copy.deepcopy(saved)
    learner.advance()
    same_state(saved, kept)
    after = vector(learner.policy)
    learner.restore(saved)
    learner.advance()
    assert torch.equal(vector(learner.policy), after)


def test_restored_policy_is_the_center(bowl, constant):
    learner = ESLearner(constant(0.3, 0.1), bowl, es())
    saved = copy.deepcopy(learner.state())
    learner.advance()
    learner.restore(saved)
    torch.testing.assert_close(vector(learner.policy), torch.tensor([0.3, 0.1]))


@pytest.mark.parametrize("signed", [True, False])
def test_weights_of_the_wrong_sign_are_brought_back_after_each_generation(signed):
    policy = circuit(signed=signed)
    for weight in policy.circuit.weight.values():
        weight.data.mul_(-0.5)
    learner = ESLearner(policy, short_swim, es(population=2))
    learner.advance()
    # Adam moves each weight by 0.05, which does not bring it to its own side.
    found = {name: abs(weight.item()) for name, weight in policy.circuit.weight.items()}
    assert all(size == 0 if signed else 0.4 < size < 0.6 for size in found.values())
    torch.testing.assert_close(learner.state()["center"], vector(policy))


def test_standardization_has_seen_one_episode_a_generation_of_the_center():
    policy = perceptron()
    learner = ESLearner(policy, short_swim, es(population=4))
    learner.advance()
    assert policy.standardize.running_count == 25
    assert learner.steps == 25 * 5
    learner.advance()
    assert policy.standardize.running_count == 50
    # Joints, time: what 25 steps of a thousand must have.
    assert policy.standardize.running_mean[-1].item() == pytest.approx(2 * 12 / 1000 - 1, abs=1e-4)
    assert policy.standardize.running_var[-1].item() == pytest.approx(np.var(2 * np.arange(25) / 1000), rel=1e-2)


def test_frozen_parameters_stay(bowl, constant):
    policy = torch.nn.Sequential(constant(0.0, 0.0), torch.nn.Linear(2, 2))
    policy[1].requires_grad_(requires_grad=False)
    frozen = policy[1].weight.clone()
    ESLearner(policy, bowl, es()).advance()
    assert torch.equal(policy[1].weight, frozen)


@pytest.mark.slow
def test_two_workers_are_as_one():
    means, weights = [], []
    for workers in (1, 2):
        policy = perceptron()
        learner = ESLearner(policy, partial(make_env, n_links=3), es(population=4), 0, workers)
        means.append([learner.advance() for _ in range(2)])
        weights.append(vector(policy))
        learner.close()
    assert means[0] == means[1]
    assert torch.equal(*weights)


# ---- bad input


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"population": 7}, "population must be even"),
        ({"population": 0}, "population must be even"),
        ({"sigma": 0.0}, "must be positive"),
        ({"sigma": -0.1}, "must be positive"),
        ({"lr": 0.0}, "must be positive"),
        ({"weight_decay": -1.0}, "not negative"),
        ({"sigma": float("nan")}, "positive"),
        ({"lr": float("inf")}, "finite"),
    ],
)
def test_bad_es(options, remedy):
    with pytest.raises(ValueError, match=remedy):
        ESConfig(**options)


def test_policy_for_another_body_says_so_before_learning(unchecked):
    with pytest.raises(ValueError, match="actions"):
        train(circuit(), partial(short_swim, n_links=4), TrainConfig(100), es(population=2))
