"""Settings of the learning algorithms: evolution strategies (ES), PPO and DDPG."""

import math
from dataclasses import dataclass
from typing import TypeAlias

MAX_POPULATION = 100_000
"""All perturbations of a generation are in memory at once."""


@dataclass(frozen=True)
class ESConfig:
    """Settings of the evolution strategy; the defaults are those of the paper's code, except for the population.

    Args:
        population: Perturbed policies per generation; must be even, since each perturbation is tried with both signs.
        sigma: Standard deviation of the perturbations.
        lr: Learning rate of Adam on the center.
        weight_decay: L2 penalty on the center.

    Raises:
        ValueError: if a setting is out of range.
    """

    population: int = 32
    sigma: float = 0.02
    lr: float = 0.01
    weight_decay: float = 0.005

    @classmethod
    def for_policy(cls, policy: str) -> "ESConfig":
        """The best settings of a small search, for the few weights of a circuit (`ncap`) or the many of an MLP."""
        return cls(sigma=0.1, lr=0.1) if policy == "ncap" else cls(lr=0.03)

    def __post_init__(self) -> None:
        if self.population < 2 or self.population % 2:
            raise ValueError(f"the population must be even, since perturbations come in pairs; not {self.population}")
        if self.population > MAX_POPULATION:
            raise ValueError(f"the population is at most {MAX_POPULATION:,}, not {self.population}")
        if not (self.sigma > 0 and self.lr > 0 and self.weight_decay >= 0):
            raise ValueError(
                "sigma and lr must be positive and weight_decay not negative, not "
                f"{self.sigma}, {self.lr} and {self.weight_decay}"
            )
        if not all(map(math.isfinite, (self.sigma, self.lr, self.weight_decay))):
            raise ValueError("sigma, lr and weight_decay must be finite")


@dataclass(frozen=True)
class PPOConfig:
    """Settings of PPO; the defaults are those of the paper's code.

    Args:
        segment: Environment steps between two updates.
        n_envs: Environments that act side by side; must divide `segment`.
        epochs: Passes over a segment.
        batch_size: Steps of one gradient step; None: the whole segment.
        gamma: Discount factor.
        gae_lambda: Lambda of the generalized advantage estimate.
        clip: Clip range of the probability ratio.
        target_kl: An update ends early when the policy has moved farther than this; infinite: never.
        lr: Learning rate of the actor.
        critic_lr: Learning rate of the critic.
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
    lr: float = 3e-4
    critic_lr: float = 1e-3
    std: float | None = None

    @classmethod
    def for_policy(cls, policy: str) -> "PPOConfig":
        """The best settings of a small search, for the few weights of a circuit (`ncap`) or the many of an MLP."""
        return cls(epochs=10, batch_size=256, lr=3e-3) if policy == "ncap" else cls()

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
class DDPGConfig:
    """Settings of DDPG; the defaults are those of the paper's code, except for `warmup`.

    There, learning begins after 10,000 steps, but torques stay random until 20,000; here both end together.

    Args:
        buffer_size: Transitions in the replay buffer.
        warmup: Steps of uniform random torques before learning begins.
        every: Steps between two updates, and gradient steps of an update.
        batch_size: Transitions of one gradient step.
        gamma: Discount factor.
        tau: Share of the new weights in the target networks.
        noise: Standard deviation of the normal noise on actions.
        lr: Learning rate of the actor.
        critic_lr: Learning rate of the critic.

    Raises:
        ValueError: if a setting is out of range.
    """

    buffer_size: int = 1_000_000
    warmup: int = 10_000
    every: int = 50
    batch_size: int = 100
    gamma: float = 0.99
    tau: float = 0.005
    noise: float = 0.1
    lr: float = 1e-3
    critic_lr: float = 1e-3

    def __post_init__(self) -> None:
        if min(self.buffer_size, self.every, self.batch_size) < 1:
            raise ValueError(
                "buffer_size, every and batch_size must be at least 1, not "
                f"{self.buffer_size}, {self.every} and {self.batch_size}"
            )
        if self.warmup < 0:
            raise ValueError(f"warmup must not be negative, but it is {self.warmup}")
        if not 0 <= self.noise < math.inf:
            raise ValueError(f"noise must not be negative, but it is {self.noise}")
        _check(self, positive=("tau",))


Algorithm: TypeAlias = ESConfig | PPOConfig | DDPGConfig


def _check(config: PPOConfig | DDPGConfig, positive: tuple[str, ...]) -> None:
    for name in positive:
        value = getattr(config, name)
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be positive, not {value}")
    for name in ("lr", "critic_lr"):
        if not getattr(config, name) >= 0:  # 0 freezes that part
            raise ValueError(f"{name} must not be negative, but it is {getattr(config, name)}")
