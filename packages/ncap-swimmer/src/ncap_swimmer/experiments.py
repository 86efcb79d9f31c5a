"""How the claims of Bhattasali, Zador and Engel (2022) are measured."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from separata import Run, Unmeasured, experiment, plots

from .environments import make_env
from .learning import Schedule, TrainResult, learn
from .paper import BODIES
from .policies import CircuitPolicy, count_parameters
from .rollouts import evaluate
from .runs import ALGORITHMS, NAMES
from .settings import PolicySettings, Training
from .traces import plot, record, wave

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
            seed=self.seed,
        )


SMOKE = Trial(n_links=3, steps=4096, test_every=4096, test_episodes=1, final_episodes=1, hidden=(16,), population=2)


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
    perceptrons: int = 3
    """Draws of initial weights a seed."""


@experiment(
    "initial-performance",
    smoke=Untrained(4, 1, 1),
    quick=Untrained(),
    gpu=Untrained(perceptrons=10),
    paper=Untrained(episodes=100, perceptrons=10),
)
def initial_performance(config: Untrained, run: Run) -> None:
    """The circuit, perceptrons and random torques from the same initial states."""
    env = make_env("swim", config.n_links)

    def tested(policy: str, seed: int, episodes: int) -> float:
        settings = PolicySettings(policy=policy, n_links=config.n_links, seed=seed)
        return evaluate(settings.build(), env, episodes, TEST_SEED + seed).mean

    for seed in run.track(run.seeds, "seeds"):
        draws = [1000 * seed + draw for draw in range(config.perceptrons)]
        few = max(1, config.episodes // config.perceptrons)
        run.measure(
            "initial-performance",
            ncap=tested("ncap", seed, config.episodes),
            mlp=np.mean([tested("mlp", draw, few) for draw in draws]),
            random=tested("random", seed, config.episodes),
        )


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


@experiment("parameters", smoke=Sizes(), quick=Sizes(), gpu=Sizes(), paper=Sizes())
def parameters(config: Sizes, run: Run) -> None:
    settings = PolicySettings(n_links=config.n_links)
    for _ in run.seeds:
        run.measure(
            "parameters",
            ncap=count_parameters(settings.build()),
            ncap_not_shared=count_parameters(replace(settings, share=False).build()),
            mlp=count_parameters(replace(settings, policy="mlp").build()),
        )


@dataclass(frozen=True)
class Transfer:
    """The circuit, evolved on 5 joints, on other bodies."""

    trial: Trial = Trial(steps=100_000)
    episodes: int = 3


@experiment(
    "transfer",
    smoke=Transfer(replace(SMOKE, n_links=6), 1),
    quick=Transfer(),
    gpu=Transfer(Trial(steps=500_000), 10),
    paper=Transfer(Trial(steps=5_000_000, test_every=50_000), 100),
)
def transfer(config: Transfer, run: Run) -> None:
    """After training, and before it, on each body; beside random torques there."""
    trials = [replace(config.trial, seed=seed) for seed in run.seeds]
    results = run.map(train_and_test, trials, "trainings")
    bodies = (5, *BODIES)
    shown: dict[str, dict[str, list[float]]] = {str(n): {} for n in sorted(bodies)}
    for seed, found in zip(run.seeds, results, strict=True):
        settings = PolicySettings(n_links=6, seed=seed)
        trained = _with_weights(settings, found["weights"])
        returns: dict[int, float] = {}
        untrained: dict[int, float] = {}
        random: list[float] = []
        for n in run.track(bodies, "bodies"):
            env = make_env("swim", n + 1)
            for name, policy in (("after training", trained), ("before training", settings.build())):
                moved = settings.fit(policy, n + 1)
                value = evaluate(moved, env, config.episodes, TEST_SEED + seed).mean
                shown[str(n)].setdefault(name, []).append(value)
            returns[n] = shown[str(n)]["after training"][-1]
            untrained[n] = shown[str(n)]["before training"][-1]
            drawn = replace(settings, policy="random", n_links=n + 1).build()
            random.append(evaluate(drawn, env, config.episodes, TEST_SEED + seed).mean)
            shown[str(n)].setdefault("random torques", []).append(random[-1])
        others = {f"joints_{n}": returns[n] for n in BODIES}
        before = np.mean([untrained[n] for n in BODIES])
        run.measure("transfer", trained_on=returns[5], untrained=before, most_random=max(random), **others)
    means = {body: {name: float(np.mean(values)) for name, values in by.items()} for body, by in shown.items()}
    run.figure("transfer", plots.bars(means, ylabel="return, by number of joints; trained with 5"))


def _with_weights(settings: PolicySettings, weights: dict[str, float]) -> CircuitPolicy:
    policy = settings.build()
    assert isinstance(policy, CircuitPolicy)  # noqa: S101 (the settings' default)
    with torch.no_grad():
        for name, value in weights.items():
            policy.circuit.weight[name].fill_(value)
    return policy


@dataclass(frozen=True)
class Signs:
    """Evolution from uniform random weights."""

    trial: Trial = Trial(steps=64_000, test_every=64_000, test_episodes=1, final_episodes=3, init="uniform")
    draws: int = 4
    """Initial weights a seed."""


@experiment(
    "sign-constraint",
    smoke=Signs(replace(SMOKE, init="uniform"), 1),
    quick=Signs(),
    gpu=Signs(Trial(steps=128_000, test_every=64_000, init="uniform"), 4),
    paper=Signs(Trial(steps=5_000_000, test_every=50_000, init="uniform"), 10),
)
def sign_constraint(config: Signs, run: Run) -> None:
    """With the constraint and without it, from as many draws each."""
    seeds = [1000 * seed + draw for seed in run.seeds for draw in range(config.draws)]
    trials = [replace(config.trial, seed=seed, signed=signed) for seed in seeds for signed in (True, False)]
    results = dict(zip(trials, run.map(train_and_test, trials, "trainings"), strict=True))
    finals = {
        signed: [found["after"] for trial, found in results.items() if trial.signed == signed]
        for signed in (True, False)
    }
    for index in range(len(run.seeds)):
        mine = slice(index * config.draws, (index + 1) * config.draws)
        run.measure("sign-constraint", signed=np.mean(finals[True][mine]), unsigned=np.mean(finals[False][mine]))
    before = {
        signed: float(np.mean([found["curve"][0][1] for trial, found in results.items() if trial.signed == signed]))
        for signed in (True, False)
    }
    values = {
        name: {"before evolution": before[signed], "after evolution": float(np.mean(finals[signed]))}
        for name, signed in (("signed", True), ("unsigned", False))
    }
    run.figure("sign-constraint", plots.bars(values, ylabel="return, from uniform random weights"))


@dataclass(frozen=True)
class Draws:
    """Initial weights."""

    n_links: int = 6
    draws: int = 20


@experiment("weight-initialization", smoke=Draws(4, 2), quick=Draws(), gpu=Draws(draws=100), paper=Draws(draws=100))
def weight_initialization(config: Draws, run: Run) -> None:
    """Constant and uniform weights of the right signs, before training."""
    env = make_env("swim", config.n_links)
    for seed in run.track(run.seeds, "seeds"):
        settings = PolicySettings(n_links=config.n_links)
        constant = evaluate(settings.build(), env, config.draws, TEST_SEED + seed).mean
        drawn = [replace(settings, init="uniform", seed=1000 * seed + draw).build() for draw in range(config.draws)]
        uniform = [evaluate(policy, env, 1, TEST_SEED + seed + draw).mean for draw, policy in enumerate(drawn)]
        run.measure("weight-initialization", constant=constant, uniform=np.mean(uniform))


@dataclass(frozen=True)
class Activity:
    """One episode of the untrained circuit."""

    n_links: int = 6


@experiment("interpretability", smoke=Activity(), quick=Activity(), gpu=Activity(), paper=Activity())
def interpretability(config: Activity, run: Run) -> None:
    """Lags between neighbouring joints, and the head beside the oscillator."""
    settings = PolicySettings(n_links=config.n_links)
    for index, seed in enumerate(run.seeds):
        trace = record(settings.build(), make_env("swim", config.n_links), TEST_SEED + seed)
        found = wave(trace, settings.period)
        run.measure("interpretability", shortest_lag=min(found.lags), head_correlation=found.head_correlation)
        if index == 0:
            run.figure("activity", plot(trace))
