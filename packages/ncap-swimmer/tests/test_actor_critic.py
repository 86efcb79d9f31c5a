import numpy as np
import pytest
import stable_baselines3 as sb3
import torch
from gymnasium import spaces
from torch.distributions import Normal

from ncap_swimmer import (
    CircuitPolicy,
    DDPGPolicy,
    DeterministicActor,
    MLPPolicy,
    PPOPolicy,
    StochasticActor,
    SwimmerCircuit,
)
from ncap_swimmer.actor_critic import perceptron, project_after_steps

OBSERVATIONS = spaces.Box(-np.inf, np.inf, (12,), np.float32)
ACTIONS = spaces.Box(-1, 1, (2,), np.float32)


def ppo(policy, **options):
    return PPOPolicy(OBSERVATIONS, ACTIONS, lambda _: 1e-3, actor=StochasticActor(policy, **options))


def ddpg(policy, **options):
    actor = DeterministicActor(policy, **options)
    return DDPGPolicy(OBSERVATIONS, ACTIONS, lambda _: 1e-3, actor=actor, n_critics=1)


def circuit():
    return CircuitPolicy(SwimmerCircuit(2, init="uniform"))


def storage(module):
    return {parameter.data_ptr() for parameter in module.parameters()}


# ---- PPO


@pytest.mark.parametrize("make", [circuit, lambda: MLPPolicy(12, 2, (8,))])
@pytest.mark.parametrize("std", [0.1, 0.5])
def test_actions_are_normal_around_the_policy(make, std):
    policy = make()
    actor = ppo(policy, std=std)
    seen, actions = torch.randn(9, 12), torch.randn(9, 2)
    _, log_prob, entropy = actor.evaluate_actions(seen, actions)
    normal = Normal(policy(seen), std)
    torch.testing.assert_close(log_prob, normal.log_prob(actions).sum(-1))
    torch.testing.assert_close(entropy, normal.entropy().sum(-1))
    found, _ = actor.predict(seen.numpy(), deterministic=True)
    np.testing.assert_allclose(found, policy(seen).detach(), atol=1e-6)
    drawn, _, chance = actor(seen)
    torch.testing.assert_close(chance, normal.log_prob(drawn).sum(-1))
    many, *_ = actor(seen.repeat(300, 1))
    torch.testing.assert_close(many.view(300, *drawn.shape).std(0).mean(), torch.tensor(std), rtol=0.1, atol=0)


@pytest.mark.parametrize("learn_std", [True, False])
def test_spread_is_learned_or_fixed(learn_std):
    actor = ppo(circuit(), learn_std=learn_std)
    learned = {id(p) for group in actor.optimizer.param_groups for p in group["params"]}
    assert (id(actor.log_std) in learned) == learn_std == actor.log_std.requires_grad


def test_actor_and_critic_share_nothing_and_learn_at_rates_of_their_own():
    policy = MLPPolicy(12, 2, (8,))
    actor = ppo(policy, lr=0.5, critic_lr=0.25)
    assert storage(policy) <= storage(actor)
    rates = {id(p): group["lr"] for group in actor.optimizer.param_groups for p in group["params"]}
    assert {rates[id(p)] for p in policy.parameters()} == {0.5}
    critic = [p for p in actor.parameters() if p.requires_grad and rates[id(p)] == 0.25]
    assert sum(p.numel() for p in critic) == (12 * 64 + 64) + (64 * 64 + 64) + (64 + 1)
    seen = torch.randn(4, 12)
    actor.predict_values(seen).sum().backward()
    assert all(p.grad is None for p in policy.parameters())
    assert all(p.grad is not None for p in critic)


# ---- DDPG


def test_ddpgs_actor_is_the_policy_and_its_target_a_copy():
    policy = MLPPolicy(12, 2, (8,), "relu")
    actor = ddpg(policy)
    seen = torch.randn(5, 12)
    for part in (actor.actor, actor.actor_target):
        torch.testing.assert_close(part(seen), policy(seen))
    assert storage(actor.actor) == storage(policy)
    assert not storage(actor.actor_target) & storage(policy)
    assert not storage(actor.critic_target) & storage(actor.critic)
    found, _ = actor.predict(seen.numpy())
    np.testing.assert_allclose(found, policy(seen).detach(), atol=1e-6)


