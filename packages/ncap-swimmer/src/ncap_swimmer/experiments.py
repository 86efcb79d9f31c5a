"""How the claims of Bhattasali, Zador and Engel (2022) are measured."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from separata import Run, Unmeasured, experiment, plots

from .configs import NAMES, AlgorithmName, PolicyConfig, TrainConfig
from .paper import BODIES
from .policies import count_parameters, make_policy
from .traces import Wave, plot, record
from .trials import (
    BRIEF,
    LEVEL,
    SMOKE,
    TEST_SEED,
    TRAIN,
    Draws,
    Moved,
    Trial,
    Untrained,
    Wiring,
    env_of,
    returns_by_body,
    returns_by_initialization,
    returns_untrained,
    train_and_test,
    waves_by_wiring,
)


@experiment(
    "initial-performance",
    smoke=Untrained(4, 1, 1, episode_steps=BRIEF),
    quick=Untrained(),
    gpu=Untrained(n_mlps=10),
    paper=Untrained(episodes=100, n_mlps=10),
)
def initial_performance(config: Untrained, run: Run) -> None:
    for found in run.map(returns_untrained, [replace(config, seed=seed) for seed in run.seeds], "seeds"):
        run.measure("initial-performance", **found)


@dataclass(frozen=True)
class Learning:
    """The circuit and the MLP under each algorithm, with equally many environment steps allowed."""

    algorithms: tuple[Trial, ...]
    """One for each; all are as long."""

    @classmethod
    def of(cls, train: TrainConfig, *algorithms: AlgorithmName, final_episodes: int = 10) -> "Learning":
        """Trials that differ in the algorithm alone."""
        return cls(tuple(Trial(algo=algo, train=train, final_episodes=final_episodes) for algo in algorithms))

    @property
    def train(self) -> TrainConfig:
        """How long each goes on."""
        return self.algorithms[0].train

    def trials(self) -> dict[str, Trial]:
        """By algorithm and policy, as the claims' keys: es_ncap, es_mlp, ..."""
        return {
            f"{trial.algo}_{policy}": replace(trial, policy=policy)
            for trial in self.algorithms
            for policy in ("ncap", "mlp")
        }


ONE_PIECE = Learning((SMOKE, replace(SMOKE, algo="ppo", population=None, segment=256)))
"""One generation or segment."""

TO_PLATEAU = Learning.of(replace(TRAIN, steps=3_000_000, test_every=25_000, patience=200_000), "es", "ppo")
TO_LEVEL = Learning.of(replace(TRAIN, steps=300_000, test_every=20_000, until=LEVEL), "es", "ppo")
PAPER_LENGTH = Learning.of(replace(TRAIN, steps=5_000_000, test_every=50_000), "es", "ppo", "ddpg", final_episodes=100)


@experiment(
    "final-performance",
    smoke=ONE_PIECE,
    quick=Unmeasured("Training to the plateau takes 40 minutes on 2 CPU cores: see the evidence of preset gpu."),
    gpu=TO_PLATEAU,
    paper=PAPER_LENGTH,
)
def final_performance(config: Learning, run: Run) -> None:
    """Returns at the plateau. DDPG is drawn where it is run, and decides nothing."""
    results = run.over_seeds(train_and_test, config.trials(), "trainings")
    for i, _ in enumerate(run.seeds):
        after = {key: found[i]["after"] for key, found in results.items() if _decides(key)}
        run.measure("final-performance", untrained=results["es_ncap"][i]["before"], **after)
    longest = max(found["curve"][-1][0] for seeds in results.values() for found in seeds)
    plateau = f"when no test exceeded the best before by 1 % for {config.train.patience or 0:,} steps, or "
    limit = f"{plateau if config.train.patience else ''}after {config.train.steps:,} steps"
    run.note("final-performance", f"Training ended {limit}; the longest took {longest:,} steps.")
    _draw(config, run, results, "learning-curves")


@experiment("data-efficiency", smoke=ONE_PIECE, quick=TO_LEVEL, gpu=TO_PLATEAU, paper=PAPER_LENGTH)
def data_efficiency(config: Learning, run: Run) -> None:
    """Steps to the level; training goes no further where nothing else needs it."""
    results = run.over_seeds(train_and_test, config.trials(), "trainings")
    missed: dict[str, list[str]] = {}
    for i, seed in enumerate(run.seeds):
        reached = {key: found[i]["steps_to_level"] for key, found in results.items()}
        for key in (key for key, steps in reached.items() if steps is None):
            missed.setdefault(_name(run, key), []).append(str(seed))
        counted = {key: config.train.steps if steps is None else steps for key, steps in reached.items()}
        run.measure("data-efficiency", **{key: steps for key, steps in counted.items() if _decides(key)})
    if missed:
        told = "; ".join(f"{name} (seed {', '.join(seeds)})" for name, seeds in missed.items())
        run.note("data-efficiency", f"Not reached, and counted as all {config.train.steps:,} steps: {told}.")
    _draw(config, run, results, "steps-to-a-return", {f"{LEVEL:.0f}": LEVEL})


