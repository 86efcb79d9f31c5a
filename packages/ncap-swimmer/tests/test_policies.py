import copy

import numpy as np
import pytest
import torch
from torch import nn

from ncap_swimmer import (
    CircuitPolicy,
    FixedSteering,
    LearnedSteering,
    MLPPolicy,
    RandomTorques,
    Standardize,
    SwimmerCircuit,
    count_parameters,
    make_circuit_policy,
    make_controller,
    make_env,
)
from ncap_swimmer.policies import ShuffledCircuit
from ncap_swimmer.tasks import observation_size


def observations(n, features, seed=0):
    return 2 * torch.rand(n, features, generator=torch.Generator().manual_seed(seed)) - 1


# ---- the circuit


def test_circuit_policy_normalizes_joints_and_reads_the_clock_at_the_end():
    policy = CircuitPolicy(SwimmerCircuit(5))
    # The joint limit of 6 links is 60 degrees.
    seen = torch.zeros(24)
    seen[:5] = torch.tensor([30.0, -15, 90, 0, 1]).deg2rad()
    for step, head in ((0, 1), (29, 1), (30, -1), (990, -1), (1000, -1)):
        seen[-1] = 2 * step / 1000 - 1
        torch.testing.assert_close(policy(seen), torch.tensor([head, 0.5, -0.25, 1, 0]))


@pytest.mark.parametrize("episode_steps", [100, 500, 2000])
def test_time_feature_of_other_episodes(episode_steps):
    policy = CircuitPolicy(SwimmerCircuit(2), episode_steps=episode_steps)
    t = torch.arange(episode_steps + 1)
    seen = torch.zeros(len(t), 3)
    seen[:, -1] = 2 * t / episode_steps - 1
    torch.testing.assert_close(policy(seen)[:, 0], torch.where(t % 60 < 30, 1.0, -1.0))


def test_circuit_policy_steers_by_the_target_after_the_joints():
    policy = CircuitPolicy(SwimmerCircuit(3, turn=True, speed=True, oscillator=False))
    seen = torch.zeros(4, 18)
    seen[:, 3:5] = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [0.0, -1.0], [-1.0, 0.0]])
    assert policy(seen)[:, 0].tolist() == [1, -1, 0, 0]


def test_circuit_policy_without_time_feature_has_a_clock_of_its_own():
    policy = CircuitPolicy(SwimmerCircuit(3, 4), time_feature=False)
    seen = torch.zeros(15)
    assert [policy(seen)[0].item() for _ in range(3)] == [1, 1, -1]
    policy.reset()
    assert policy(seen)[0] == 1


def test_circuit_policy_projects_its_circuit():
    policy = CircuitPolicy(SwimmerCircuit(3))
    policy.circuit.weight["contra"].data.fill_(0.5)
    policy.project_()
    assert policy.circuit.weight["contra"] == 0


@pytest.mark.parametrize("task", ["swim", "navigate"])
@pytest.mark.parametrize("time_feature", [True, False])
def test_circuit_for_an_environment(task, time_feature):
    env = make_env(task, 4, time_feature=time_feature)
    policy = make_circuit_policy(env)
    assert count_parameters(policy) == (4 if task == "swim" else 6)
    assert policy(torch.from_numpy(env.reset(seed=0)[0])).shape == (3,)
    circuit = SwimmerCircuit(3, 40)
    assert make_circuit_policy(env, circuit).circuit is circuit


@pytest.mark.parametrize("steering", [FixedSteering, LearnedSteering])
def test_policy_for_another_body_is_a_copy(steering):
    policy = CircuitPolicy(SwimmerCircuit(5, turn=True, speed=True), steering(), episode_steps=700)
    other = policy.for_body(8)
    assert (other.circuit.n_joints, other.episode_steps, other.time_feature) == (8, 700, True)
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    assert all(torch.equal(value, before[name]) for name, value in policy.state_dict().items())


def test_a_shuffled_circuit_senses_other_joints():
    circuit = SwimmerCircuit(4)
    seen = torch.zeros(20)
    seen[:4] = torch.tensor([0.1, -0.2, 0.3, 0.4]) * torch.pi / 2  # shares of the limit of 4 joints, pi / 2.5
    seen[-1] = -1
    sensed = 1.25 * torch.tensor([0.1, -0.2, 0.3])
    torch.testing.assert_close(CircuitPolicy(circuit)(seen), torch.cat((torch.ones(1), sensed)))
    policy = ShuffledCircuit(circuit, (2, 0, 1))
    expected = torch.cat((torch.ones(1), sensed[[2, 0, 1]]))
    torch.testing.assert_close(policy(seen), expected)
    torch.testing.assert_close(policy.activity(seen).torques, expected)
    torch.testing.assert_close(torch.from_numpy(make_controller(policy)(seen.numpy())), expected)
    with pytest.raises(ValueError, match="one sensor fewer, not 4"):
        ShuffledCircuit(circuit, (2, 0, 1, 3))


def test_circuit_for_another_task_or_body(unchecked):
    with pytest.raises(ValueError, match=r"circuit\.for_body\(5\)"):
        make_circuit_policy(make_env(), SwimmerCircuit(6))
    with pytest.raises(ValueError, match="at least 6 numbers"):
        CircuitPolicy(SwimmerCircuit(5))(torch.zeros(5))
    with pytest.raises(ValueError, match="at least 8 numbers"):
        CircuitPolicy(SwimmerCircuit(5, turn=True))(torch.zeros(7))


def test_a_circuit_that_steers_is_not_given_velocities_for_a_target(unchecked):
    with pytest.raises(ValueError, match="navigate"):
        make_circuit_policy(make_env("swim"), SwimmerCircuit(5, turn=True, speed=True))


# ---- perceptrons


