"""The numpy code that rollouts call, against the torch policies that it stands for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ncap_swimmer import (
    CircuitPolicy,
    FixedSteering,
    LearnedSteering,
    MLPPolicy,
    RandomTorques,
    SwimmerCircuit,
    make_controller,
)

OPTIONS = ("share", "signed", "turn", "speed", "proprioception", "oscillator")


@torch.no_grad()
def shaken(policy, scale=1.2):
    for parameter in policy.parameters():
        parameter.copy_(scale * torch.randn(parameter.shape))
    return policy


def assert_same(policy, seen, atol=1e-6):
    """One call after the other, as in an episode."""
    act = make_controller(policy)
    found = np.stack([act(each) for each in seen])
    if hasattr(policy, "reset"):
        policy.reset()
    with torch.no_grad():
        expected = np.stack([policy(torch.from_numpy(each)).numpy() for each in seen])
    np.testing.assert_allclose(found, expected, atol=atol, rtol=0)


def circuit_observations(n, n_joints, time_feature):
    rng = np.random.default_rng(0)
    seen = rng.uniform(-1.3, 1.3, (n, n_joints + 2 + 3 * (n_joints + 1) + int(time_feature)))
    if time_feature:
        seen[:, -1] = 2 * rng.permutation(1000)[:n] / 1000 - 1
    return seen.astype(np.float32)


@settings(max_examples=settings().max_examples * 3 // 5)
@given(
    st.fixed_dictionaries({name: st.booleans() for name in OPTIONS}),
    st.integers(2, 7),
    st.integers(1, 40),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_circuits(options, n_joints, half, time_feature, learned, data):
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    circuit = SwimmerCircuit(n_joints, 2 * half, n_turn_joints=data.draw(st.integers(1, n_joints)), **options)
    steering = LearnedSteering() if learned else FixedSteering()
    policy = shaken(CircuitPolicy(circuit, steering, time_feature=time_feature))
    assert_same(policy, circuit_observations(12, n_joints, time_feature))


def test_a_whole_episode_of_time_features():
    policy = CircuitPolicy(SwimmerCircuit(3, 62))
    seen = np.zeros((1001, 16), np.float32)
    seen[:, -1] = 2 * np.arange(1001) / 1000 - 1
    assert_same(policy, seen)


@pytest.mark.parametrize("hidden", [(), (1,), (16,), (64, 64), (8, 4, 8)])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("standardized", [True, False])
def test_perceptrons(hidden, activation, standardized):
    policy = MLPPolicy(24, 5, hidden, activation)
    spread = torch.linspace(0.01, 4, 24)
    if standardized:
        policy.standardize.update(torch.randn(40, 24) * spread + 0.5 * spread)
    assert_same(policy, (torch.randn(30, 24) * spread).numpy())


def test_large_perceptron_with_a_constant_input_far_from_zero():
    policy = MLPPolicy(6, 2, (256, 256))
    mean = torch.tensor([0.0, 2.0, -2.0, 1.0, 0.0, 0.5])
    policy.standardize.update(mean + torch.tensor([1.0, 0.0, 0.0, 0.001, 1.0, 0.1]) * torch.randn(100, 6))
    assert_same(policy, (mean + 0.05 * torch.randn(40, 6)).numpy(), atol=1e-5)


def test_a_layer_that_was_replaced_acts_as_it_is_written():
    policy = MLPPolicy(4, 2, (3,), generator=torch.Generator().manual_seed(0))
    policy.layers[1] = nn.Sequential(policy.layers[1], nn.Dropout(0.5), nn.ELU())
    observation = np.linspace(-1, 1, 4)
    expected = policy.eval()(torch.tensor(observation).float()[None])[0]
    np.testing.assert_allclose(make_controller(policy)(observation), expected.detach().numpy(), atol=1e-6)


def test_weights_are_those_at_the_time_of_the_call():
    for policy, seen in ((CircuitPolicy(SwimmerCircuit(3)), 16), (MLPPolicy(16, 3, (4,)), 16)):
        act, given = make_controller(policy), 0.3 * np.ones(seen, np.float32)
        before = act(given)
        shaken(policy)
        np.testing.assert_array_equal(act(given), before)
        assert (make_controller(policy)(given) != before).any()


def test_controllers_keep_no_output_and_change_no_input():
    for policy in (CircuitPolicy(SwimmerCircuit(3, init="uniform")), MLPPolicy(16, 3, (4,)), MLPPolicy(16, 3, ())):
        act = make_controller(policy)
        seen = np.random.default_rng(0).uniform(-1, 1, (2, 16)).astype(np.float32)
        kept, first = seen.copy(), act(seen[0])
        copy_of_first = first.copy()
        act(seen[1])
        np.testing.assert_array_equal(first, copy_of_first)
        np.testing.assert_array_equal(seen, kept)


def test_a_joint_that_is_not_a_number_is_not_hidden():
    seen = np.zeros(20, np.float32)
    seen[1] = np.nan
    assert np.isnan(make_controller(CircuitPolicy(SwimmerCircuit(4)))(seen)).tolist() == [False, False, True, False]


class Doubling(nn.Module):
    """No module of this package; counts its episodes."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.gain, self.episodes = nn.Parameter(torch.tensor([2.0, -2.0], dtype=dtype)), 0

    def reset(self):
        self.episodes += 1

    def forward(self, observation):
        return observation[..., :2] * self.gain