def _decides(key: str) -> bool:
    return not key.startswith("ddpg")


def _name(run: Run, key: str) -> str:
    """As the claims' labels, which have no DDPG."""
    algo, policy = key.split("_")
    return run.paper.claim(run.claims[0]).labels.get(key, f"{NAMES[policy]}, {NAMES[algo]}")


def _draw(
    config: Learning,
    run: Run,
    results: dict[str, list[dict[str, Any]]],
    file: str,
    reference: dict[str, float] | None = None,
) -> None:
    """Learning curves, means over seeds: a curve that has ended stays where it is."""
    for key, found in results.items():
        curves = [each["curve"] for each in found]
        # Tests of several seeds are not at the same steps.
        longest = max(curve[-1][0] for curve in curves)
        grid = np.linspace(0, longest, 1 + round(longest / config.train.test_every))
        for curve in curves:
            steps, values = zip(*curve, strict=True)
            for at, value in zip(grid, np.interp(grid, steps, values), strict=True):
                run.log(round(at), policy=_name(run, key), value=value)
    figure = plots.curves(
        run.history, "value", by="policy", xlabel="environment steps", ylabel="return", reference=reference
    )
    run.figure(
        file,
        figure,
        caption="Return of the policy without noise while it learns: mean over seeds in a band of one standard "
        "deviation. A training that has ended keeps its last return.",
    )


@dataclass(frozen=True)
class Sizes:
    """Numbers of parameters."""

    n_links: int = 6


@experiment("parameters", smoke=Sizes())
def parameters(config: Sizes, run: Run) -> None:
    circuit = PolicyConfig(n_links=config.n_links)
    mlp = replace(circuit, policy="mlp")
    policies = {
        "ncap": circuit,
        "ncap_not_shared": replace(circuit, share=False),
        "mlp": mlp,
        "mlp_small": replace(mlp, hidden=(64, 64)),
    }
    for _ in run.seeds:
        run.measure("parameters", **{name: count_parameters(make_policy(made)) for name, made in policies.items()})


BRIEFLY = Trial(train=replace(TRAIN, steps=100_000))
AT_LENGTH = Trial(train=replace(TRAIN, steps=500_000))
IN_FULL = Trial(train=replace(TRAIN, steps=5_000_000, test_every=50_000))


@dataclass(frozen=True)
class Transfer:
    """The circuit, trained with 5 joints, on other bodies."""

    trial: Trial
    episodes: int


@experiment(
    "transfer",
    smoke=Transfer(SMOKE, 1),
    quick=Transfer(BRIEFLY, 3),
    gpu=Transfer(AT_LENGTH, 10),
    paper=Transfer(IN_FULL, 100),
)
def transfer(config: Transfer, run: Run) -> None:
    """After training, and before it, on each body; beside random torques there."""
    bodies = tuple(sorted((5, *BODIES)))
    steps = config.trial.episode_steps
    tests = [Moved(weights, bodies, config.episodes, seed, steps) for seed, weights in _weights(config.trial, run)]
    results = run.map(returns_by_body, tests, "seeds")
    for found in results:
        trained = dict(zip(bodies, found["trained"], strict=True))
        untrained = [value for n, value in zip(bodies, found["untrained"], strict=True) if n in BODIES]
        run.measure(
            "transfer",
            trained_on=trained[5],
            **{f"joints_{n}": trained[n] for n in BODIES},
            untrained=np.mean(untrained),
            most_random=max(found["random"]),
        )
    names = {"trained": "circuit trained with 5 joints", "untrained": "untrained circuit", "random": "random torques"}
    shown = {
        f"{n} joints": {label: [found[name][i] for found in results] for name, label in names.items()}
        for i, n in enumerate(bodies)
    }
    run.figure(
        "transfer",
        plots.bars(shown, ylabel="return"),
        caption="Return on bodies on which the circuit was not trained, beside the one with 5 joints on which it was: "
        "mean, standard deviation and each seed.",
    )


