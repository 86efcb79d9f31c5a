"""How the claims of Bhattasali, Zador and Engel (2022) are measured."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from separata import Run, Unmeasured, experiment, plots

from .environments import make_env
from .paper import BODIES
from .policies import count_parameters
from .runs import ALGORITHMS, NAMES
from .settings import PolicySettings
from .traces import Wave, plot, record
from .trials import (
    LEVEL,
    SMOKE,
    TEST_SEED,
    Draws,
    Moved,
    Trial,
    Untrained,
    Wiring,
    returns_by_body,
    returns_by_initialization,
    returns_untrained,
    train_and_test,
    waves_by_wiring,
)


@experiment(
    "initial-performance",
    smoke=Untrained(4, 1, 1),
    quick=Untrained(),
    gpu=Untrained(mlps=10),
    paper=Untrained(episodes=100, mlps=10),
)
def initial_performance(config: Untrained, run: Run) -> None:
    for found in run.map(returns_untrained, [replace(config, seed=seed) for seed in run.seeds], "seeds"):
        run.measure("initial-performance", **found)


@dataclass(frozen=True)
class Learning:
    """The circuit and the MLP under each algorithm, with equally many environment steps allowed."""

    trial: Trial
    algorithms: tuple[str, ...] = ("es", "ppo")

    def kinds(self) -> list[tuple[str, str]]:
        """Algorithm and policy of each curve."""
        return [(algo, policy) for algo in self.algorithms for policy in ("ncap", "mlp")]


TO_PLATEAU = Learning(Trial(steps=3_000_000, test_every=25_000, patience=200_000))
PAPER_LENGTH = Learning(Trial(steps=5_000_000, test_every=50_000, final_episodes=100), ("es", "ppo", "ddpg"))


@experiment(
    "final-performance",
    smoke=Learning(SMOKE),
    quick=Unmeasured("Training to the plateau takes 40 minutes on 2 CPU cores: see the evidence of preset gpu."),
    gpu=TO_PLATEAU,
    paper=PAPER_LENGTH,
)
def final_performance(config: Learning, run: Run) -> None:
    """Returns at the plateau. DDPG is drawn where it is run, and decides nothing."""
    results = _trainings(config, run)
    for seed in run.seeds:
        after = {f"{trial.algo}_{trial.policy}": found["after"] for trial, found in results[seed] if _decides(trial)}
        untrained = next(found["before"] for trial, found in results[seed] if trial.policy == "ncap")
        run.measure("final-performance", untrained=untrained, **after)
    longest = max(found["curve"][-1][0] for of_seed in results.values() for _, found in of_seed)
    plateau = f"when no test exceeded the best before by 1 % for {config.trial.patience or 0:,} steps, or "
    limit = f"{plateau if config.trial.patience else ''}after {config.trial.steps:,} steps"
    run.note("final-performance", f"Training ended {limit}; the longest took {longest:,} steps.")
    _draw(config, run, results, "learning-curves")


@experiment(
    "data-efficiency",
    smoke=Learning(SMOKE),
    quick=Learning(Trial(steps=300_000, test_every=20_000, until=LEVEL)),
    gpu=TO_PLATEAU,
    paper=PAPER_LENGTH,
)
def data_efficiency(config: Learning, run: Run) -> None:
    """Steps to the level; training goes no further where nothing else needs it."""
    results = _trainings(config, run)
    missed: dict[str, list[str]] = {}
    for seed in run.seeds:
        steps = {}
        for trial, found in results[seed]:
            if found["steps_to_level"] is None:
                missed.setdefault(_name(run, trial.algo, trial.policy), []).append(str(seed))
            if _decides(trial):
                reached = found["steps_to_level"]
                steps[f"{trial.algo}_{trial.policy}"] = trial.steps if reached is None else reached
        run.measure("data-efficiency", **steps)
    if missed:
        told = "; ".join(f"{name} (seed {', '.join(seeds)})" for name, seeds in missed.items())
        run.note("data-efficiency", f"Not reached, and counted as all {config.trial.steps:,} steps: {told}.")
    _draw(config, run, results, "steps-to-a-return", {f"{LEVEL:.0f}": LEVEL})


def _trainings(config: Learning, run: Run) -> dict[int, list[tuple[Trial, dict[str, Any]]]]:
    """All trainings, by seed."""
    trials = [
        replace(config.trial, algo=algo, policy=policy, seed=seed)
        for algo, policy in config.kinds()
        for seed in run.seeds
    ]
    results = list(zip(trials, run.map(train_and_test, trials, "trainings"), strict=True))
    return {seed: [(trial, found) for trial, found in results if trial.seed == seed] for seed in run.seeds}


def _decides(trial: Trial) -> bool:
    return trial.algo != "ddpg"


def _name(run: Run, algo: str, policy: str) -> str:
    """As the claims' labels, which have no DDPG."""
    claim = run.paper.claim(run.claims[0])
    return claim.labels.get(f"{algo}_{policy}", f"{NAMES[policy]}, {ALGORITHMS[algo]}")