def test_other_modules_are_called_and_told_when_an_episode_begins():
    policy = Doubling()
    act = make_controller(policy)
    found = act(np.array([0.5, 0.25, 9], np.float32))
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [1.0, -0.5]
    assert policy.episodes == 1
    make_controller(policy)
    assert policy.episodes == 2


def test_other_modules_without_parameters_are_called():
    assert make_controller(RandomTorques(3))(np.zeros(9, np.float32)).shape == (3,)


def test_other_modules_in_double_precision_are_called():
    layer = nn.Linear(3, 2).double()
    found = make_controller(layer)(np.ones(3, np.float32))
    np.testing.assert_allclose(found, layer(torch.ones(3, dtype=torch.float64)).detach().numpy(), rtol=1e-6)


class Backwards(SwimmerCircuit):
    """What a user changes to try an idea."""

    def forward(self, joints, t=None, **options):
        return -super().forward(joints, t, **options)


class Weak(MLPPolicy):
    def forward(self, observation):
        return 0.1 * super().forward(observation)


class Straight(FixedSteering):
    def forward(self, to_target):
        return type(super().forward(to_target))(*(0 * each for each in super().forward(to_target)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: CircuitPolicy(Backwards(3)),
        lambda: Weak(18, 3, (4,)),
        lambda: CircuitPolicy(SwimmerCircuit(3, turn=True, speed=True), Straight()),
    ],
    ids=["circuit", "perceptron", "steering"],
)
def test_subclasses_act_as_they_are_written(make):
    assert_same(make(), circuit_observations(5, 3, time_feature=True))


def test_layers_act_as_evaluated_and_go_on_training():
    policy = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 2))
    policy[1].eval()
    seen = np.ones(3, np.float32)
    act = make_controller(policy)
    np.testing.assert_array_equal(act(seen), act(seen))
    assert [layer.training for layer in policy] == [True, False, True, True]
    with torch.no_grad():
        np.testing.assert_allclose(act(seen), policy.eval()(torch.ones(1, 3))[0], rtol=1e-6)


def test_a_module_that_keeps_no_batch_is_told_of():
    class Lonely(nn.Module):
        def forward(self, observation):
            return torch.zeros(2)

    with pytest.raises(ValueError, match=r"from \(1, 3\) it made \(2,\)"):
        make_controller(Lonely())(np.ones(3, np.float32))
