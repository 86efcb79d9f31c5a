"""How the claims of Su et al. (2024) are measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from separata import Run, experiment, plots

from . import drawing, runs
from .configs import Mode, RunConfig, SamplingConfig, TrainConfig
from .maze import MazeTask
from .metrics import at_least_one_of
from .paper import COMPLETE, DUALFORMER, SOLUTIONS
from .records import board
from .sums import NETWORK, SumsTrial, run_sums
from .trials import Recipe, Trial, equal_diversity, make_tasks, paired_steps, prepare, run_trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"dualformer": DUALFORMER, "complete-trace": COMPLETE, "solution-only": SOLUTIONS}
"""What figures call models."""

MODES: dict[str, tuple[Mode, ...]] = {"dualformer": ("slow", "fast", "auto"), "solution-only": ("fast",)}
"""Modes in which a model is evaluated, where it is not slow alone."""

COMPARED = ("dualformer", "complete-trace", "solution-only")
LEVELS = {"0": "complete", "1": "no close", "2": "no close, no costs", "4": "no trace"}

Reports = dict[tuple[str, Mode], list[dict[str, Any]]]
"""For each model and mode the results of each seed."""


@dataclass(frozen=True)
class PlanningConfig:
    """Dualformer in its three modes, beside models trained on complete traces and on solutions."""

    trial: Trial
    """Size of the mazes, tasks and samples; with a recipe, all models are trained by it for each seed."""
    ablations: tuple[str, ...] = ()
    """Further models for the figures."""
    keeps: bool = False
    """Whether tasks and checkpoints of trainings are kept on disk."""


SMALL = Recipe(
    RunConfig(train=TrainConfig(steps=1500, batch_size=128, lr=1e-3, warmup=150, max_tokens=65_536)),
    n_train=30_000,
    is_mixed=True,
)
FULL = Recipe(
    RunConfig(train=TrainConfig(steps=400_000, batch_size=64, lr=2.5e-4, warmup=2000)),
    n_train=100_000,
    is_released=True,
)
ABLATIONS = ("mix-0.2", "level-1", "levels-1-2", "levels-1-2-3")


@experiment(
    "slow-optimal",
    "slow-shorter",
    "fast-optimal",
    "auto",
    "all-modes",
    "diversity",
    smoke=PlanningConfig(Trial("dualformer", (), size=8, n_tasks=2, sampling=SamplingConfig(3, max_len=120))),
    quick=PlanningConfig(Trial("dualformer", (), size=8, n_tasks=64, sampling=SamplingConfig(64, max_len=500))),
    gpu=PlanningConfig(
        Trial("dualformer", (), size=10, n_tasks=50, sampling=SamplingConfig(64), recipe=SMALL), keeps=True
    ),
    paper=PlanningConfig(
        Trial("dualformer", (), size=30, n_tasks=500, sampling=SamplingConfig(64, batch_size=512), recipe=FULL),
        ablations=ABLATIONS,
        keeps=True,
    ),
)
def planning(config: PlanningConfig, run: Run) -> None:
    reports = _reports(config, run)
    slow, fast, auto = (reports["dualformer", mode] for mode in ("slow", "fast", "auto"))
    complete, solution = reports["complete-trace", "slow"], reports["solution-only", "fast"]
    for i in range(len(run.seeds)):
        optimal = {
            name: of[i]["one_optimal"]
            for name, of in (
                *(("slow", slow), ("auto", auto), ("fast", fast)),
                *(("complete_trace", complete), ("solution_only", solution)),
            )
        }
        steps = {mode: _ratio(of[i], complete[i], "trace_clauses") for mode, of in (("slow", slow), ("auto", auto))}
        run.measure("slow-optimal", dualformer=optimal["slow"], complete_trace=optimal["complete_trace"])
        run.measure("fast-optimal", dualformer=optimal["fast"], solution_only=optimal["solution_only"])
        run.measure(
            "slow-shorter",
            steps=steps["slow"],
            steps_solved=paired_steps(slow[i], complete[i]),
            tokens=_ratio(slow[i], complete[i], "trace_length"),
        )
        run.measure(
            "auto",
            auto=optimal["auto"],
            complete_trace=optimal["complete_trace"],
            steps=steps["auto"],
            slow_share=auto[i]["slow_share"],
        )
        run.measure("all-modes", **optimal, slow_steps=steps["slow"], auto_steps=steps["auto"])
        among = equal_diversity(slow[i], complete[i])
        run.measure(
            "diversity",
            dualformer=slow[i]["diversity"],
            complete_trace=complete[i]["diversity"],
            dualformer_equal=among[0],
            complete_trace_equal=among[1],
        )
    _tell(config, run)
    _draw(config, reports, run)


def _reports(config: PlanningConfig, run: Run) -> Reports:
    """Every model in its modes, for each seed."""
    folder = str(run.state / "trainings") if config.keeps else ""
    trials = {
        model: replace(config.trial, model=model, modes=MODES.get(model, ("slow",)), folder=folder)
        for model in COMPARED + config.ablations
    }
    if run.compute.rank == 0:
        prepare([replace(trial, seed=seed) for seed in run.seeds for trial in trials.values()])
    run.compute.wait_for_all()
    found = run.over_seeds(run_trial, trials, "models")
    return {(model, mode): [of[mode] for of in found[model]] for model, trial in trials.items() for mode in trial.modes}


def _ratio(one: Mapping[str, Any], other: Mapping[str, Any], key: str) -> float:
    return one[key] / other[key] if other[key] else float("nan")


def _tell(config: PlanningConfig, run: Run) -> None:
    trial = config.trial
    source = SHIPPED_NOTE if trial.recipe is None else "All models are trained anew for each seed."
    for claim in run.claims:
        run.note(claim, f"{trial.size}x{trial.size} mazes, {trial.n_tasks} fresh ones a seed. {source}")


SHIPPED_NOTE = (
    "The models come with the package, 1 training each: seeds differ in mazes and samples, and do not show the spread "
    "over trainings."
)


def _draw(config: PlanningConfig, reports: Reports, run: Run) -> None:
    labels = {key: f"{NAMES.get(key[0], key[0])}{f', {key[1]}' if key[0] == 'dualformer' else ''}" for key in reports}
    run.figure(
        "optimal-against-tokens",
        _against_tokens(reports, labels, run),
        ["slow-optimal", "fast-optimal", "auto", "all-modes"],
        caption="Share of mazes with an optimal plan against the tokens written for a maze, in 1, 2, 4, ... samples.",
    )
    searching = {key: of for key, of in reports.items() if any(report["slow_share"] for report in of)}
    steps = {labels[key]: [report["trace_clauses"] for report in of] for key, of in searching.items()}
    run.figure(
        "steps",
        plots.bars(steps, ylabel="search steps of a response"),
        ["slow-shorter", "auto", "all-modes"],
        caption="Mean search steps that each model writes before its plan.",
    )
    levels = {
        labels[key]: {told: [report["levels"][level] for report in of] for level, told in LEVELS.items()}
        for key, of in reports.items()
        if key[0] == "dualformer" and key[1] != "fast"
    }
    run.figure(
        "levels",
        plots.bars(levels, ylabel="share of responses", fmt=".2f"),
        ["auto"],
        caption="The kinds of trace that Dualformer writes, by what is missing from them.",
    )
    groups = {
        "64 samples": {DUALFORMER: "dualformer", COMPLETE: "complete_trace"},
        "equally many correct responses": {DUALFORMER: "dualformer_equal", COMPLETE: "complete_trace_equal"},
    }
    run.figure(
        "diversity",
        plots.claim(run, "diversity", groups, ylabel="different correct plans of a maze"),
        ["diversity"],
        caption="Different correct plans of a maze, among all samples and among equally many correct responses.",
    )
    if config.trial.recipe is None:
        run.figure(
            "maze",
            _example(config.trial, run),
            ["slow-optimal"],
            caption="A maze solved in slow mode: darker cells come later in the trace, the line is the plan.",
        )


def _against_tokens(reports: Reports, labels: Mapping[tuple[str, Mode], str], run: Run) -> "Figure":
    for key, of_seeds in reports.items():
        tokens = float(np.mean([report["tokens"] for report in of_seeds]))
        for seed, report in zip(run.seeds, of_seeds, strict=True):
            for k in (2**i for i in range(20) if 2**i <= report["n_samples"]):
                share = at_least_one_of(k, report["n_optimal"], report["n_samples"])
                run.log(k, seed=seed, planner=labels[key], tokens=k * tokens, optimal=share)
    figure = plots.curves(
        run.history,
        "optimal",
        x="tokens",
        by="planner",
        xlabel="tokens written for a maze: 1, 2, 4, ... samples",
        ylabel="mazes with an optimal plan",
    )
    figure.axes[0].set_xscale("log")
    return figure


def _example(trial: Trial, run: Run) -> "Figure":
    """The maze with the longest plan of a few, as Dualformer solves it in slow mode."""
    (found,) = run.map(solved_maze, [replace(trial, n_tasks=3)], "an example")
    return drawing.figure(MazeTask.from_text(found["maze"]), found["trace"], found["plan"])


def solved_maze(trial: Trial, device: str) -> dict[str, Any]:
    """A maze with the best of Dualformer's slow responses: a shortest correct plan, with the longest trace of these."""
    record = max(make_tasks(trial)[1], key=lambda one: one.plan_length)
    planner = runs.load(runs.SHIPPED / "dualformer", "cpu")
    planner.model.to(device)
    (responses,) = planner.respond([record.task], "slow", trial.sampling)
    correct = [one for one in responses if one.solves(record.task)] or responses
    best = min(correct, key=lambda one: (len(one.plan or ()), -one.trace_length))
    return {
        "maze": board(record.task).to_text(),
        "trace": list(best.trace),
        "plan": [list(cell) for cell in best.plan or ()],
    }


