"""How the claims of Zheng et al. (2024) are measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from separata import Run, Unmeasured, experiment, plots

from .configs import ConquerorConfig, DividerConfig, SolverConfig, TrainConfig
from .paper import PROBLEMS
from .trials import (
    FeasibilityTrial,
    ScalingTrial,
    Trial,
    run_feasibility,
    run_rules,
    run_scaling,
    run_trial,
)

NOT_YET = Unmeasured("not measured yet")
SMALL_DIVIDER = DividerConfig(units=32, depth=3, n_neighbors=20)
SMALL_CONQUEROR = ConquerorConfig(dim=64, layers=2, hidden=128, heads=4)


def _solver(problem: str, window: int = 20) -> SolverConfig:
    return SolverConfig(problem, window, SMALL_DIVIDER, SMALL_CONQUEROR)


TINY_TRAINING = TrainConfig(n_steps=2, sizes=(40, 40), n_samples=2, n_starts=2, lr=1e-3)


def _smoke(problem: str) -> Trial:
    return Trial(_solver(problem), TINY_TRAINING, n_nodes=40, n_test=2, n_samples=2, rounds=2)


QUICK_TRAINING = TrainConfig(n_steps=400, sizes=(100, 100), n_samples=8, n_starts=10, lr=1e-3)
QUICK_TSP = Trial(_solver("tsp"), QUICK_TRAINING)
QUICK_KP = Trial(_solver("kp"), replace(QUICK_TRAINING, n_steps=600, rounds=1), rounds=10)
QUICK_MIS = Trial(_solver("mis", window=30), replace(QUICK_TRAINING, n_steps=1000), rounds=10)


def _paper(problem: str, n_steps: int, **settings: Any) -> Trial:  # noqa: ANN401 - fields of the training
    train = TrainConfig(n_steps=n_steps, **settings)
    return Trial(SolverConfig(problem), train, n_nodes=500, n_test=128, n_samples=50, rounds=50)


@dataclass(frozen=True)
class TrainedConfig:
    """Trainings of three problems; of TSP also the ablations."""

    tsp: Trial
    kp: Trial
    mis: Trial


@experiment(
    "reunion",
    "unified",
    "superior",
    smoke=TrainedConfig(_smoke("tsp"), _smoke("kp"), _smoke("mis")),
    quick=NOT_YET,
    paper=TrainedConfig(
        _paper("tsp", 500_000),
        _paper("kp", 120_000, n_samples=50, n_starts=100, rounds=1),
        _paper("mis", 1_000_000, sizes=(700, 800), n_samples=35, n_starts=35),
    ),
)
def trained(config: TrainedConfig, run: Run) -> None:
    settings = {
        "joint": config.tsp,
        "no_reunion": replace(config.tsp, training="no-reunion"),
        "no_reunion_steps": replace(config.tsp, training="no-reunion-steps"),
        "separate": replace(config.tsp, training="separate"),
        "untrained": replace(config.tsp, training="none"),
        "kp": config.kp,
        "mis": config.mis,
        "mis_untrained": replace(config.mis, training="none"),
    }
    found = run.over_seeds(run_trial, settings, "trainings")
    rules = run.over_seeds(run_rules, {name: getattr(config, name) for name in ("tsp", "kp", "mis")}, "simple rules")
    for number, seed in enumerate(run.seeds):
        of_seed = {name: results[number] for name, results in found.items()}
        simple = {name: results[number] for name, results in rules.items()}
        _measure(run, of_seed, simple)
        for name in ("joint", "no_reunion", "separate", "untrained"):
            for rounds, cost in enumerate(of_seed[name]["curve"]):
                run.log(rounds, seed=seed, cost=cost, training=name.replace("_", " "))
    _tell(config, run, found)
    caption = "Mean tour length after each conquering round, by how the networks were trained."
    figure = plots.curves(run.history, "cost", by="training", xlabel="conquering rounds", ylabel="tour length")
    run.figure("rounds", figure, ["reunion", "unified"], caption=caption)
    run.figure("superior", _draw_superior(found, rules), ["superior"], caption="Tour lengths by UDC and simple rules.")


def _measure(run: Run, found: Mapping[str, Mapping[str, Any]], rules: Mapping[str, Mapping[str, float]]) -> None:
    joint = found["joint"]
    others = {name: found[name]["udc"] for name in ("no_reunion", "no_reunion_steps", "untrained")}
    run.measure("reunion", dcr=joint["udc"], **others)
    run.measure(
        "unified",
        joint=joint["udc"],
        separate=found["separate"]["udc"],
        nearest=joint["nearest"],
        insertion=joint["insertion"],
    )
    run.measure(
        "superior",
        tsp=joint["udc"],
        tsp_divided=joint["divided"],
        tsp_untrained=joint["untrained"],
        **{f"tsp_{name}": rules["tsp"][name] for name in ("nearest", "insertion", "two_opt")},
        kp=found["kp"]["udc"],
        **{f"kp_{name}": rules["kp"][name] for name in ("ratio", "exact", "random")},
        mis=found["mis"]["udc"],
        mis_untrained=found["mis_untrained"]["udc"],
        **{f"mis_{name}": rules["mis"][name] for name in ("random_order", "min_degree")},
    )


def _tell(config: TrainedConfig, run: Run, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    seconds = {name: np.mean([one["seconds"] for one in results]) for name, results in found.items()}
    tsp = config.tsp
    for claim in ("reunion", "unified"):
        run.note(
            claim,
            f"{tsp.n_test} instances of {tsp.n_nodes} nodes, windows of {tsp.solver.window}, {tsp.n_samples} samples, "
            f"{tsp.rounds} rounds. CPU seconds of a training: {seconds['joint']:.0f} joint, "
            f"{seconds['no_reunion']:.0f} without reunion, {seconds['separate']:.0f} separate.",
        )
    run.note(
        "superior",
        f"{tsp.n_test} instances of each problem, {tsp.n_nodes} nodes or items, {tsp.n_samples} samples. CPU seconds "
        f"of a training: {seconds['joint']:.0f} (TSP), {seconds['kp']:.0f} (KP), {seconds['mis']:.0f} (MIS).",
    )


def _draw_superior(found: Mapping[str, Sequence[Any]], rules: Mapping[str, Sequence[Any]]) -> Any:  # noqa: ANN401 - a figure
    names = {"nearest": "nearest neighbor", "insertion": "random insertion", "two_opt": "2-opt"}
    values = {label: [one[name] for one in rules["tsp"]] for name, label in names.items()}
    values["heat map alone"] = [one["divided"] for one in found["joint"]]
    values["UDC"] = [one["udc"] for one in found["joint"]]
    return plots.bars(values, ylabel="mean tour length")


@dataclass(frozen=True)
class GeneralConfig:
    """All problems, untrained."""

    trials: tuple[FeasibilityTrial, ...]


def _general(**settings: Any) -> GeneralConfig:  # noqa: ANN401 - fields of the trials
    return GeneralConfig(tuple(FeasibilityTrial(_solver(name), **settings) for name in PROBLEMS))


@experiment(
    "general",
    smoke=_general(n_instances=2, n_nodes=30, rounds=1),
    quick=NOT_YET,
    paper=GeneralConfig(tuple(FeasibilityTrial(SolverConfig(name), n_nodes=500) for name in PROBLEMS)),
)
def general(config: GeneralConfig, run: Run) -> None:
    found = run.over_seeds(run_feasibility, {one.solver.problem: one for one in config.trials}, "feasibility")
    for number in range(len(run.seeds)):
        shares = {name: results[number]["feasible"] for name, results in found.items()}
        run.measure("general", **shares, damaged=max(results[number]["damaged"] for results in found.values()))
    first = config.trials[0]
    run.note("general", f"{first.n_instances} instances of {first.n_nodes} nodes and {first.rounds} rounds each.")


@dataclass(frozen=True)
class EfficientConfig:
    """One solver on instances of several sizes."""

    solver: SolverConfig
    sizes: tuple[int, ...]


@experiment(
    "efficient",
    smoke=EfficientConfig(_solver("tsp"), (100, 200)),
    quick=NOT_YET,
    gpu=EfficientConfig(SolverConfig("tsp"), (500, 1000, 2000, 5000, 10_000)),
)
def efficient(config: EfficientConfig, run: Run) -> None:
    settings = {size: ScalingTrial(config.solver, size) for size in config.sizes}
    found = run.over_seeds(run_scaling, settings, "sizes")
    for number, seed in enumerate(run.seeds):
        of_seed = {size: results[number] for size, results in found.items()}
        slopes = {name: _slope(config.sizes, [of_seed[n][name] for n in config.sizes]) for name in _SECONDS}
        heat_map = _slope(config.sizes, [of_seed[n]["heat_map"] for n in config.sizes])
        dense = _slope(config.sizes, [n * n for n in config.sizes])
        run.measure("efficient", **slopes, heat_map=heat_map, dense=dense)
        for size in config.sizes:
            for name, label in _SECONDS.items():
                run.log(size, seed=seed, seconds=of_seed[size][name], part=label)
    figure = plots.curves(run.history, "seconds", by="part", xlabel="nodes", ylabel="CPU seconds")
    for axes in figure.axes:
        axes.set_xscale("log")
        axes.set_yscale("log")
    caption = "CPU seconds of the division and of one conquering round against the number of nodes."
    run.figure("scaling", figure, caption=caption)


_SECONDS = {"divide": "division", "conquer": "conquering round"}


def _slope(sizes: Sequence[int], values: Sequence[float]) -> float:
    """The slope of a straight line through logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])