def _weights(trial: Trial, run: Run) -> list[tuple[int, dict[str, float]]]:
    """Each seed and the weights of the circuit after training."""
    results = run.over_seeds(train_and_test, {"circuit": trial}, "trainings")["circuit"]
    return [(seed, found["weights"]) for seed, found in zip(run.seeds, results, strict=True)]


@dataclass(frozen=True)
class Signs:
    """ES from uniform random weights."""

    trial: Trial
    n_draws: int
    """Initial weights per seed."""


TEN_GENERATIONS = Trial(
    init="uniform",
    population=8,
    train=TrainConfig(steps=80_000, test_every=80_000, test_episodes=1),
    final_episodes=3,
)
FORTY_GENERATIONS = replace(TEN_GENERATIONS, train=replace(TEN_GENERATIONS.train, steps=320_000))


@experiment(
    "sign-constraint",
    smoke=Signs(replace(SMOKE, init="uniform"), 1),
    quick=Signs(TEN_GENERATIONS, 4),
    gpu=Signs(FORTY_GENERATIONS, 4),
    paper=Signs(replace(IN_FULL, init="uniform", population=8), 10),
)
def sign_constraint(config: Signs, run: Run) -> None:
    """With the constraint and without it, from as many draws each."""
    trials = {
        (seed, signed): [
            replace(config.trial, seed=1000 * seed + draw, signed=signed) for draw in range(config.n_draws)
        ]
        for seed in run.seeds
        for signed in (True, False)
    }
    every = [trial for some in trials.values() for trial in some]
    results = dict(zip(every, run.map(train_and_test, every, "trainings"), strict=True))

    def mean(seed: int, *, signed: bool, when: str) -> float:
        return float(np.mean([results[trial][when] for trial in trials[seed, signed]]))

    for seed in run.seeds:
        run.measure(
            "sign-constraint",
            signed=mean(seed, signed=True, when="after"),
            unsigned=mean(seed, signed=False, when="after"),
            signed_before=mean(seed, signed=True, when="before"),
            unsigned_before=mean(seed, signed=False, when="before"),
        )
    keys = {
        "signs constrained": {"before training": "signed_before", "after training": "signed"},
        "signs free": {"before training": "unsigned_before", "after training": "unsigned"},
    }
    run.figure(
        "sign-constraint",
        plots.claim(run, "sign-constraint", keys, ylabel="return"),
        caption="Return before and after ES from uniform random weights: mean, standard deviation and each seed.",
    )


@experiment("weight-initialization", smoke=Draws(4, 1, episode_steps=BRIEF), quick=Draws(), gpu=Draws(n_draws=100))
def weight_initialization(config: Draws, run: Run) -> None:
    for found in run.map(returns_by_initialization, [replace(config, seed=seed) for seed in run.seeds], "seeds"):
        run.measure("weight-initialization", **found)


@dataclass(frozen=True)
class Activity:
    """Episodes of the circuit before and after training, and with its sensors shuffled."""

    trial: Trial
    """As of the claim `transfer`, whose training it shares."""
    episodes: int


@experiment(
    "interpretability",
    smoke=Activity(SMOKE, 1),
    quick=Activity(BRIEFLY, 9),
    gpu=Activity(AT_LENGTH, 50),
    paper=Activity(IN_FULL, 100),
)
def interpretability(config: Activity, run: Run) -> None:
    """In how many episodes bending begins with the oscillator and travels from joint to joint."""
    steps = config.trial.episode_steps
    wirings = [Wiring(weights, config.episodes, seed, steps) for seed, weights in _weights(config.trial, run)]
    results = run.map(waves_by_wiring, wirings, "seeds")
    for found in results:
        shares = {name: np.mean([Wave(**each).is_travelling for each in waves]) for name, waves in found.items()}
        run.measure("interpretability", **shares)
    run.note("interpretability", _told([Wave(**each) for found in results for each in found["ncap"]]))
    circuit = PolicyConfig()
    run.figure(
        "activity",
        plot(record(make_policy(circuit), env_of(circuit, steps), TEST_SEED + run.seeds[0])),
        caption="Activity of the untrained circuit, the head on top: neurons and muscles (dorsal minus ventral) and "
        "joint angles, with the oscillator's dorsal half shaded.",
    )


def _told(waves: list[Wave]) -> str:
    lags = Counter(lag for one in waves for lag in one.lags)
    heads = [one.head_lag for one in waves]
    weakest = min(correlation for one in waves for correlation in (*one.correlations, one.head_correlation))
    return (
        f"In the untrained circuit, the head follows the oscillator by {_range(heads)} steps of 30 ms and each joint "
        f"the one before it by {_range(list(lags))}; the weakest correlation is {weakest:.2f}."
    )


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"