def test_ddpgs_optimizers_hold_actor_and_critic_at_rates_of_their_own():
    policy = circuit()
    actor = ddpg(policy, lr=0.5, critic_lr=0.25)
    (mine,), (theirs,) = actor.actor.optimizer.param_groups, actor.critic.optimizer.param_groups
    assert {p.data_ptr() for p in mine["params"]} == storage(policy)
    assert (mine["lr"], theirs["lr"]) == (0.5, 0.25)
    expected = (14 * 256 + 256) + (256 * 256 + 256) + (256 + 1)
    assert sum(p.numel() for p in theirs["params"]) == expected


def test_ddpgs_critic_standardizes_observations_but_not_actions():
    actor = ddpg(circuit())
    seen, actions = torch.randn(6, 12), torch.rand(6, 2)
    statistics = {name: value for name, value in actor.critic.state_dict().items() if "running" in name}
    mean, std = torch.linspace(-1, 1, 12), torch.linspace(0.5, 2, 12)
    (before,) = actor.critic(seen, actions)
    for name, value in statistics.items():
        value.copy_(mean if "mean" in name else std**2 if "var" in name else torch.tensor(9.0))
    torch.testing.assert_close(actor.critic(seen * std + mean, actions)[0], before)


# ---- parts


@pytest.mark.parametrize("kind", [sb3.PPO, sb3.DDPG])
def test_policies_work_in_the_librarys_own_algorithms(kind, bowl):
    class Seeing(bowl):
        observation_space = OBSERVATIONS

        def observe(self):
            return np.zeros(12, np.float32)

    policy = circuit()
    if kind is sb3.PPO:
        options = {"policy_kwargs": {"actor": StochasticActor(policy)}, "n_steps": 16, "batch_size": 16, "n_epochs": 1}
        algorithm = sb3.PPO(PPOPolicy, Seeing(4), device="cpu", **options)
    else:
        actor = DeterministicActor(policy, critic_hidden=(8,))
        algorithm = sb3.DDPG(DDPGPolicy, Seeing(4), policy_kwargs={"actor": actor}, learning_starts=4, device="cpu")
    algorithm.learn(16)
    found, _ = algorithm.predict(np.zeros(12, np.float32), deterministic=True)
    np.testing.assert_allclose(found, policy(torch.zeros(12)).detach(), atol=1e-6)


def test_perceptron_is_linear_layers_with_the_activation_between():
    layers = perceptron((3, 4, 2), torch.nn.Tanh)
    x = torch.randn(5, 3)
    expected = torch.tanh(x @ layers[0].weight.T + layers[0].bias) @ layers[2].weight.T + layers[2].bias
    torch.testing.assert_close(layers(x), expected)
    assert len(layers) == 3


def test_projection_follows_each_step_of_an_optimizer():
    policy = circuit()
    optimizer = torch.optim.SGD(policy.parameters(), lr=1.0)
    project_after_steps(optimizer, policy)
    for weight in policy.circuit.weight.values():
        weight.grad = 3 * weight.detach().sign()
    optimizer.step()
    assert all(weight == 0 for weight in policy.circuit.weight.values())
    other = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(other.parameters(), lr=1.0)
    project_after_steps(optimizer, other)
    other(torch.ones(2)).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("kind", [sb3.PPO, sb3.DDPG])
def test_the_librarys_own_algorithms_keep_the_rates_of_actor_and_critic(kind, bowl, constant):
    rates = {"lr": 0.5, "critic_lr": 0.25}
    if kind is sb3.PPO:
        actor = StochasticActor(constant(0.0, 0.0), **rates)
        model = kind(PPOPolicy, bowl(4), policy_kwargs={"actor": actor}, n_steps=16, batch_size=16, device="cpu")
        optimizers = [model.policy.optimizer]
    else:
        actor = DeterministicActor(constant(0.0, 0.0), critic_hidden=(8,), **rates)
        model = kind(DDPGPolicy, bowl(4), policy_kwargs={"actor": actor}, learning_starts=4, device="cpu")
        optimizers = [model.policy.actor.optimizer, model.policy.critic.optimizer]
    model.learn(16)
    assert [group["lr"] for optimizer in optimizers for group in optimizer.param_groups] == [0.5, 0.25]


def test_ppo_is_not_given_a_box_that_the_library_does_not_stretch():
    actor = StochasticActor(circuit())
    with pytest.raises(ValueError, match=r"RescaleAction\(env, -1, 1\)"):
        PPOPolicy(OBSERVATIONS, spaces.Box(-2, 2, (2,), np.float32), lambda _: 1e-3, actor=actor)
