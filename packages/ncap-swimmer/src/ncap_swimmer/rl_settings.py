"""Settings of PPO and DDPG."""

import math
from dataclasses import dataclass

from torch import nn

from .policies import CircuitPolicy


@dataclass(frozen=True)
class PPOSettings:
    """Settings of PPO; the defaults are those of the paper's code.

    Args:
        segment: Environment steps between two updates.
        n_envs: Environments that act side by side; must divide `segment`.
        epochs: Passes over a segment.
        batch_size: Steps of one gradient step; None: the whole segment.
        gamma: Discount factor.
        gae_lambda: Lambda of the generalised advantage estimate.
        clip: Clip range of the probability ratio.
        target_kl: An update ends early when the policy has moved farther than this; infinite: never.
        learning_rate: Learning rate of the actor.
        critic_learning_rate: Learning rate of the critic.
        std: Initial standard deviation of the actions; None: 0.1 for a circuit, where it stays fixed, and 0.5 for
            other policies, which learn it.

    Raises:
        ValueError: if a setting is out of range.
    """

    segment: int = 4096
    n_envs: int = 8
    epochs: int = 80
    batch_size: int | None = None
    gamma: float = 0.99
    gae_lambda: float = 0.97
    clip: float = 0.2
    target_kl: float = 0.015
    learning_rate: float = 3e-4
    critic_learning_rate: float = 1e-3
    std: float | None = None

    @classmethod
    def for_policy(cls, policy: nn.Module) -> "PPOSettings":
        """The best settings of a small search, for the few weights of a circuit or the many of an MLP."""
        if isinstance(policy, CircuitPolicy):
            return cls(epochs=10, batch_size=256, learning_rate=3e-3)
        return cls()

    def __post_init__(self) -> None:
        if self.n_envs < 1 or self.segment < 2 * self.n_envs or self.segment % self.n_envs:
            raise ValueError(
                f"a segment is shared evenly by the environments; {self.segment} steps and {self.n_envs} do not fit"
            )
        if self.epochs < 1 or not 2 <= (self.batch_size or self.segment) <= self.segment:
            raise ValueError(
                f"epochs must be at least 1 and batch_size 2 to {self.segment} steps, "
                f"not {self.epochs} and {self.batch_size}"
            )
        _check(self, positive=("target_kl", "clip", "std"))


@dataclass(frozen=True)
class DDPGSettings:
    """Settings of DDPG.

    Args:
        buffer: Transitions in the replay buffer.
        warmup: Steps of uniform random torques before learning begins.
        every: Steps between two updates, and gradient steps of an update.
        batch_size: Transitions of one gradient step.
        gamma: Discount factor.
        tau: Share of the new weights in the target networks.
        noise: Standard deviation of the normal noise on actions.
        learning_rate: Learning rate of the actor.
        critic_learning_rate: Learning rate of the critic.

    Raises:
        ValueError: if a setting is out of range.
    """

    buffer: int = 1_000_000
    warmup: int = 10_000
    every: int = 50
    batch_size: int = 100
    gamma: float = 0.99
    tau: float = 0.005
    noise: float = 0.1
    learning_rate: float = 1e-3
    critic_learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        if min(self.buffer, self.every, self.batch_size) < 1:
            raise ValueError(
                "buffer, every and batch_size must be at least 1, not "
                f"{self.buffer}, {self.every} and {self.batch_size}"
            )
        if self.warmup < 0:
            raise ValueError(f"warmup must not be negative, but it is {self.warmup}")
        if not 0 <= self.noise < math.inf:
            raise ValueError(f"noise must not be negative, but it is {self.noise}")
        _check(self, positive=("tau",))


def _check(settings: "PPOSettings | DDPGSettings", positive: tuple[str, ...]) -> None:
    for name in positive:
        value = getattr(settings, name)
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be positive, not {value}")
    for name in ("learning_rate", "critic_learning_rate"):
        if not getattr(settings, name) >= 0:  # 0 freezes that part
            raise ValueError(f"{name} must not be negative, but it is {getattr(settings, name)}")
