"""How the claims of Su et al. (2024) are measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from separata import Run, experiment, plots

from . import drawing, runs
from .maze import MazeTask
from .metrics import at_least_one_of
from .sums import SumsTrial, run_sums
from .training import Training
from .trials import Recipe, Trial, prepare, run_trial, tasks_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"dualformer": "Dualformer", "complete-trace": "complete traces", "solution-only": "solutions only"}
"""What figures call models."""

MODES = {"dualformer": ("slow", "fast", "auto"), "solution-only": ("fast",)}
"""Modes in which a model is measured, where it is not slow alone."""

COMPARED = ("dualformer", "complete-trace", "solution-only")
LEVELS = {"0": "complete", "1": "without close", "2": "nor costs", "4": "no trace"}

Reports = dict[tuple[str, str], list[dict[str, Any]]]
"""For each model and mode the measures of each seed."""


@dataclass(frozen=True)
class Planning:
    """Dualformer in its three modes, beside models trained on complete traces and on solutions."""

    trial: Trial
    """Size of the mazes, tasks and samples; with a recipe, all models are trained by it, each seed anew."""
    scratch: Trial | None = None
    """Small mazes on which tiny models are trained from scratch, for the lengths of traces."""
    ablations: tuple[str, ...] = ()
    """Further models for the figures."""
    keeps: bool = False
    """Whether trainings are long enough to be kept on disk."""


TINY = Recipe(6000, 64, 2, 2, Training(steps=350, batch_size=16, lr=3e-3, max_tokens=1536))
SMALL = Recipe(
    30_000, 192, 6, 3, Training(steps=1500, batch_size=128, lr=1e-3, warmup=150, max_tokens=65_536), is_mixed=True
)
FULL = Recipe(100_000, 192, 6, 3, Training(steps=400_000, batch_size=64, lr=2.5e-4, warmup=2000))
SCRATCH = Trial("dualformer", ("slow",), size=5, n_tasks=50, samples=8, recipe=TINY, max_len=250)
ABLATIONS = ("mix-0.2", "level-1", "levels-1-2", "levels-1-2-3")


@experiment(
    "slow-optimal",
    "slow-shorter",
    "fast-optimal",
    "auto",
    "all-modes",
    "diversity",
    smoke=Planning(
        Trial("dualformer", (), size=8, n_tasks=3, samples=4, max_len=250),
        replace(
            SCRATCH,
            n_tasks=3,
            samples=2,
            max_len=60,
            recipe=Recipe(20, 16, 1, 1, Training(steps=2, batch_size=4, lr=1e-3)),
        ),
    ),
    quick=Planning(Trial("dualformer", (), size=8, n_tasks=32, samples=64, max_len=500), SCRATCH),
    gpu=Planning(Trial("dualformer", (), size=10, n_tasks=50, samples=64, recipe=SMALL), keeps=True),
    paper=Planning(
        Trial("dualformer", (), size=30, n_tasks=500, samples=64, recipe=FULL, batch_rows=512),
        ablations=ABLATIONS,
        keeps=True,
    ),
)
def planning(config: Planning, run: Run) -> None:
    reports = _reports(config.trial, COMPARED + config.ablations, config, run)
    slow, fast, auto = (reports["dualformer", mode] for mode in ("slow", "fast", "auto"))
    complete, solution = reports["complete-trace", "slow"], reports["solution-only", "fast"]
    scratch = _scratch(config, run) or [(slow, complete) for slow, complete in zip(slow, complete, strict=True)]
    for i in range(len(run.seeds)):
        best = {name: of[i]["one_optimal"] for name, of in _named(slow, fast, auto, complete, solution).items()}
        run.measure("slow-optimal", dualformer=best["slow"], complete_trace=best["complete_trace"])
        run.measure("fast-optimal", dualformer=best["fast"], solution_only=best["solution_only"])
        ratios = {mode: _ratio(of[i], complete[i]) for mode, of in (("slow", slow), ("auto", auto))}
        run.measure(
            "slow-shorter",
            tokens=ratios["slow"],
            steps=_ratio(slow[i], complete[i], "trace_clauses"),
            tokens_from_scratch=_ratio(*scratch[i]),
        )
        share = auto[i]["slow_share"]
        run.measure("auto", auto=best["auto"], fast=best["fast"], tokens=ratios["auto"], slow_share=share)
        run.measure("all-modes", **best, slow_ratio=ratios["slow"], auto_ratio=ratios["auto"])
        run.measure("diversity", dualformer=slow[i]["diversity"], complete_trace=complete[i]["diversity"])
    _tell(config, run)
    _draw(config, reports, run)


def _named(*of: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return dict(zip(("slow", "fast", "auto", "complete_trace", "solution_only"), of, strict=True))


def _reports(trial: Trial, models: Sequence[str], config: Planning, run: Run) -> Reports:
    """Every model in its modes, for each seed."""
    folder = str(run.state / "trainings") if config.keeps else ""
    trials = [
        replace(trial, model=model, modes=MODES.get(model, ("slow",)), seed=seed, folder=folder)
        for seed in run.seeds
        for model in models
    ]
    if run.compute.rank == 0:
        prepare(trials)
    run.compute.wait_for_all()
    reports: Reports = {}
    for one, found in zip(trials, run.map(run_trial, trials, "models"), strict=True):
        for mode, report in found.items():
            reports.setdefault((one.model, mode), []).append(report)
    return reports


def _scratch(config: Planning, run: Run) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """For each seed, tiny models that learned from dropped and from complete traces, in slow mode."""
    if config.scratch is None:
        return []
    models = ("dualformer", "complete-trace")
    trials = [replace(config.scratch, model=model, seed=seed) for seed in run.seeds for model in models]
    found = [one["slow"] for one in run.map(run_trial, trials, "tiny models from scratch")]
    pairs = list(zip(found[::2], found[1::2], strict=True))
    rates = [f"{100 * np.mean([pair[i]['one_optimal'] for pair in pairs]):.0f} %" for i in (0, 1)]
    size, samples = config.scratch.size, config.scratch.samples
    run.note(
        "slow-shorter",
        f"From scratch: tiny models on {size}x{size} mazes, trained while measuring; optimal in one of {samples} "
        f"samples for {rates[0]} (Dualformer) and {rates[1]} (complete traces) of the mazes.",
    )
    return pairs


def _ratio(one: Mapping[str, Any], other: Mapping[str, Any], key: str = "trace_length") -> float:
    return one[key] / other[key] if other[key] else float("nan")


def _tell(config: Planning, run: Run) -> None:
    trial = config.trial
    source = "models that come with the package" if trial.recipe is None else "models trained for each seed"
    for claim in run.claims:
        run.note(claim, f"{trial.size}x{trial.size} mazes, {source}, {trial.n_tasks} fresh mazes a seed.")


def _draw(config: Planning, reports: Reports, run: Run) -> None:
    labels = {key: f"{NAMES.get(key[0], key[0])}{f', {key[1]}' if key[0] == 'dualformer' else ''}" for key in reports}
    for key, of_seeds in reports.items():
        tokens = float(np.mean([report["tokens"] for report in of_seeds]))
        for seed, report in zip(run.seeds, of_seeds, strict=True):
            for k in (2**i for i in range(20) if 2**i <= report["samples"]):
                right = at_least_one_of(k, report["n_optimal"], report["samples"])
                run.log(k, seed=seed, planner=labels[key], tokens=k * tokens, optimal=right)
    figure = plots.curves(
        run.history,
        "optimal",
        x="tokens",
        by="planner",
        xlabel="tokens written for a maze: 1, 2, 4, ... samples",
        ylabel="mazes with an optimal plan",
    )
    figure.axes[0].set_xscale("log")
    run.figure("optimal-against-tokens", figure)
    lengths = {labels[key]: [report["trace_length"] for report in of] for key, of in reports.items()}
    run.figure("trace-length", _bars(lengths, "tokens of the trace"), ["slow-shorter", "auto", "all-modes"])
    written = {
        labels[key]: {LEVELS[level]: float(np.mean([report["levels"][level] for report in of])) for level in LEVELS}
        for key, of in reports.items()
        if key[0] == "dualformer" and key[1] != "fast"
    }
    run.figure("levels", plots.bars(written, ylabel="share of responses", fmt=".2f"), ["auto"])
    plans = {labels[key]: [report["diversity"] for report in of] for key, of in reports.items()}
    run.figure("diversity", _bars(plans, f"distinct correct plans of {config.trial.samples}"), ["diversity"])
    if config.trial.recipe is None:
        run.figure("maze", _example(config.trial, run), ["slow-optimal", "fast-optimal"])


def _bars(values: Mapping[str, Sequence[float]], ylabel: str) -> "Figure":
    means = {name: float(np.mean(of)) for name, of in values.items()}
    spread = {name: float(np.std(of, ddof=min(1, len(of) - 1))) for name, of in values.items()}
    return plots.bars(means, errors=spread, ylabel=ylabel)


def _example(trial: Trial, run: Run) -> "Figure":
    """The maze with the longest plan of a few, as Dualformer solves it slowly."""
    (found,) = run.map(example, [replace(trial, n_tasks=3)], "an example")
    task = MazeTask.from_text(found["maze"])
    return drawing.figure(task, found["trace"], found["plan"], "slow: cells in the order of the trace")


def example(trial: Trial, device: str) -> dict[str, Any]:
    """A maze with the best of Dualformer's slow responses: the shortest right plan, with the longest trace of those."""
    record = max(tasks_of(trial)[1], key=lambda one: one.plan_length)
    responses = runs.load("dualformer", device).solve(record.task, "slow", trial.samples, max_len=trial.max_len)
    right = [one for one in responses if one.solves(record.task)] or responses
    best = min(right, key=lambda one: (len(one.plan or ()), -one.trace_length))
    return {"maze": record.task.to_text(), "trace": list(best.trace), "plan": [list(cell) for cell in best.plan or ()]}


