"""What several experiments measure: one training with its tests, and policies before training."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from .environments import make_env
from .learning import Schedule, TrainResult, learn
from .policies import CircuitPolicy, ShuffledCircuit
from .rollouts import episode_seeds, evaluate
from .settings import PolicySettings, Training
from .traces import record, wave

TEST_SEED = 500_000
"""Initial states that decide a claim are drawn apart from those of the tests during learning."""

LEVEL = 850.0
"""The return to reach: above that of any policy before training, and within reach of all."""


@dataclass(frozen=True)
class Trial:
    """One training and how it is tested: everything that its result depends on."""

    policy: str = "ncap"
    algo: str = "es"
    n_links: int = 6
    steps: int = 200_000
    test_every: int = 16_384
    test_episodes: int = 3
    final_episodes: int = 10
    signed: bool = True
    init: str = "constant"
    hidden: tuple[int, ...] = (256, 256)
    population: int | None = None
    segment: int | None = None
    patience: int | None = None
    until: float | None = None
    seed: int = 0

    def training(self) -> Training:
        """As the command line would train it."""
        return Training(
            policy=self.policy,
            algo=self.algo,
            n_links=self.n_links,
            steps=self.steps,
            signed=self.signed,
            init=self.init,
            hidden=self.hidden,
            population=self.population if self.algo == "es" else None,
            segment=self.segment if self.algo == "ppo" else None,
            seed=self.seed,
        )


SMOKE = Trial(n_links=3, steps=256, test_episodes=1, final_episodes=1, hidden=(16,), population=2, segment=256)
"""One generation or segment."""


def train_and_test(trial: Trial, device: str) -> dict[str, Any]:
    """The learning curve of a trial, its returns before and after training, and the weights of a circuit."""
    training = trial.training()
    policy = training.build_policy()

    def tested() -> float:
        return evaluate(policy, training.env(), trial.final_episodes, TEST_SEED + trial.seed).mean

    before = tested()
    learner = training.learner(policy, device=device)
    try:
        schedule = Schedule(
            trial.steps, trial.test_every, trial.test_episodes, patience=trial.patience, until=trial.until
        )
        result: TrainResult = learn(learner, training.env, schedule)
    finally:
        learner.close()
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
    mlps: int = 3
    """Initial weights of the MLP per seed."""
    seed: int = 0


def returns_untrained(config: Untrained, device: str) -> dict[str, float]:  # noqa: ARG001 (as `run.map` calls it)
    """Returns of the circuit, of MLPs and of random torques, from the same initial states."""
    env = make_env("swim", config.n_links)

    def tested(policy: str, seed: int, episodes: int) -> float:
        settings = PolicySettings(policy=policy, n_links=config.n_links, seed=seed)
        return evaluate(settings.build(), env, episodes, TEST_SEED + seed).mean

    draws = [1000 * config.seed + draw for draw in range(config.mlps)]
    few = max(1, config.episodes // config.mlps)
    return {
        "ncap": tested("ncap", config.seed, config.episodes),
        "mlp": float(np.mean([tested("mlp", draw, few) for draw in draws])),
        "random": tested("random", config.seed, config.episodes),
    }


@dataclass(frozen=True)
class Draws:
    """Initial weights of the circuit."""

    n_links: int = 6
    draws: int = 20
    seed: int = 0


def returns_by_initialization(config: Draws, device: str) -> dict[str, float]:  # noqa: ARG001 (as `run.map` calls it)
    """Returns before training from constant weights, and from as many draws of uniform ones."""
    env = make_env("swim", config.n_links)
    settings, first = PolicySettings(n_links=config.n_links), TEST_SEED + config.seed
    drawn = [replace(settings, init="uniform", seed=1000 * config.seed + draw).build() for draw in range(config.draws)]
    return {
        "constant": evaluate(settings.build(), env, config.draws, first).mean,
        "uniform": float(np.mean([evaluate(policy, env, 1, first + i).mean for i, policy in enumerate(drawn)])),
    }


@dataclass(frozen=True)
class Moved:
    """A circuit that was trained with 5 joints, to be tested on other bodies."""

    weights: dict[str, float]
    bodies: tuple[int, ...]
    episodes: int
    seed: int


def returns_by_body(config: Moved, device: str) -> dict[str, list[float]]:  # noqa: ARG001 (as `run.map` calls it)
    """Returns on each body after training, before it, and of random torques, from the same initial states."""
    settings = PolicySettings(seed=config.seed)
    policies = {"trained": with_weights(settings, config.weights), "untrained": settings.build()}
    found: dict[str, list[float]] = {"trained": [], "untrained": [], "random": []}
    for n in config.bodies:
        env = make_env("swim", n + 1)
        on_body = {name: settings.fit(policy, n + 1) for name, policy in policies.items()}
        on_body["random"] = replace(settings, policy="random", n_links=n + 1).build()
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


def waves_by_wiring(config: Wiring, device: str) -> dict[str, list[Any]]:  # noqa: ARG001 (as `run.map` calls it)
    """The waves of the circuit before and after training, and of the untrained one with its sensors shuffled."""
    settings, env = PolicySettings(), make_env("swim", 6)
    circuit, trained = settings.build(), with_weights(settings, config.weights)
    assert isinstance(circuit, CircuitPolicy)  # noqa: S101 (the settings' default)
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


def derangements(n: int, count: int, seed: int) -> list[list[int]]:
    """Random permutations of n things that leave none in its place."""
    generator = torch.Generator().manual_seed(seed)
    found: list[list[int]] = []
    while len(found) < count:
        drawn: list[int] = torch.randperm(n, generator=generator).tolist()
        if all(source != place for place, source in enumerate(drawn)):
            found.append(drawn)
    return found


def with_weights(settings: PolicySettings, weights: dict[str, float]) -> CircuitPolicy:
    """The circuit of these settings with the weights of a training."""
    policy = settings.build()
    assert isinstance(policy, CircuitPolicy)  # noqa: S101 (the settings are of a circuit)
    with torch.no_grad():
        for name, value in weights.items():
            policy.circuit.weight[name].fill_(value)
    return policy
