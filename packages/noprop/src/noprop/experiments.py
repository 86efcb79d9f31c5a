"""How the claims of Li, Teh and Pascanu (2025) are measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from separata import Run, experiment, plots
from separata.configs import replaced

from .configs import ModelConfig, TrainConfig
from .trials import Trial, run_apart, run_memory, run_trial

TUNING_SEED = 1000
"""Settings are chosen with another seed than those that are measured."""
RATES = (1e-3, 3e-3)
"""Learning rates that every method chooses from, on validation images."""


def _trial(epochs: int, batch_size: int, channels: str, width: int, n_steps: int = 10, **settings: Any) -> Trial:  # noqa: ANN401 - of a trial
    """A trial of NoProp-DT."""
    train = TrainConfig(epochs=epochs, batch_size=batch_size)
    return Trial(model=ModelConfig(channels=channels, width=width, n_steps=n_steps), train=train, **settings)


SMOKE = _trial(3, 128, "4,8", 16, 3, dataset="digits", n_train=400, n_runs=1)
QUICK = _trial(8, 64, "8,16", 64)
GPU = _trial(20, 128, "32,64,128", 256, dataset="mnist")
FULL = _trial(100, 128, "32,64,128", 256, dataset="mnist")


@dataclass(frozen=True)
class Compared:
    """NoProp-DT beside back-propagation and Forward-Forward, and its blocks trained apart."""

    trial: Trial
    layers: tuple[str, ...] = ("500,500", "1000,1000")
    """Of Forward-Forward: widths, with each learning rate."""
    rates: tuple[float, ...] = RATES


QUICK_COMPARED = Compared(QUICK)
"""About 350 core-seconds with 3 seeds, by single trials."""


def _variant(trial: Trial, variant: str) -> Trial:
    return replaced(trial, variant=variant)


def _with_rates(trial: Trial, rates: Sequence[float]) -> list[Trial]:
    """The trial with each learning rate, evaluated on validation images."""
    return [replaced(replace(trial, is_held_out=True, seed=TUNING_SEED), lr=lr) for lr in rates]


def _chosen(run: Run, candidates: Mapping[str, Sequence[Trial]], description: str) -> dict[str, Trial]:
    """The best candidate of each name on validation images, to be evaluated on test images."""
    best = run.choose(run_trial, candidates, _score, description)
    return {name: replace(one, is_held_out=False) for name, one in best.items()}


def _score(found: dict[str, Any]) -> float:
    return _number(found["accuracy"])


def _number(value: float | None) -> float:
    """A number of a trial; not a number where the training diverged."""
    return float("nan") if value is None else value


def _seconds(run: Run, trial: Trial) -> float:
    """What the chosen settings took when they were chosen."""
    (found,) = run.map(run_trial, [replace(trial, is_held_out=True, seed=TUNING_SEED)], "seconds")
    return _number(found["seconds"])


@experiment(
    "matches-backprop",
    "better-than-backprop-free",
    "chain-improves",
    "independent-blocks",
    smoke=Compared(SMOKE, ("20,20",), (3e-3,)),
    quick=QUICK_COMPARED,
    gpu=Compared(GPU),
    paper=Compared(FULL, ("1000,1000", "2000,2000,2000,2000"), (3e-4, 1e-3, 3e-3)),
)
def compared(config: Compared, run: Run) -> None:
    dt, layered = config.trial, [replace(config.trial, layers=layers) for layers in config.layers]
    candidates = {
        "dt": _with_rates(dt, config.rates),
        "backprop": _with_rates(_variant(dt, "backprop"), config.rates),
    }
    chosen = _chosen(run, candidates, "settings of NoProp and back-propagation")
    budget = _seconds(run, chosen["dt"])
    timed = [replace(one, seconds=budget) for one in layered]
    rivals = [one for trial in timed for one in _with_rates(trial, config.rates)]
    chosen |= _chosen(run, {"ff": rivals}, "settings of Forward-Forward")
    found = run.over_seeds(run_trial, {name: chosen[name] for name in ("dt", "backprop")}, "networks")
    in_time = [
        replace(chosen["ff"], seed=seed, seconds=_number(one["seconds"]))
        for seed, one in zip(run.seeds, found["dt"], strict=True)
    ]
    forward = run.map(run_trial, in_time, "Forward-Forward")
    apart = run.over_seeds(run_apart, {"apart": chosen["dt"]}, "blocks apart")["apart"]
    for seed, one, unrolled, layers, parts in zip(
        run.seeds, found["dt"], found["backprop"], forward, apart, strict=True
    ):
        run.measure(
            "matches-backprop",
            dt=_number(one["accuracy"]),
            backprop=_number(unrolled["accuracy"]),
            dt_train=_number(one["train_accuracy"]),
            backprop_train=_number(unrolled["train_accuracy"]),
            untrained=one["untrained"],
        )
        run.measure("better-than-backprop-free", dt=_number(one["accuracy"]), ff=_number(layers["accuracy"]))
        chain = one.get("chain") or [float("nan")] * 2
        run.measure(
            "chain-improves",
            first=chain[0],
            middle=chain[len(chain) // 2],
            last=chain[-1],
            fall=max(0.0, *(before - after for before, after in pairwise(chain))),
        )
        run.measure(
            "independent-blocks",
            together=_number(one["accuracy"]),
            apart=parts["accuracy"],
            elsewhere=parts["elsewhere"],
            backprop_elsewhere=parts["backprop_elsewhere"],
        )
        for step, accuracy in enumerate(chain):
            run.log(step, seed=seed, accuracy=accuracy)
    _tell(run, config, chosen, budget)


def _tell(run: Run, config: Compared, chosen: Mapping[str, Trial], budget: float) -> None:
    """Notes and figures."""
    epochs, n_rates = config.trial.train.epochs, len(config.rates)
    run.note(
        "matches-backprop",
        f"{epochs} epochs; learning rates {chosen['dt'].train.lr:g} (NoProp-DT) and {chosen['backprop'].train.lr:g} "
        f"(back-propagation), each the best of {n_rates} on validation images.",
    )
    run.note(
        "better-than-backprop-free",
        f"Forward-Forward with layers of {chosen['ff'].layers} and learning rate {chosen['ff'].train.lr:g}, the best "
        f"of {n_rates * len(config.layers)} settings on validation images, trained for as many core-seconds as "
        f"NoProp-DT, about {budget:.0f}.",
    )
    run.figure(
        "accuracy",
        plots.claim(run, "matches-backprop", ylabel="accuracy", fmt=".3f"),
        ["matches-backprop"],
        caption="Accuracy of NoProp-DT and of back-propagation through the same blocks, on test and training images.",
    )
    run.figure(
        "chain",
        plots.curves(run.history, "accuracy", xlabel="blocks run", ylabel="test accuracy of the nearest embedding"),
        ["chain-improves"],
        caption="Test accuracy of the class whose embedding is nearest to the state, by the number of blocks run.",
    )


@dataclass(frozen=True)
class Memory:
    """What a step holds."""

    trial: Trial


QUICK_MEMORY = Memory(QUICK)
"""A few core-seconds."""


@experiment(
    "less-memory",
    smoke=Memory(SMOKE),
    quick=QUICK_MEMORY,
    gpu=Memory(GPU),
    paper=Memory(FULL),
)
def memory(config: Memory, run: Run) -> None:
    for found in run.over_seeds(run_memory, {"memory": config.trial}, "memory")["memory"]:
        run.measure("less-memory", **found)
    run.note("less-memory", f"Batches of {config.trial.train.batch_size}; {config.trial.model.n_steps} blocks.")
    run.figure(
        "memory",
        plots.claim(run, "less-memory", ylabel="MiB held in a step"),
        caption="Memory that a training step holds for its backward pass.",
    )


@dataclass(frozen=True)
class Continuous:
    """Continuous time and flow matching, and a neural ODE in the time of the former."""

    trial: Trial
    gammas: tuple[float, ...] = (4.0, 7.0)
    """Of continuous time: log-odds at the ends, with each learning rate."""
    ode_gammas: tuple[float, ...] = (2.0, 4.0)
    """The same of the neural ODE, which learns nothing where they are large."""
    solver_steps: int = 10
    """Of the neural ODE in training."""
    rates: tuple[float, ...] = RATES


QUICK_CONTINUOUS = Continuous(replaced(QUICK, variant="ct", epochs=30, steps=40))
"""About 250 core-seconds with 3 seeds, by single trials."""


@experiment(
    "faster-than-adjoint",
    "flow-matching",
    smoke=Continuous(replaced(SMOKE, variant="ct", epochs=4, steps=4), (5.0,), (3.0,), 2, (3e-3,)),
    quick=QUICK_CONTINUOUS,
    gpu=Continuous(replaced(GPU, variant="ct", steps=100)),
    paper=Continuous(replaced(FULL, variant="ct", steps=1000), solver_steps=40),
)
def continuous(config: Continuous, run: Run) -> None:
    trial = config.trial
    of_ct = [one for gamma in config.gammas for one in _with_rates(replaced(trial, gamma=gamma), config.rates)]
    flow = _variant(trial, "fm")
    chosen = _chosen(run, {"ct": of_ct, "fm": _with_rates(flow, config.rates)}, "settings of NoProp")
    budget = _seconds(run, chosen["ct"])
    ode = replace(replaced(trial, variant="adjoint", steps=config.solver_steps), seconds=budget)
    rivals = [one for gamma in config.ode_gammas for one in _with_rates(replaced(ode, gamma=gamma), config.rates)]
    chosen |= _chosen(run, {"adjoint": rivals}, "settings of the neural ODE")
    found = run.over_seeds(run_trial, {name: chosen[name] for name in ("ct", "fm")}, "networks")
    in_time = [
        replace(chosen["adjoint"], seed=seed, seconds=_number(one["seconds"]))
        for seed, one in zip(run.seeds, found["ct"], strict=True)
    ]
    for ct, fm, adjoint in zip(found["ct"], found["fm"], run.map(run_trial, in_time, "neural ODEs"), strict=True):
        run.measure("faster-than-adjoint", ct=_number(ct["accuracy"]), adjoint=_number(adjoint["accuracy"]))
        run.measure("flow-matching", fm=_number(fm["accuracy"]), untrained=fm["untrained"])
    run.note(
        "faster-than-adjoint",
        f"About {budget:.0f} core-seconds each; NoProp-CT with log-odds of {chosen['ct'].model.gamma:g} and learning "
        f"rate {chosen['ct'].train.lr:g}, the neural ODE with {chosen['adjoint'].model.gamma:g} and "
        f"{chosen['adjoint'].train.lr:g} and {config.solver_steps} Euler steps, each the best of "
        f"{len(of_ct)} settings on validation images.",
    )
    run.note("flow-matching", f"{trial.train.epochs} epochs, {trial.train.steps} steps of Heun's method.")
    run.figure(
        "adjoint",
        plots.claim(run, "faster-than-adjoint", ylabel="test accuracy", fmt=".3f"),
        ["faster-than-adjoint"],
        caption="Test accuracy of NoProp-CT and of a neural ODE after equal training time.",
    )


@dataclass(frozen=True)
class Embeddings:
    """The three embeddings of classes."""

    trial: Trial
    dim: int = 20
    rates: tuple[float, ...] = field(default=RATES)


DIGITS = _trial(20, 64, "8,16", 32, dataset="digits")
QUICK_EMBEDDINGS = Embeddings(DIGITS)
"""About 120 core-seconds with 3 seeds, by estimate."""


@experiment(
    "embeddings",
    smoke=Embeddings(SMOKE, rates=(3e-3,)),
    quick=QUICK_EMBEDDINGS,
    gpu=Embeddings(replace(DIGITS, dataset="digits")),
    paper=Embeddings(replace(FULL, dataset="digits")),
)
def embeddings(config: Embeddings, run: Run) -> None:
    kinds = {
        "one_hot": config.trial,
        "learned": replaced(config.trial, embedding="learned", dim=config.dim),
        "prototype": replaced(config.trial, embedding="prototype"),
    }
    candidates = {name: _with_rates(trial, config.rates) for name, trial in kinds.items()}
    found = run.over_seeds(run_trial, _chosen(run, candidates, "settings of embeddings"), "embeddings")
    for of_seed in zip(*found.values(), strict=True):
        accuracies = [_number(one["accuracy"]) for one in of_seed]
        run.measure("embeddings", **dict(zip(kinds, accuracies, strict=True)))
    run.figure(
        "embeddings",
        plots.claim(run, "embeddings", ylabel="test accuracy", fmt=".3f"),
        caption="Test accuracy on 8 x 8 digits by the embedding of classes.",
    )
