"""How the claims of Gonzalez Ortiz, Guttag and Dalca (ICLR 2024) are measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from separata import Run, Unmeasured, experiment

from .drawing import draw_ablations, draw_magnitudes, draw_tasks, draw_trainings
from .paper import FACTORS, TASKS
from .presets import (
    ABLATIONS,
    COMPARISONS,
    COSTS,
    METHODS,
    PARTS,
    SLOPES,
    TASK_PRESETS,
    Ablations,
    Comparison,
    Costs,
    Slopes,
    Tasks,
)
from .trials import Trial, run_costs, run_slopes, run_trial

Result = dict[str, Any]

FAILED = 10.0
"""Instead of a loss that is not finite."""
NOT_YET = {"quick": Unmeasured("not measured yet")}


@experiment("slow", "unstable", "stabilizes", **(COMPARISONS | NOT_YET))
def comparison(config: Comparison, run: Run) -> None:
    candidates = {name: config.candidates(name, run.seeds[0]) for name in METHODS}
    tuned = run.choose(run_trial, candidates, _score, "settings", every_seed=True)
    wanted: dict[str, Trial] = {f"tuned {name}": trial for name, trial in tuned.items()}
    for name in ("plain", "default"):
        wanted |= {f"{name} {i}": trial for i, trial in enumerate(candidates[name])}
    fixed = ("mip", "default", *PARTS)
    for name in fixed:
        wanted |= {f"{name} {optimizer}": config.fixed(name, optimizer) for optimizer in ("adam", "sgd")}
    found = run.over_seeds(run_trial, wanted, "trainings")
    for i, _ in enumerate(run.seeds):
        own = {name: results[i] for name, results in found.items()}
        spreads = {
            name: [own[f"{name} {k}"]["steps"] for k in range(len(candidates[name]))] for name in ("plain", "default")
        }
        run.measure(
            "slow",
            plain=own["tuned plain"]["steps"],
            default=own["tuned default"]["steps"],
            **{f"spread_{name}": max(steps) / min(steps) for name, steps in spreads.items()},
        )
        losses = {
            f"{name}_{optimizer}": _last(own[f"{name} {optimizer}"]) for name in fixed for optimizer in ("adam", "sgd")
        }
        failed = {name: fmean(own[f"{name} {optimizer}"]["failed"] for optimizer in ("adam", "sgd")) for name in fixed}
        run.measure(
            "unstable",
            default_adam=losses["default_adam"],
            encoded_adam=losses["encoding_adam"],
            default_sgd=losses["default_sgd"],
            encoded_sgd=losses["encoding_sgd"],
            failed_default=failed["default"],
            sliced_adam=losses.pop("sliced_adam"),
            sliced_sgd=losses.pop("sliced_sgd"),
            failed_encoded=failed["encoding"],
            failed_sliced=failed["sliced"],
        )
        del losses["encoding_adam"], losses["encoding_sgd"]
        run.measure(
            "stabilizes",
            **losses,
            failed_mip=failed["mip"],
            failed_default=failed["default"],
            **{f"tuned_{name}": _last(own[f"tuned {name}"]) for name in METHODS if name != "plain"},
            **{f"steps_{name}": own[f"tuned {name}"]["steps"] for name in METHODS if name != "plain"},
            accuracy_mip=own["mip adam"]["test"].get("accuracy") or 0,
            accuracy_default=own["default adam"]["test"].get("accuracy") or 0,
        )
    chosen = "; ".join(f"{METHODS[name].label} {one.train.optimizer} {one.train.rate:g}" for name, one in tuned.items())
    for claim in ("slow", "stabilizes"):
        run.note(claim, f"Chosen: {chosen}.")
    run.figure(
        "trainings",
        draw_trainings(found),
        caption="Training loss of hypernetworks that classify images for γ uniform on [0, 1]; a line for each seed.",
    )


@experiment("proportional", **(SLOPES | NOT_YET))
def slopes(config: Slopes, run: Run) -> None:
    found = run.over_seeds(run_slopes, config.trials(), "magnitudes")
    for default, mip in zip(found["default"], found["mip"], strict=True):
        run.measure(
            "proportional",
            default=default["slope"],
            deviation=default["deviation"],
            mip=abs(mip["slope"]),
            mip_ratio=mip["ratio"],
            default_trained=default["trained"],
            mip_trained=abs(mip["trained"]),
        )
    run.note("proportional", f"Trained for {config.train.steps} steps.")
    run.figure(
        "magnitudes",
        draw_magnitudes({name: results[0] for name, results in found.items()}),
        caption="Standard deviation of the predicted weights over ‖γ‖, before and after training.",
    )


@experiment("tasks", **(TASK_PRESETS | NOT_YET))
def tasks(config: Tasks, run: Run) -> None:
    candidates = config.candidates(run.seeds[0])
    tuned = run.choose(run_trial, candidates, _score, "settings")
    found = run.over_seeds(run_trial, tuned, "trainings")
    for i, _ in enumerate(run.seeds):
        losses = {key.replace(" ", "_"): _test(results[i]) for key, results in found.items()}
        failed = [results[i]["failed"] for key, results in found.items() if key.endswith(" mip")]
        run.measure("tasks", **losses, failed=fmean(failed))
    told = ", ".join(f"{key.replace('_', ' ')} {one.train.rate:g}" for key, one in tuned.items())
    run.note("tasks", f"Learning rates: {told}.")
    run.figure(
        "tasks",
        draw_tasks({name: {key: found[f"{name} {key}"] for key in ("mip", "default", "torch")} for name in TASKS}),
        caption="Training loss on three tasks whose loss or network depends on γ.",
    )


@experiment("ablations", **(ABLATIONS | NOT_YET))
def ablations(config: Ablations, run: Run) -> None:
    cells = config.cells()
    settings = {
        (name, which): config.trial(cell, which) for name, cell in cells.items() for which in ("mip", "default")
    }
    found = run.over_seeds(run_trial, settings, "trainings")
    gains = {
        name: [
            _last(default) - _last(mip) for mip, default in zip(found[name, "mip"], found[name, "default"], strict=True)
        ]
        for name in cells
    }
    for i, _ in enumerate(run.seeds):
        shares = {factor: fmean(gains[name][i] > 0 for name in config.names_of(factor)) for factor in FACTORS}
        own = [gains[name][i] for name in config.distinct()]
        run.measure("ablations", share=fmean(gain > 0 for gain in own), **shares, gain=fmean(own))
    n_distinct = len(config.distinct())
    run.note(
        "ablations",
        f"{n_distinct} settings, each for {config.steps} steps with Adam at 1e-3, or SGD at 1e-2; losses are means "
        f"over the last 100.",
    )
    losses = {(name, which): [_last(one) for one in results] for (name, which), results in found.items()}
    run.figure(
        "ablations",
        draw_ablations(
            {factor: {name: losses_of(losses, name) for name in config.names_of(factor)} for factor in FACTORS}
        ),
        caption="Training loss of MIP and of the default with one setting changed at a time.",
    )


def losses_of(losses: Mapping[tuple[str, str], Sequence[float]], name: str) -> dict[str, Sequence[float]]:
    """Losses of a setting by parametrization."""
    return {which: losses[name, which] for which in ("mip", "default")}


@experiment("no-extra-cost", **(COSTS | NOT_YET))
def costs(config: Costs, run: Run) -> None:
    for seed in run.seeds:
        found = run.once(run_costs, replace(config.trial, seed=seed), str(run.device))
        run.measure("no-extra-cost", **{key: value for key, value in found.items() if key != "milliseconds"})
    run.note("no-extra-cost", f"A step with MIP takes {found['milliseconds']:.1f} ms.")


def _score(result: Result) -> float:
    """Of a candidate: its loss on held-out samples."""
    return math.nan if result["validation"] is None else -result["validation"]


def _last(result: Result) -> float:
    return FAILED if result["last"] is None else min(result["last"], FAILED)


def _test(result: Result) -> float:
    loss = result["test"].get("loss")
    return FAILED if loss is None else min(loss, FAILED)