@pytest.mark.parametrize(
    ("sizes", "count"),
    [((24, 5, (256, 256)), 73_477), ((24, 5, (64, 64)), 6_085), ((24, 5, ()), 125), ((9, 2, (3,)), 38)],
)
def test_parameters_of_perceptrons(sizes, count):
    assert count_parameters(MLPPolicy(*sizes)) == count


def test_frozen_parameters_do_not_count():
    policy = MLPPolicy(3, 2, (4,))
    policy.layers[0].requires_grad_(requires_grad=False)
    assert count_parameters(policy) == 10


@pytest.mark.parametrize(("activation", "module"), [("tanh", nn.Tanh), ("relu", nn.ReLU)])
def test_perceptron_equals_a_sequence_of_torchs_layers(activation, module):
    policy = MLPPolicy(7, 3, (8, 6), activation)
    policy.standardize.update(3 * observations(50, 7) + 1)
    plain = nn.Sequential(nn.Linear(7, 8), module(), nn.Linear(8, 6), module(), nn.Linear(6, 3), nn.Tanh())
    for mine, theirs in zip(policy.parameters(), plain.parameters()):
        theirs.data.copy_(mine)
    seen = observations(20, 7, seed=1)
    sample = 3 * observations(50, 7) + 1
    scaled = (seen - sample.mean(0)) / sample.std(0, correction=0)
    torch.testing.assert_close(policy(seen), plain(scaled))
    torch.testing.assert_close(policy(seen.view(4, 5, 7)), plain(scaled).view(4, 5, 3))


def test_initial_perceptrons_are_uniform_by_fan_in_and_come_from_the_generator():
    policy = MLPPolicy(100, 5, (256,), generator=torch.Generator().manual_seed(1))
    for layer, limit in ((policy.layers[0], 0.1), (policy.layers[1], 1 / 16)):
        for parameter in layer.parameters():
            assert parameter.abs().max() <= limit
        assert layer.weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.05)
    torch.manual_seed(5)
    again = MLPPolicy(100, 5, (256,), generator=torch.Generator().manual_seed(1))
    assert all(torch.equal(a, b) for a, b in zip(policy.parameters(), again.parameters()))


# ---- standardization


@pytest.mark.parametrize("offset", [0.0, 1.0, -30.0])
def test_standardize_knows_mean_and_variance_of_all_it_has_seen(offset):
    rng = np.random.default_rng(0)
    pieces = [rng.normal(offset, 2, (n, 4)) for n in (1, 7, 1, 300, 64)]
    standardize = Standardize(4).double()
    for piece in pieces:
        standardize.update(torch.from_numpy(piece))
    seen = np.concatenate(pieces)
    np.testing.assert_allclose(standardize.running_mean, seen.mean(0), rtol=1e-12)
    np.testing.assert_allclose(standardize.running_var, seen.var(0), rtol=1e-12)
    assert standardize.running_count == len(seen)
    x = rng.normal(size=(3, 5, 4))
    expected = (x - seen.mean(0)) / seen.std(0)
    np.testing.assert_allclose(standardize(torch.from_numpy(x)), expected, rtol=1e-10)


def test_standardize_in_single_precision_keeps_counting():
    standardize = Standardize(1)
    piece = torch.linspace(-1, 3, 1000)[:, None]
    for _ in range(500):
        standardize.update(piece)
    assert standardize.running_mean.item() == pytest.approx(1, abs=1e-4)
    assert standardize.running_var.item() == pytest.approx(np.var(np.linspace(-1, 3, 1000)), rel=1e-4)


def test_standardize_leaves_a_fresh_input_and_floors_a_constant_one():
    standardize = Standardize(2)
    x = torch.tensor([[0.5, -2.0]])
    assert torch.equal(standardize(x), x)
    standardize.update(x.expand(10, 2))
    assert torch.isfinite(standardize(x)).all()
    torch.testing.assert_close(standardize(x + 0.03), torch.full((1, 2), 3.0), rtol=1e-4, atol=0)
    assert not list(standardize.parameters())
    assert set(standardize.state_dict()) == {"running_mean", "running_var", "running_count"}


def test_standardize_is_not_spoilt_by_nothing():
    standardize = Standardize(2)
    standardize.update(torch.zeros(0, 2))
    assert torch.isfinite(standardize(torch.ones(1, 2))).all()


# ---- random torques


def test_random_torques_are_uniform_and_blind():
    policy = RandomTorques(5, torch.Generator().manual_seed(0))
    drawn = policy(torch.zeros(1000, 9))
    assert drawn.shape == (1000, 5)
    assert -1 <= drawn.min() < -0.99 < 0.99 < drawn.max() <= 1
    assert drawn.var().item() == pytest.approx(1 / 3, rel=0.05)
    assert copy.deepcopy(RandomTorques(2)).forward(torch.zeros(9)).shape == (2,)


# ---- sizes


@pytest.mark.parametrize("task", ["swim", "navigate"])
@pytest.mark.parametrize("time_feature", [True, False])
def test_observation_size_is_the_environments(task, time_feature):
    for n_links in (3, 6):
        env = make_env(task, n_links, time_feature=time_feature)
        assert env.observation_space.shape == (observation_size(n_links, task, time_feature=time_feature),)
    assert observation_size(6) == 24


@pytest.mark.parametrize(
    ("sizes", "remedy"),
    [
        ((0, 5), "at least one unit"),
        ((24, 0), "at least one unit"),
        ((24, 5, (64, 0)), "at least one unit"),
        ((24, 5, (64,), "gelu"), "'tanh' or 'relu'"),
    ],
)
def test_bad_perceptrons(unchecked, sizes, remedy):
    with pytest.raises(ValueError, match=remedy):
        MLPPolicy(*sizes)
