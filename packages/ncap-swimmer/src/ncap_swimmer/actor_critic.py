"""Any policy module as the actor of stable-baselines3's PPO and DDPG, beside an MLP as the critic."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from gymnasium import spaces
from jaxtyping import Float
from stable_baselines3.common.policies import ActorCriticPolicy, ContinuousCritic
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.td3.policies import Actor, TD3Policy
from torch import Tensor, nn

from .learning import Projectable
from .policies import Standardize


@dataclass(frozen=True)
class StochasticActor:
    """A policy whose output is the mean of a normal distribution.

    Args:
        policy: From an observation to an action.
        std: Initial standard deviation in every dimension.
        learn_std: Learn it, one number per dimension.
        lr: Learning rate of Adam.
        critic_lr: Learning rate of the critic's Adam.
        critic_hidden: Widths of the critic's hidden layers (tanh).
    """

    policy: nn.Module
    std: float = 0.1
    learn_std: bool = False
    lr: float = 3e-4
    critic_lr: float = 1e-3
    critic_hidden: Sequence[int] = (64, 64)


class PPOPolicy(ActorCriticPolicy):
    """Give it to `stable_baselines3.PPO` with `policy_kwargs={"actor": StochasticActor(policy)}`.

    Actor and critic share nothing and learn at rates of their own, those of the `StochasticActor`; the algorithm's
    `learning_rate` is not used. The box of actions must be [-1, 1], since the library's PPO does not stretch actions.

    Raises:
        ValueError: if the box of actions is another.
    """

    def __init__(self, *args: Any, actor: StochasticActor, **kwargs: Any) -> None:  # noqa: ANN401 (passed on)
        self.spec = actor
        super().__init__(*args, **kwargs | {"ortho_init": False})

    def _build(self, lr_schedule: Schedule) -> None:
        del lr_schedule
        spec, space = self.spec, self.action_space
        if not isinstance(space, spaces.Box) or (space.low != -1).any() or (space.high != 1).any():
            raise ValueError(
                f"the policy acts in [-1, 1], but the environment in {space}; "
                "wrap it in gymnasium.wrappers.RescaleAction(env, -1, 1)"
            )
        n_observations, n_actions = self.observation_space.shape[0], self.action_space.shape[0]  # type: ignore[index]
        critic = nn.Sequential(
            Standardize(n_observations), perceptron((n_observations, *spec.critic_hidden, 1), nn.Tanh)
        )
        self.mlp_extractor = _Apart(spec.policy, critic)  # type: ignore[assignment]
        self.action_net, self.value_net = nn.Identity(), nn.Identity()  # type: ignore[assignment]
        self.log_std = nn.Parameter(torch.full((n_actions,), math.log(spec.std)), requires_grad=spec.learn_std)
        actor = [*spec.policy.parameters(), *([self.log_std] if spec.learn_std else [])]
        self.optimizer = torch.optim.Adam(
            [
                {"params": actor, "lr": spec.lr},
                {"params": list(critic.parameters()), "lr": spec.critic_lr},
            ]
        )
        keep_rates(self.optimizer)
        project_after_steps(self.optimizer, spec.policy)


class _Apart(nn.Module):
    """Actor and critic without a layer in common, in the shape that stable-baselines3 expects."""

    def __init__(self, actor: nn.Module, critic: nn.Module) -> None:
        super().__init__()
        self.actor, self.critic = actor, critic

    def forward(self, observation: Float[Tensor, "batch features"]) -> tuple[Tensor, Tensor]:
        return self.forward_actor(observation), self.forward_critic(observation)

    def forward_actor(self, observation: Float[Tensor, "batch features"]) -> Tensor:
        mean: Tensor = self.actor(observation)
        return mean

    def forward_critic(self, observation: Float[Tensor, "batch features"]) -> Tensor:
        value: Tensor = self.critic(observation)
        return value


@dataclass(frozen=True)
class DeterministicActor:
    """A policy as it is, for DDPG.

    Args:
        policy: From an observation to an action in [-1, 1].
        lr: Learning rate of Adam.
        critic_lr: Learning rate of the critic's Adam.
        critic_hidden: Widths of the critic's hidden layers (ReLU).
    """

    policy: nn.Module
    lr: float = 1e-3
    critic_lr: float = 1e-3
    critic_hidden: Sequence[int] = (256, 256)


class DDPGPolicy(TD3Policy):
    """Give it to `stable_baselines3.DDPG` with `policy_kwargs={"actor": DeterministicActor(policy)}`.

    Actor and critic learn at the rates of the `DeterministicActor`; the algorithm's `learning_rate` is not used. The
    library stretches actions from [-1, 1] to the environment's box.
    """

    def __init__(self, *args: Any, actor: DeterministicActor, **kwargs: Any) -> None:  # noqa: ANN401 (passed on)
        self.spec = actor
        self._given: list[nn.Module] = []
        super().__init__(*args, **kwargs | {"net_arch": list(actor.critic_hidden)})
        for part, rate in ((self.actor, actor.lr), (self.critic, actor.critic_lr)):
            part.optimizer = torch.optim.Adam(part.parameters(), lr=rate)
            keep_rates(part.optimizer)
        project_after_steps(self.actor.optimizer, actor.policy)

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Actor:
        """The actor holds the policy itself, its target a copy."""
        actor = super().make_actor(features_extractor)
        actor.mu = self.spec.policy if not self._given else copy.deepcopy(self.spec.policy)  # type: ignore[assignment]
        self._given.append(actor)
        return actor.to(self.device)

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> ContinuousCritic:
        """The critic standardizes its observations."""
        critic = super().make_critic(features_extractor)
        n_observations = self.observation_space.shape[0]  # type: ignore[index]
        critic.features_extractor = nn.Sequential(critic.features_extractor, Standardize(n_observations))  # type: ignore[assignment]
        return critic.to(self.device)


def perceptron(sizes: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    """Linear layers of these sizes with the activation between them."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), activation()]
    return nn.Sequential(*layers[:-1])


def keep_rates(optimizer: torch.optim.Optimizer) -> None:
    """Let every group of parameters learn at the rate it has now, whatever an algorithm sets before its steps."""
    rates = [group["lr"] for group in optimizer.param_groups]

    def put_back(*_: object) -> None:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    optimizer.register_step_pre_hook(put_back)


def project_after_steps(optimizer: torch.optim.Optimizer, policy: nn.Module) -> None:
    """Bring weights of the wrong sign back to zero after every step, for policies that have `project_`."""

    def project(*_: object) -> None:
        if isinstance(policy, Projectable):
            policy.project_()

    optimizer.register_step_post_hook(project)