def _draw(
    config: Learning,
    run: Run,
    results: dict[int, list[tuple[Trial, dict[str, Any]]]],
    file: str,
    reference: dict[str, float] | None = None,
) -> None:
    """Learning curves, means over seeds: a curve that has ended stays where it is."""
    for algo, policy in config.kinds():
        curves = [
            found["curve"]
            for of_seed in results.values()
            for trial, found in of_seed
            if (trial.algo, trial.policy) == (algo, policy)
        ]
        # Tests of several seeds are not at the same steps.
        longest = max(curve[-1][0] for curve in curves)
        grid = np.linspace(0, longest, 1 + round(longest / config.trial.test_every))
        for curve in curves:
            steps, values = zip(*curve, strict=True)
            for at, value in zip(grid, np.interp(grid, steps, values), strict=True):
                run.log(round(at), policy=_name(run, algo, policy), value=value)
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
    circuit = PolicySettings(n_links=config.n_links)
    mlp = replace(circuit, policy="mlp")
    for _ in run.seeds:
        run.measure(
            "parameters",
            ncap=count_parameters(circuit.build()),
            ncap_not_shared=count_parameters(replace(circuit, share=False).build()),
            mlp=count_parameters(mlp.build()),
            mlp_small=count_parameters(replace(mlp, hidden=(64, 64)).build()),
        )


BRIEFLY = Trial(steps=100_000)
AT_LENGTH = Trial(steps=500_000)
IN_FULL = Trial(steps=5_000_000, test_every=50_000)


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
    tests = [Moved(weights, bodies, config.episodes, seed) for seed, weights in _weights(config.trial, run).items()]
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


def _weights(trial: Trial, run: Run) -> dict[int, dict[str, float]]:
    """By seed, the weights of the circuit after training."""
    trials = [replace(trial, seed=seed) for seed in run.seeds]
    results = run.map(train_and_test, trials, "trainings")
    return {seed: found["weights"] for seed, found in zip(run.seeds, results, strict=True)}


@dataclass(frozen=True)
class Signs:
    """ES from uniform random weights."""

    trial: Trial
    draws: int
    """Initial weights per seed."""


TEN_GENERATIONS = Trial(
    steps=80_000, test_every=80_000, test_episodes=1, final_episodes=3, init="uniform", population=8
)


@experiment(
    "sign-constraint",
    smoke=Signs(replace(SMOKE, init="uniform"), 1),
    quick=Signs(TEN_GENERATIONS, 4),
    gpu=Signs(replace(TEN_GENERATIONS, steps=320_000), 4),
    paper=Signs(replace(IN_FULL, init="uniform", population=8), 10),
)
def sign_constraint(config: Signs, run: Run) -> None:
    """With the constraint and without it, from as many draws each."""
    trials = {
        (seed, signed): [replace(config.trial, seed=1000 * seed + draw, signed=signed) for draw in range(config.draws)]
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


@experiment("weight-initialization", smoke=Draws(4, 2), quick=Draws(), gpu=Draws(draws=100))
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
    smoke=Activity(SMOKE, 2),
    quick=Activity(BRIEFLY, 9),
    gpu=Activity(AT_LENGTH, 50),
    paper=Activity(IN_FULL, 100),
)
def interpretability(config: Activity, run: Run) -> None:
    """In how many episodes bending begins with the oscillator and travels from joint to joint."""
    settings = [Wiring(weights, config.episodes, seed) for seed, weights in _weights(config.trial, run).items()]
    results = run.map(waves_by_wiring, settings, "seeds")
    for found in results:
        shares = {name: np.mean([Wave(**each).is_travelling for each in waves]) for name, waves in found.items()}
        run.measure("interpretability", **shares)
    run.note("interpretability", _told([Wave(**each) for found in results for each in found["ncap"]]))
    circuit = PolicySettings()
    run.figure(
        "activity",
        plot(record(circuit.build(), make_env("swim", circuit.n_links), TEST_SEED + run.seeds[0])),
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