@dataclass(frozen=True)
class SumsConfig:
    """Sums in several steps, learned with all steps and with some left out."""

    trial: SumsTrial = field(default_factory=SumsTrial)
    p: float = 0.2
    """Chance of each step to be left out."""


@experiment(
    "llm",
    smoke=SumsConfig(SumsTrial(n_train=50, n_test=20, dim=16, layers=1, training=Training(steps=3, batch_size=8))),
    quick=SumsConfig(),
    gpu=SumsConfig(SumsTrial(n_steps=6, n_train=50_000, n_test=2000, dim=192, layers=4, heads=6)),
    paper=SumsConfig(
        SumsTrial(
            n_steps=6,
            n_train=100_000,
            n_test=5000,
            dim=192,
            layers=6,
            heads=6,
            training=Training(steps=20_000, batch_size=128, lr=1e-3),
        )
    ),
)
def dropped_steps(config: SumsConfig, run: Run) -> None:
    trials = [
        replace(config.trial, p=p, seed=seed, training=replace(config.trial.training, seed=seed))
        for seed in run.seeds
        for p in (0.0, config.p)
    ]
    found = run.map(run_sums, trials, "models of characters")
    for i in range(len(run.seeds)):
        every, dropped = found[2 * i], found[2 * i + 1]
        run.measure(
            "llm",
            accuracy_all=every["accuracy"],
            accuracy_dropped=dropped["accuracy"],
            length_all=every["length"],
            length_dropped=dropped["length"],
        )
    told = {"all steps": found[::2], f"{config.p:.0%} dropped": found[1::2]}
    accuracies = {name: [100 * one["accuracy"] for one in of] for name, of in told.items()}
    run.figure("sums-accuracy", _bars(accuracies, "right answers in %"))
    run.figure("sums-length", _bars({k: [o["length"] for o in of] for k, of in told.items()}, "characters written"))
