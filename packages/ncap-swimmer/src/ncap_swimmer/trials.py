"""What several experiments measure: one training with its tests, and policies before training."""

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from .configs import PolicyConfig, PolicyName, RunConfig, TrainConfig
from .environments import SwimmerEnv
from .policies import CircuitPolicy, ShuffledCircuit, make_policy
from .rollouts import episode_seeds, evaluate
from .swimmers import Swimmer, env_factory
from .tasks import EPISODE_STEPS
from .traces import record, wave
from .training import train

TEST_SEED = 500_000
"""Initial states that decide a claim are drawn apart from those of the tests during learning."""

LEVEL = 850.0
"""The return to reach: above that of any policy before training, and within reach of all."""


TRAIN = TrainConfig(steps=200_000, test_every=16_384, test_episodes=3)


@dataclass(frozen=True)
class Trial(RunConfig):
    """One training and how its policy is tested, before it and after it."""

    train: TrainConfig = TRAIN
    final_episodes: int = 10
    episode_steps: int = EPISODE_STEPS
    """Of the task; fewer only at the preset smoke."""


BRIEF = 240
"""Steps of an episode at the preset smoke: as few as show a wave."""

SMOKE = Trial(
    n_links=3,
    hidden=(16,),
    population=2,
    train=replace(TRAIN, steps=256, test_episodes=1),
    final_episodes=1,
    episode_steps=BRIEF,
)
"""One generation."""


def env_of(config: PolicyConfig, episode_steps: int) -> SwimmerEnv:
    """The environment of a configuration, with episodes of so many steps."""
    env = env_factory(config)()
    env.episode_steps = episode_steps
    return env


def train_and_test(trial: Trial, device: str) -> dict[str, Any]:
    """The learning curve of a trial, its returns before and after training, and the weights of a circuit."""
    policy, env = make_policy(trial), partial(env_of, trial, trial.episode_steps)

    def tested() -> float:
        return evaluate(policy, env(), trial.final_episodes, TEST_SEED + trial.seed).mean

    before = tested()
    # Evolution runs on the CPU.
    result = train(
        policy, env, trial.train, trial.algorithm, seed=trial.seed, device="cpu" if trial.algo == "es" else device
    )
    policy = policy.cpu()
    reached = result.steps_to(LEVEL)
    return {
        "curve": [[point.steps, point.test_return] for point in result.history],
        "before": before,
        "after": tested(),
        "steps_to_level": reached if np.isfinite(reached) else None,
        "weights": policy.circuit.weights() if isinstance(policy, CircuitPolicy) else {},
    }


@dataclass(frozen=True)
class Untrained:
    """Policies before training."""

    n_links: int = 6
    episodes: int = 10
    n_mlps: int = 3
    """Initial weights of the MLP per seed."""
    seed: int = 0
    episode_steps: int = EPISODE_STEPS