@dataclass(frozen=True)
class SumsConfig:
    """Sums in several steps, learned with all steps and with some dropped."""

    trial: SumsTrial = field(default_factory=SumsTrial)
    p: float = 0.2
    """Probability of each step to be dropped."""
    rates: tuple[float, float] = (1.2e-2, 6e-3)
    """Learning rates with all and with dropped steps: for each the best of 3e-3, 6e-3 and 1.2e-2, on other sums."""


@experiment(
    "llm",
    smoke=SumsConfig(
        SumsTrial(
            n_train=30,
            n_test=10,
            network=replace(NETWORK, dim=16, n_layers=1),
            train=TrainConfig(steps=3, batch_size=8),
        )
    ),
    quick=SumsConfig(),
)
def dropped_steps(config: SumsConfig, run: Run) -> None:
    trials = {
        p: replace(config.trial, p=p, train=replace(config.trial.train, lr=lr))
        for p, lr in zip((0.0, config.p), config.rates, strict=True)
    }
    found = run.over_seeds(run_sums, trials, "models of characters")
    for every, dropped in zip(*found.values(), strict=True):
        run.measure(
            "llm",
            accuracy_all=every["accuracy"],
            accuracy_dropped=dropped["accuracy"],
            length_all=every["length"],
            length_dropped=dropped["length"],
        )
    run.note(
        "llm",
        f"{config.trial.n_train:,} sums of {config.trial.n_steps} steps to train on, in "
        f"{config.trial.train.steps:,} steps of {config.trial.train.batch_size}; each step dropped with "
        f"probability {config.p:g}.",
    )
    for key, ylabel, caption in (
        ("accuracy", "share of right answers", "Right answers after training with all steps and with dropped steps."),
        ("length", "characters written", "Characters written for a solution, with all steps and with dropped steps."),
    ):
        figure = plots.claim(run, "llm", [f"{key}_all", f"{key}_dropped"], ylabel=ylabel)
        run.figure(f"sums-{key}", figure, caption=caption)
