"""Figures: magnitudes over ‖γ‖, trainings, tasks, and ablations."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from separata.canvas import PALETTE, in_house_style

from .diagnosis import POOLED, MagnitudeReport
from .evaluation import EvaluationReport

COLORS = {
    "mip": PALETTE[0],
    "default": PALETTE[1],
    "torch": PALETTE[3],
    "biased": PALETTE[4],
    "encoding": PALETTE[2],
    "residual": PALETTE[5],
    "sliced": "#888888",
    "l1": PALETTE[3],
    "plain": PALETTE[6],
}
NAMES = {
    "mip": "MIP",
    "default": "default",
    "torch": "PyTorch's initialization",
    "biased": "output bias",
    "encoding": "encoding alone",
    "residual": "residual alone",
    "sliced": "MIP's initialization alone",
    "l1": "MIP with L1 encoding",
    "plain": "no hypernetwork",
}
TITLES = {"regularization": "Regularization path", "registration": "Registration", "scale_space": "Scale space"}
MOST_TENSORS = 12


@in_house_style
def draw_report(report: MagnitudeReport) -> Figure:
    """Magnitudes of each tensor over ‖γ‖, and of all numbers together, on logarithmic axes."""
    figure = Figure(figsize=(7.2, 4.0))
    axes = figure.subplots()
    positive = np.array(report.norms) > 0
    norms = np.array(report.norms)[positive]
    order = np.argsort(norms)
    names = [name for name in report.stds if name != POOLED][:MOST_TENSORS]
    for i, name in enumerate([*names, POOLED]):
        values = np.array(report.stds[name])[positive][order]
        if not (values > 0).all():
            continue
        is_pooled = name == POOLED
        axes.plot(
            norms[order],
            values,
            color="#000000" if is_pooled else PALETTE[i % (len(PALETTE) - 1)],
            linestyle="-" if is_pooled or i < len(PALETTE) - 1 else "--",
            linewidth=2.6 if is_pooled else 1.2,
            label=f"{name} ({report.slopes[name]:.2f})",
        )
    axes.set(xscale="log", yscale="log", xlabel="‖γ‖", ylabel=f"standard deviation of {report.quantity}")
    axes.set_title(f"{report.verdict.capitalize()}: slope {report.slope:.2f}")
    _plain(axes.xaxis)
    _plain(axes.yaxis)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", title="tensor (slope)")
    return figure


@in_house_style
def draw_evaluation(report: EvaluationReport) -> Figure:
    """Each metric over γ."""
    metrics = list(report.rows[0])
    figure = Figure(figsize=(3.2 * len(metrics) + 0.6, 3.0))
    for axes, metric in zip(np.atleast_1d(figure.subplots(1, len(metrics))), metrics, strict=True):
        axes.plot(report.gammas, [row[metric] for row in report.rows], "o-", color=PALETTE[0], markersize=4)
        axes.set(xlabel="γ", title=metric)
    return figure


@in_house_style
def draw_magnitudes(found: Mapping[str, Mapping[str, Any]]) -> Figure:
    """std(θ) over ‖γ‖ by parametrization, before and after training."""
    figure = Figure(figsize=(5.6, 3.4))
    axes = figure.subplots()
    for name, one in found.items():
        for when, style, text in (("start", "-", "at initialization"), ("end", "--", "trained")):
            axes.plot(one["norms"], one[when], style, color=COLORS[name], label=f"{NAMES[name]}, {text}")
    axes.set(xscale="log", yscale="log", xlabel="‖γ‖", ylabel="standard deviation of predicted weights")
    _plain(axes.xaxis)
    _plain(axes.yaxis)
    axes.legend()
    return figure


@in_house_style
def draw_trainings(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Training losses with the shared rates of Adam and SGD, and with each method's best setting."""
    panels = {
        "Adam at 0.001": {name: f"{name} adam" for name in ("default", "sliced", "encoding", "residual", "mip")},
        "SGD at 0.01": {name: f"{name} sgd" for name in ("default", "sliced", "encoding", "residual", "mip")},
        "Tuned": {name: f"tuned {name}" for name in ("default", "torch", "biased", "mip", "plain")},
    }
    figure = Figure(figsize=(10.4, 4.0))
    axes = figure.subplots(1, 3, sharey=True)
    for one, (title, keys) in zip(axes, panels.items(), strict=True):
        for name, key in keys.items():
            _curves(one, found[key], name)
        one.set(title=title, xlabel="step", yscale="log")
        _plain(one.yaxis)
    axes[0].set_ylabel("training loss")
    _legend(figure, axes)
    return figure


@in_house_style
def draw_tasks(found: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> Figure:
    """Training losses by task and parametrization."""
    figure = Figure(figsize=(10.4, 3.7))
    axes = np.atleast_1d(figure.subplots(1, len(found)))
    for one, (task, methods) in zip(axes, found.items(), strict=True):
        for name, results in methods.items():
            _curves(one, results, name)
        one.set(title=TITLES.get(task, task), xlabel="step", yscale="log")
        _plain(one.yaxis)
    axes[0].set_ylabel("training loss")
    _legend(figure, axes)
    return figure


@in_house_style
def draw_comparison(found: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> Figure:
    """Training losses by parametrization."""
    figure = Figure(figsize=(5.6, 3.6))
    axes = figure.subplots()
    for name, results in found.items():
        _curves(axes, results, name)
    axes.set(title=title, xlabel="step", ylabel="training loss", yscale="log")
    _plain(axes.yaxis)
    _legend(figure, [axes])
    return figure


@in_house_style
def draw_ablations(found: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]) -> Figure:
    """Losses by factor and value: a line from the default to MIP for each."""
    rows = [(factor, name) for factor, values in found.items() for name in values]
    figure = Figure(figsize=(6.4, 0.6 + 0.26 * len(rows)))
    axes = figure.subplots()
    for at, (factor, name) in enumerate(rows):
        values = found[factor][name]
        means = {which: float(np.mean(values[which])) for which in ("default", "mip")}
        axes.plot(list(means.values()), [at, at], color="#BBBBBB", linewidth=1.4, zorder=1)
        for which, mean in means.items():
            axes.plot(values[which], [at] * len(values[which]), "|", color=COLORS[which], alpha=0.6, markersize=7)
            axes.plot(mean, at, "o", color=COLORS[which], label=NAMES[which] if at == 0 else None)
    axes.set_yticks(range(len(rows)), [name for _, name in rows])
    axes.set(xscale="log", xlabel="training loss", ylim=(len(rows) - 0.5, -0.5))
    _plain(axes.xaxis)
    axes.grid(visible=False, axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def _curves(axes: Axes, results: Sequence[Mapping[str, Any]], name: str) -> None:
    for i, result in enumerate(results):
        if result["curve"]:
            steps, losses = zip(*result["curve"], strict=True)
            label = NAMES.get(name, name) if i == 0 else None
            axes.plot(steps, losses, color=COLORS.get(name), alpha=0.85, linewidth=1.3, label=label)


def _legend(figure: Figure, axes: Iterable[Axes]) -> None:
    named = {label: line for one in axes for line, label in zip(*one.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=4)


def _plain(axis: Axis) -> None:
    """Numbers at 1, 2 and 5 times powers of ten, written as people do."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
