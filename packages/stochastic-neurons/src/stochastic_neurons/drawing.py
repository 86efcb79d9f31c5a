"""Figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from torch import Tensor

from separata import plots

from .sparsity import GateActivity
from .statistics import EstimatorStatistics


def draw_estimators(found: Mapping[str, EstimatorStatistics]) -> Figure:
    """Bias and standard deviation of estimators, over the norm of the gradient.

    Args:
        found: The statistics of each estimator, by name.
    """
    figure = Figure(figsize=(7.2, 0.42 * len(found) + 1.3), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    names, places = list(found), np.arange(len(found))[::-1]
    for axes, title, values in (
        (left, "bias", [float(one.bias.norm() / one.target.norm().clamp_min(1e-300)) for one in found.values()]),
        (
            right,
            "standard deviation of a sample",
            [float(one.variance.sum().sqrt() / one.target.norm().clamp_min(1e-300)) for one in found.values()],
        ),
    ):
        axes.barh(places, values, height=0.6, color="#4878d0" if axes is left else "#ee854a")
        for place, value in zip(places, values, strict=True):
            axes.annotate(
                f"{value:.3g}", (value, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
            )
        axes.set_xlim(0, 1.2 * max([*values, 1e-12]))
        axes.set_title(f"{title}, relative to the gradient", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    left.set_yticks(places, names)
    return figure


def draw_gates(found: Mapping[str, Sequence[Mapping[str, Any]]], n_baselines: int) -> Figure:
    """Test error over activity of each gate.

    Args:
        found: Rows with `error` and `activity`, one for each seed, by the name of the gate; the baselines last.
        n_baselines: Number of these.
    """
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    grays = ("#222222", "#777777", "#bbbbbb")
    for i, (name, rows) in enumerate(found.items()):
        done = [row for row in rows if not row.get("diverged")]
        of_baselines = i - (len(found) - n_baselines)
        axes.scatter(
            [row["activity"] for row in done],
            [row["error"] for row in done],
            s=34,
            marker="o" if of_baselines < 0 else "s",
            color=plots.PALETTE[i % len(plots.PALETTE)] if of_baselines < 0 else grays[of_baselines % len(grays)],
            edgecolors="white",
            linewidths=0.6,
            label=name,
        )
    axes.set(xlabel="share of gates that are not 0", ylabel="test error")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    figure.legend(loc="outside right center", frameon=False, fontsize=8)
    return figure


def draw_speeds(rows: Sequence[Mapping[str, float]]) -> Figure:
    """Speed-up over the size of the batch.

    Args:
        rows: With `batch`, `skipping` and `masked`, one for each seed and size.
    """
    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    axes = figure.subplots()
    sizes = sorted({row["batch"] for row in rows})
    for key, label, color in (
        ("skipping", "inactive blocks skipped", "#4878d0"),
        ("masked", "all computed, then masked", "#999999"),
    ):
        values = [[row[key] for row in rows if row["batch"] == size] for size in sizes]
        axes.plot(sizes, [float(np.mean(one)) for one in values], "o-", color=color, label=label)
        axes.fill_between(
            sizes, [min(one) for one in values], [max(one) for one in values], color=color, alpha=0.2, lw=0
        )
    axes.axhline(1, color="black", lw=0.8, ls=":")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{int(size)}" for size in sizes])
    axes.set(xlabel="examples in a pass", ylabel="speed-up over no gates", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def draw_activity(activity: GateActivity) -> Figure:
    """Histograms of how often each gate is on, and of how many are on for each example."""
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    for axes, values, label, of in (
        (figure.add_subplot(1, 2, 1), activity.of_gate, "share of examples for which it is on", "gates"),
        (figure.add_subplot(1, 2, 2), activity.of_example, "share of gates that are on", "examples"),
    ):
        numbers: Float[Tensor, n] = values
        axes.hist(numbers.cpu().numpy(), bins=[i / 40 for i in range(41)], color="#4878d0")
        axes.axvline(activity.mean, color="#d65f5f", lw=1.2)
        axes.annotate(
            f"mean {activity.mean:.3f}",
            (activity.mean, 1),
            (4, -10),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color="#d65f5f",
            fontsize=8,
        )
        axes.set(xlabel=label, ylabel=of, xlim=(0, 1))
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.spines[["top", "right"]].set_visible(False)
    return figure
