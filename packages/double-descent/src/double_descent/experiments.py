"""How the claims of Liu and Flanigan (2023) are measured."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from separata import Run, experiment

from .budgets import chosen_curve
from .configs import DataConfig, told_steps
from .drawing import (
    FactorPanel,
    Setting,
    draw_budgets,
    draw_chosen,
    draw_condition,
    draw_factors,
    draw_loss_and_peak,
    draw_networks,
)
from .peaks import find_peak, largest_rise, most_prominent
from .presets import BUDGETS, FULL, GPU, SMOKE, All, Linear, Stopped
from .sweep import SweepResult
from .trials import numbers_of, run_trial


def _sweep(rows: Sequence[dict[str, Any]], threshold: float, x: str = "width") -> SweepResult:
    """A sweep from the rows of a trial."""
    return SweepResult(numbers_of(rows), threshold, x)


def _column(result: SweepResult, width: float, metric: str, series: int = 0) -> np.ndarray:
    """A metric of each seed at the width that is nearest to one."""
    at = int(np.argmin([abs(one - width) for one in result.widths]))
    return result.curve(result.series[series], metric)[:, at]


def _prominences(result: SweepResult, series: int = 0) -> list[float]:
    """The prominence of the peak, for each seed by itself."""
    curve = result.curve(result.series[series])
    return [find_peak(result.widths, one[None], result.threshold).prominence for one in curve]


@experiment(
    "low-loss",
    "weak-or-absent",
    "condition-number",
    "optimizer",
    "learning-rate",
    "batch-size",
    "initialization",
    "normalization",
    "two-layer",
    smoke=SMOKE,
    quick=All(),
    gpu=GPU,
    paper=FULL,
)
def factors(config: All, run: Run) -> None:
    linear, networks = config.linear, config.networks
    trials = {**linear.trials(run.seeds), **networks.trials(run.seeds)}
    found = dict(zip(trials, run.map(run_trial, list(trials.values()), "sweeps"), strict=True))
    n = linear.data.n_train or 300
    sweeps = {name: _sweep(found[name], n) for name in linear.trials(run.seeds)}
    n_networks = networks.data.n_train or 200
    nets = {
        name: _sweep(found[name], n_networks * _n_classes(networks.dataset), "parameters")
        for name in networks.trials(run.seeds)
    }
    settings = _settings(sweeps, n)
    _measure_steps(run, sweeps["steps"], settings, n)
    _measure_factors(run, linear, sweeps, n)
    _measure_networks(run, sweeps, nets, n)
    _draw(run, config, sweeps, nets, settings)


def _n_classes(dataset: str) -> int:
    return {"cifar100": 100, "mini-imagenet": 100}.get(dataset, 10)


GROUPS = {
    "steps": "steps of gradient descent",
    "optimizer": "optimizer",
    "rate": "learning rate",
    "batch": "batch size",
    "init": "initialization",
    "norm": "normalization",
}


SHORT = {"rate": "η h_max = ", "batch": "batch ", "init": "std "}
"""What stands before a value of a factor where it stands alone."""


def _settings(sweeps: dict[str, SweepResult], n: int) -> list[Setting]:
    """Every setting with its training loss at the threshold and the prominence of its peak, of each seed."""
    settings = []
    for name, sweep in sweeps.items():
        factor, _, value = name.partition(" ")
        for i, (_, steps) in enumerate(sweep.series):
            label = told_steps(steps) if factor == "steps" else f"{SHORT.get(factor, '')}{value}"
            loss = _column(sweep, n, "train_mse", i)
            settings.append(Setting(GROUPS[factor], label, tuple(map(float, loss)), tuple(_prominences(sweep, i))))
    return settings


def extremes(losses: np.ndarray, peaks: np.ndarray) -> dict[str, float]:
    """The highest peak of the settings that end at a high loss, and the lowest of those that end at a low one.

    Where there is no such setting nothing is known, which is NaN, and the claim does not hold.
    """
    return {
        "highest_at_high_loss": max(peaks[losses > 2e-2], default=math.nan),
        "lowest_at_low_loss": min(peaks[losses < 5e-3], default=math.nan),
    }


def _measure_steps(run: Run, steps: SweepResult, settings: Sequence[Setting], n: int) -> None:
    by_steps = {told: _prominences(steps, i) for i, told in enumerate(BUDGETS)}
    kappas = steps.curve(steps.series[0], "condition_number")
    for i, _ in enumerate(run.seeds):
        losses, peaks = np.array([one.losses[i] for one in settings]), np.array([one.peaks[i] for one in settings])
        run.measure(
            "low-loss",
            # What is zero but for rounding is one loss.
            rank_correlation=spearmanr(-np.log(losses.clip(1e-20)), peaks).statistic,
            **extremes(losses, peaks),
        )
        run.measure(
            "weak-or-absent",
            steps_1e3=by_steps["1e3"][i],
            steps_1e4=by_steps["1e4"][i],
            steps_1e6=by_steps["1e6"][i],
            infinite=by_steps["inf"][i],
        )
        run.measure(
            "condition-number",
            half=_column(steps, n / 2, "condition_number")[i],
            threshold=_column(steps, n, "condition_number")[i],
            wide=kappas[i, -1],
            location=steps.widths[int(np.argmax(kappas[i]))] / n,
        )


def _measure_factors(run: Run, linear: Linear, sweeps: dict[str, SweepResult], n: int) -> None:
    compared = {
        "optimizer": {name: f"optimizer {name}" for name in ("sgd", "gd", "momentum", "adam")},
        "learning-rate": {"low": "rate 0.01", "medium": "rate 0.1", "high": "rate 1"},
        "batch-size": {"whole": f"batch {n}", "batch_32": "batch 32", "batch_8": "batch 8"},
    }
    for claim, names in compared.items():
        for i, _ in enumerate(run.seeds):
            errors = {key: _column(sweeps[name], n, "test_mse")[i] for key, name in names.items()}
            losses = {f"loss_{key}": _column(sweeps[name], n, "train_mse")[i] for key, name in names.items()}
            run.measure(claim, **errors, **losses)
    inits = dict(zip(("zero", "std_001", "std_01", "std_1"), (f"init {std:g}" for std in linear.stds), strict=True))
    last = _prominences(sweeps[inits["std_1"]])
    for i, _ in enumerate(run.seeds):
        errors = {key: _column(sweeps[name], n, "test_mse")[i] for key, name in inits.items()}
        run.measure("initialization", **errors, prominence_1=last[i])
    run.note("optimizer", f"{linear.steps:,} steps; SGD with batches of 32 and a tenth of the learning rate.")
    run.note("learning-rate", f"{float(linear.rate_steps):,.0f} steps.")
    run.note("batch-size", f"{linear.epochs:,} epochs at 0.1 / h_max.")
    run.note("initialization", f"{linear.steps:,} steps of gradient descent at 1 / h_max.")
    run.note("normalization", f"{float(linear.norm_steps):,.0f} steps of gradient descent at 1 / h_max.")


def _measure_networks(run: Run, sweeps: dict[str, SweepResult], nets: dict[str, SweepResult], n: int) -> None:
    peaks = {name: _prominences(one) for name, one in nets.items()}
    threshold = nets["Adam"].threshold
    losses = {name: _column(one, threshold, "train_mse") for name, one in nets.items()}
    raw, standardized = sweeps["norm none"], sweeps["norm standardize"]
    adam = nets["Adam"]
    for i, _ in enumerate(run.seeds):
        # Over all widths, so that it may be found elsewhere than at the threshold.
        highest = most_prominent(adam.curve(adam.series[0])[i])
        run.measure(
            "two-layer",
            adam=peaks["Adam"][i],
            location=adam.widths[highest] / threshold,
            sgd=peaks["SGD"][i],
            loss_adam=losses["Adam"][i],
            loss_sgd=losses["SGD"][i],
        )
        run.measure(
            "normalization",
            kappa_raw=_column(raw, n / 2, "condition_number")[i],
            kappa_standardized=_column(standardized, n / 2, "condition_number")[i],
            peak_raw=_prominences(raw)[i],
            peak_standardized=_prominences(standardized)[i],
            loss_network=losses["Adam"][i],
            loss_network_batch=losses["batch"][i],
            peak_network=peaks["Adam"][i],
            peak_network_batch=peaks["batch"][i],
        )


def _draw(
    run: Run, config: All, sweeps: dict[str, SweepResult], nets: dict[str, SweepResult], settings: Sequence[Setting]
) -> None:
    linear = config.linear
    run.figure(
        "budgets",
        draw_budgets(sweeps["steps"]),
        ["weak-or-absent", "low-loss"],
        caption="Test error and condition number by the number of features: the peak appears in long runs only.",
    )
    run.figure(
        "low-loss",
        draw_loss_and_peak(settings),
        ["low-loss"],
        caption="All settings: the lower the training loss at P = N, the higher the peak, whatever made it so.",
    )
    run.figure(
        "condition",
        draw_condition(sweeps["norm none"], sweeps["norm standardize"]),
        ["condition-number", "normalization"],
        caption="Condition number of the features by their number, as they are and standardized.",
    )
    named = {
        "optimizer": (f"Optimizer, {linear.steps:,} steps", "optimizer ", ("sgd", "gd", "momentum", "adam")),
        "rate": (f"Learning rate × h_max, {told_steps(float(linear.rate_steps))} steps", "rate ", ("0.01", "0.1", "1")),
        "batch": (f"Batch size, {linear.epochs:,} epochs", "batch ", (str(linear.data.n_train), "32", "8")),
        "init": (f"Initial weights' std, {linear.steps:,} steps", "init ", tuple(f"{one:g}" for one in linear.stds)),
        "norm": (
            f"Features, {told_steps(float(linear.norm_steps))} steps",
            "norm ",
            ("none", "center", "standardize"),
        ),
    }
    panels = [
        FactorPanel(title, {value: sweeps[prefix + value] for value in values})
        for title, prefix, values in named.values()
    ]
    run.figure(
        "factors",
        draw_factors([*panels, FactorPanel("Two-layer networks", nets)]),
        ["optimizer", "learning-rate", "batch-size", "initialization", "normalization"],
        caption="Test error by the size of the model, for each factor that the abstract names.",
    )
    run.figure(
        "networks",
        draw_networks(nets),
        ["two-layer", "normalization"],
        caption="Test and training error of two-layer networks by the number of their parameters.",
    )


@experiment(
    "real-world",
    smoke=Stopped(
        "digits",
        DataConfig(n_train=40, n_test=200, label_noise=0.2, validation=0.5),
        (10, 20, 40, 80, 200),
        ("10", "30", "100"),
        ("10", "30"),
    ),
    quick=Stopped(),
    gpu=Stopped("mnist", DataConfig(1000, 10_000, 0.2, 0.5), (250, 500, 750, 1000, 1300, 2000, 3000)),
    paper=Stopped("mnist", DataConfig(4000, 10_000, 0.2, 0.5), (1000, 2000, 3000, 4000, 5200, 8000, 12_000)),
)
def stopped(config: Stopped, run: Run) -> None:
    trials = config.trials(run.seeds)
    n = config.data.n_train or 300
    rows = run.map(run_trial, list(trials.values()), "sweeps with validation")
    sweeps = {name: _sweep(found, n) for name, found in zip(trials, rows, strict=True)}
    curves = {name: chosen_curve(one, name) for name, one in sweeps.items()}
    for i, _ in enumerate(run.seeds):
        run.measure("real-world", **{name: largest_rise(curve[i]) for name, curve in curves.items()})
    run.note(
        "real-world",
        f"{round(config.data.validation * n)} validation samples, as noisy; for each width and seed, the "
        f"best of {len(trials['gd'].budgets)} numbers of steps (gradient descent, momentum) or {len(config.budgets)}.",
    )
    run.figure(
        "chosen",
        draw_chosen(sweeps["gd"].widths, curves, n),
        caption="Test error by the number of features, with the number of steps chosen on validation data.",
    )