def returns_untrained(config: Untrained, device: str) -> dict[str, float]:  # noqa: ARG001 (as `run.map` calls it)
    """Returns of the circuit, of MLPs and of random torques, from the same initial states."""
    env = env_of(PolicyConfig(n_links=config.n_links), config.episode_steps)

    def tested(policy: PolicyName, seed: int, episodes: int) -> float:
        made = make_policy(PolicyConfig(policy, n_links=config.n_links, seed=seed))
        return evaluate(made, env, episodes, TEST_SEED + seed).mean

    draws = [1000 * config.seed + draw for draw in range(config.n_mlps)]
    few = max(1, config.episodes // config.n_mlps)
    return {
        "ncap": tested("ncap", config.seed, config.episodes),
        "mlp": float(np.mean([tested("mlp", draw, few) for draw in draws])),
        "random": tested("random", config.seed, config.episodes),
    }


@dataclass(frozen=True)
class Draws:
    """Initial weights of the circuit."""

    n_links: int = 6
    n_draws: int = 20
    seed: int = 0
    episode_steps: int = EPISODE_STEPS


def returns_by_initialization(config: Draws, device: str) -> dict[str, float]:  # noqa: ARG001 (as `run.map` calls it)
    """Returns before training from constant weights, and from as many draws of uniform ones."""
    circuit, first = PolicyConfig(n_links=config.n_links), TEST_SEED + config.seed
    env = env_of(circuit, config.episode_steps)
    seeds = [1000 * config.seed + draw for draw in range(config.n_draws)]
    drawn = [make_policy(replace(circuit, init="uniform", seed=seed)) for seed in seeds]
    return {
        "constant": evaluate(make_policy(circuit), env, config.n_draws, first).mean,
        "uniform": float(np.mean([evaluate(policy, env, 1, first + i).mean for i, policy in enumerate(drawn)])),
    }


@dataclass(frozen=True)
class Moved:
    """A circuit that was trained with 5 joints, to be tested on other bodies."""

    weights: dict[str, float]
    bodies: tuple[int, ...]
    episodes: int
    seed: int
    episode_steps: int


def returns_by_body(config: Moved, device: str) -> dict[str, list[float]]:  # noqa: ARG001 (as `run.map` calls it)
    """Returns on each body after training, before it, and of random torques, from the same initial states."""
    circuit = PolicyConfig(seed=config.seed)
    policies = {"trained": with_weights(circuit, config.weights), "untrained": make_policy(circuit)}
    found: dict[str, list[float]] = {"trained": [], "untrained": [], "random": []}
    for n in config.bodies:
        env = env_of(replace(circuit, n_links=n + 1), config.episode_steps)
        on_body = {name: Swimmer(circuit, policy).for_body(n + 1).policy for name, policy in policies.items()}
        on_body["random"] = make_policy(replace(circuit, policy="random", n_links=n + 1))
        for name, policy in on_body.items():
            found[name].append(evaluate(policy, env, config.episodes, TEST_SEED + config.seed).mean)
    return found


@dataclass(frozen=True)
class Wiring:
    """Episodes in which to look for a travelling wave."""

    weights: dict[str, float]
    """After training."""
    episodes: int
    seed: int
    episode_steps: int


def waves_by_wiring(config: Wiring, device: str) -> dict[str, list[Any]]:  # noqa: ARG001 (as `run.map` calls it)
    """The waves of the circuit before and after training, and of the untrained one with its sensors shuffled."""
    made = PolicyConfig()
    env = env_of(made, config.episode_steps)
    circuit, trained = make_policy(made), with_weights(made, config.weights)
    assert isinstance(circuit, CircuitPolicy)  # noqa: S101 (the configuration's default)
    shuffles = derangements(circuit.circuit.n_joints - 1, config.episodes, config.seed)
    wirings: dict[str, list[nn.Module]] = {
        "ncap": [circuit] * config.episodes,
        "trained": [trained] * config.episodes,
        "shuffled": [ShuffledCircuit(circuit.circuit, sources) for sources in shuffles],
    }
    seeds = episode_seeds(TEST_SEED + config.seed, config.episodes)
    return {
        name: [
            asdict(wave(record(policy, env, seed), circuit.circuit.period))
            for policy, seed in zip(policies, seeds, strict=True)
        ]
        for name, policies in wirings.items()
    }


def derangements(n: int, n_draws: int, seed: int) -> list[list[int]]:
    """Random permutations of n things that leave none in its place."""
    generator = torch.Generator().manual_seed(seed)
    found: list[list[int]] = []
    while len(found) < n_draws:
        drawn: list[int] = torch.randperm(n, generator=generator).tolist()
        if all(source != place for place, source in enumerate(drawn)):
            found.append(drawn)
    return found


def with_weights(config: PolicyConfig, weights: dict[str, float]) -> CircuitPolicy:
    """The circuit of this configuration with the weights of a training."""
    policy = make_policy(config)
    assert isinstance(policy, CircuitPolicy)  # noqa: S101 (the configuration is of a circuit)
    with torch.no_grad():
        for name, value in weights.items():
            policy.circuit.weight[name].fill_(value)
    return policy
