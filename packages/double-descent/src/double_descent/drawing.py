"""The pictures: errors over widths with the threshold marked, and the height of the peak by the training loss."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from separata.canvas import PALETTE, in_house_style

from .axes import GREY, as_log, as_ratio, draw_curve, mark_threshold, new_figure, sequence, told_number
from .configs import LABELS, told_steps
from .labels import place_labels, stack_right
from .peaks import RATIO

if TYPE_CHECKING:
    from .minimal import MinimalDemo
    from .report import PeakReport

MARKERS = "osD^vP*X"
METRIC_NAMES = {
    "test_mse": "test MSE",
    "train_mse": "training MSE",
    "test_error": "test error",
    "train_error": "training error",
    "validation_mse": "validation MSE",
    "norm": "norm of the weights",
    "condition_number": "condition number κ",
}
NAMES = {
    "none": "as they are",
    "center": "centered",
    "standardize": "standardized",
    "Adam": "Adam, long",
    "SGD": "SGD, short",
    "batch": "Adam, batch norm.",
    "layer": "Adam, layer norm.",
} | LABELS
"""What settings are called in figures."""


@runtime_checkable
class Sweep(Protocol):
    """What is drawn of a sweep; see `sweep.SweepResult`."""

    @property
    def threshold(self) -> float:
        """Width at which the training data can just be interpolated."""

    @property
    def x(self) -> str:
        """What the widths are: `width` or `parameters`."""

    @property
    def widths(self) -> list[float]:
        """The widths."""

    @property
    def series(self) -> list[tuple[str, float]]:
        """The settings, with their numbers of steps."""

    def label(self, series: tuple[str, float]) -> str:
        """The name of one."""

    def curve(self, series: tuple[str, float], metric: str = "test_mse") -> Float[np.ndarray, "seeds widths"]:
        """A metric of each seed at each width."""


@dataclass(frozen=True)
class Setting:
    """One point of the unifying picture.

    Attributes:
        factor: What is varied.
        label: Its value.
        losses: Training MSE at P = N of each seed.
        peaks: Prominence of the peak of each seed.
    """

    factor: str
    label: str
    losses: tuple[float, ...]
    peaks: tuple[float, ...]


@dataclass(frozen=True)
class FactorPanel:
    """A panel of the small multiples: sweeps that differ in one factor, by its value."""

    title: str
    sweeps: Mapping[str, "Sweep"]


@in_house_style
def draw_budgets(sweep: "Sweep") -> Figure:
    """Draw the test error over the width for each number of steps, and the condition number below."""
    figure = new_figure(6.4, 5.4)
    top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [2.5, 1]})
    x = [width / sweep.threshold for width in sweep.widths]
    colors = sequence(len(sweep.series))
    inside = [i for i, one in enumerate(x) if 0.5 <= one <= 2]
    heights = []
    for one, color in zip(sweep.series, colors, strict=True):
        curve = sweep.curve(one)
        draw_curve(top, x, curve, color)
        highest = max(inside, key=lambda i: curve.mean(0)[i])
        heights.append((x[highest], float(curve.mean(0)[highest])))
    as_log(top)
    as_ratio(top, x[0], x[-1])
    top.set_ylabel("test MSE")
    mark_threshold(top, text="interpolation threshold, P = N")
    steps = [f"{told_steps(steps)} steps" for _, steps in sweep.series]
    stack_right(top, heights, [one if one != "∞ steps" else "least squares (∞)" for one in steps], colors)
    kappa = sweep.curve(sweep.series[0], "condition_number")
    draw_curve(bottom, x, kappa, "#333333")
    as_log(bottom)
    mark_threshold(bottom)
    bottom.set_ylabel("condition\nnumber κ")
    bottom.set_xlabel("features per training sample, P / N")
    return figure


@in_house_style
def draw_loss_and_peak(settings: Sequence[Setting]) -> Figure:
    """Draw the prominence of the peak against the training loss that each setting reaches at P = N."""
    figure = new_figure(7.4, 5.2)
    axes = figure.add_subplot()
    means = [float(np.mean(one.losses)) for one in settings]
    # Interpolation has no logarithm: it stands at the end of the axis, as zero.
    reached = [loss for loss in means if loss > 1e-8]
    zero = 10.0 ** (math.floor(math.log10(min(reached))) - 0.5)
    at = [max(loss, zero) for loss in means]
    factors = list(dict.fromkeys(one.factor for one in settings))
    points = []
    for factor, color, marker in zip(factors, cycle(PALETTE), cycle(MARKERS)):
        own = [(loss, one) for loss, one in zip(at, settings, strict=True) if one.factor == factor]
        peaks = [float(np.mean(one.peaks)) for _, one in own]
        low = [peak - min(one.peaks) for peak, (_, one) in zip(peaks, own, strict=True)]
        high = [max(one.peaks) - peak for peak, (_, one) in zip(peaks, own, strict=True)]
        axes.errorbar(
            [loss for loss, _ in own],
            peaks,
            yerr=[low, high],
            fmt=marker,
            color=color,
            markersize=6.5,
            markeredgecolor="white",
            markeredgewidth=0.7,
            elinewidth=1,
            alpha=0.95,
            label=factor,
        )
        points += [
            (loss, peak, NAMES.get(one.label, one.label), color) for (loss, one), peak in zip(own, peaks, strict=True)
        ]
    axes.set_xscale("log")
    as_log(axes)
    axes.invert_xaxis()
    axes.axhline(RATIO, color=GREY, linewidth=1.1, linestyle=(0, (4, 3)), zorder=0.5)
    axes.text(
        0.995,
        RATIO,
        "no peak below",
        transform=axes.get_yaxis_transform(),
        ha="right",
        va="top",
        color="#555555",
        fontsize=8.5,
    )
    ticks = [10.0**k for k in range(math.ceil(math.log10(zero) + 0.1), 2) if zero < 10.0**k <= max(at) * 2]
    named = [*(told_number(tick) for tick in ticks)]
    if min(means) <= zero:
        ticks, named = [*ticks, zero], [*named, "0"]
    axes.set_xticks(ticks, named)
    axes.set_xlabel("training MSE at P = N   (the optimizer gets further →)")
    axes.set_ylabel("prominence of the double-descent peak")
    axes.legend(loc="upper left", handletextpad=0.4)
    place_labels(axes, points)
    return figure


@in_house_style
def draw_condition(raw: "Sweep", standardized: "Sweep") -> Figure:
    """Draw the condition number of the features over their number."""
    figure = new_figure(6.0, 3.6)
    axes = figure.add_subplot()
    x = [width / raw.threshold for width in raw.widths]
    ends = []
    for sweep, color in ((raw, PALETTE[0]), (standardized, PALETTE[1])):
        curve = sweep.curve(sweep.series[0], "condition_number")
        draw_curve(axes, x, curve, color)
        ends.append((x[-1], float(curve.mean(0)[-1])))
    as_log(axes)
    as_ratio(axes, x[0], x[-1])
    mark_threshold(axes, text="P = N")
    stack_right(axes, ends, ["features as they are", "standardized"], [PALETTE[0], PALETTE[1]])
    axes.set_xlabel("features per training sample, P / N")
    axes.set_ylabel("condition number κ")
    return figure


@in_house_style
def draw_factors(panels: Sequence[FactorPanel]) -> Figure:
    """Draw the test error over the size of the model, a panel for each factor; names carry the training loss."""
    figure = new_figure(9.6, 5.9)
    grid = figure.subplots(2, -(-len(panels) // 2), squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        sweeps = list(panel.sweeps.items())
        is_ordered = all(name.replace(".", "").isdecimal() for name, _ in sweeps)
        colors = sequence(len(sweeps)) if is_ordered else list(PALETTE)
        for (name, sweep), color in zip(sweeps, cycle(colors)):
            x = [width / sweep.threshold for width in sweep.widths]
            near = int(np.argmin([abs(math.log(one)) for one in x]))
            loss = float(sweep.curve(sweep.series[0], "train_mse")[:, near].mean())
            draw_curve(axes, x, sweep.curve(sweep.series[0]), color, f"{NAMES.get(name, name)}  ({loss:.2g})")
        as_log(axes)
        as_ratio(axes, x[0], x[-1])
        mark_threshold(axes)
        axes.set_title(panel.title, fontsize=9.5)
        # Room for the names above the curves.
        low, high = axes.get_ylim()
        axes.set_ylim(low, high * (high / low) ** (0.16 * len(sweeps)))
        legend = axes.legend(
            loc="upper right",
            fontsize=7.5,
            title="(training MSE at threshold)",
            title_fontsize=7,
            handlelength=1.3,
            borderaxespad=0.1,
            labelspacing=0.25,
        )
        legend._legend_box.align = "right"
    for axes in grid[:, 0]:
        axes.set_ylabel("test MSE")
    for axes in grid[-1]:
        axes.set_xlabel("parameters per target, p / (N C)" if axes is grid[-1][-1] else "features per sample, P / N")
    return figure


@in_house_style
def draw_networks(sweeps: Mapping[str, "Sweep"]) -> Figure:
    """Draw test and training error of two-layer networks over the number of their parameters."""
    figure = new_figure(6.6, 5.4)
    top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [1.6, 1]})
    for axes, metric in ((top, "test_mse"), (bottom, "train_mse")):
        ends = []
        for sweep, color, marker in zip(sweeps.values(), cycle(PALETTE), cycle(MARKERS)):
            curve = sweep.curve(sweep.series[0], metric).clip(1e-9)
            x = [width / sweep.threshold for width in sweep.widths]
            draw_curve(axes, x, curve, color, marker=marker)
            ends.append((x[-1], float(curve.mean(0)[-1])))
        as_log(axes)
        as_ratio(axes, x[0], x[-1])
        names = [NAMES.get(name, name) for name in sweeps]
        stack_right(axes, ends, names, list(islice(cycle(PALETTE), len(names))))
        axes.set_ylabel(METRIC_NAMES[metric])
        mark_threshold(axes, text="p = N C" if axes is top else "")
    bottom.set_xlabel("parameters per training target, p / (N C)")
    return figure


@in_house_style
def draw_chosen(
    widths: Sequence[float], curves: Mapping[str, Float[np.ndarray, "seeds widths"]], n_train: float
) -> Figure:
    """Draw the test error with budgets chosen on validation data, and that of least squares."""
    figure = new_figure(6.6, 3.9)
    axes = figure.add_subplot()
    x = [width / n_train for width in widths]
    ends = []
    for (name, curve), color, marker in zip(curves.items(), cycle(PALETTE), cycle(MARKERS)):
        shade = GREY if name == "unstopped" else color
        draw_curve(axes, x, curve, shade, marker=marker)
        ends.append((x[-1], float(curve.mean(0)[-1]), shade))
    as_log(axes)
    as_ratio(axes, x[0], x[-1])
    mark_threshold(axes, text="P = N")
    names = ["least squares, not stopped" if name == "unstopped" else f"{NAMES[name]}, stopped" for name in curves]
    stack_right(axes, [(a, b) for a, b, _ in ends], names, [color for _, _, color in ends])
    axes.set_xlabel("features per training sample, P / N")
    axes.set_ylabel("test MSE")
    return figure


@in_house_style
def draw_sweep(sweep: "Sweep", metric: str = "test_mse") -> Figure:
    """Draw a metric over the size of the model, a line for each setting and number of steps."""
    figure = new_figure(6.8, 4.2)
    axes = figure.add_subplot()
    x = [width / sweep.threshold for width in sweep.widths]
    is_ordered = len({name for name, _ in sweep.series}) == 1
    colors = sequence(len(sweep.series)) if is_ordered else list(islice(cycle(PALETTE), len(sweep.series)))
    ends = []
    for one, color, marker in zip(sweep.series, colors, cycle(MARKERS)):
        curve = sweep.curve(one, metric)
        draw_curve(axes, x, curve, color, marker=marker)
        inside = [i for i, place in enumerate(x) if 0.5 <= place <= 2] or [len(x) - 1]
        highest = max(inside, key=lambda i: curve.mean(0)[i])
        ends.append((x[highest], float(curve.mean(0)[highest])))
    if min(one for _, one in ends) > 0:
        as_log(axes)
    as_ratio(axes, x[0], x[-1])
    is_network = sweep.x == "parameters"
    mark_threshold(axes, text="p = N C" if is_network else "P = N")
    names = [" ".join(NAMES.get(word, word) for word in [sweep.label(one)]) for one in sweep.series]
    stack_right(axes, ends, names, colors)
    axes.set_xlabel(
        "parameters per training target, p / (N C)" if is_network else "features per training sample, P / N"
    )
    axes.set_ylabel(METRIC_NAMES.get(metric, metric))
    return figure


@in_house_style
def draw_report(report: "PeakReport") -> Figure:
    """Draw training and test error by the number of steps; an infinite number stands at the end."""
    figure = new_figure(6.2, 3.7)
    axes = figure.add_subplot()
    rows = [row for row in report.rows if row.steps > 0]
    finite = [row.steps for row in rows if math.isfinite(row.steps)]
    end = 10 * max(finite, default=1.0)
    at = [row.steps if math.isfinite(row.steps) else end for row in rows]
    ends = []
    for metric, color, marker in (("test_mse", PALETTE[1], "o"), ("train_mse", PALETTE[0], "s")):
        values = [max(getattr(row, metric), 1e-12) for row in rows]
        axes.plot(at, values, color=color, marker=marker, markersize=4)
        ends.append((at[-1], values[-1]))
    axes.set_xscale("log")
    as_log(axes)
    ticks = sorted(set(at))
    shown = ticks if len(ticks) <= 8 else ticks[:: -(-len(ticks) // 8)]
    axes.set_xticks(shown, ["∞" if tick == end and len(finite) < len(rows) else told_steps(tick) for tick in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    best = min(zip(at, rows, strict=True), key=lambda one: one[1].test_mse)
    axes.plot(best[0], best[1].test_mse, "o", markersize=11, fillstyle="none", color="#222222")
    axes.annotate("best", (best[0], best[1].test_mse), xytext=(0, 9), textcoords="offset points", ha="center")
    stack_right(axes, ends, ["test MSE", "training MSE"], [PALETTE[1], PALETTE[0]])
    axes.set_xlabel("steps of gradient descent")
    axes.set_ylabel("mean squared error")
    axes.set_title(f"P = {report.n_features:,}, N = {report.n_samples:,}, κ = {report.condition_number:.2g}")
    return figure


@in_house_style
def draw_minimal(demo: "MinimalDemo") -> Figure:
    """Draw the four curves of the minimal example, each of which peaks at P = N."""
    figure = new_figure(7.2, 4.8)
    panels = figure.subplots(2, 2, sharex=True)
    named = (
        ("test_error", "test error"),
        ("test_mse", "test MSE"),
        ("condition_number", "condition number κ"),
        ("norm", "norm of the weights"),
    )
    x = [width / demo.n_train for width in demo.widths]
    for axes, (name, title), color in zip(panels.flat, named, PALETTE[:4], strict=True):
        axes.plot(x, getattr(demo, name), color=color, marker="o", markersize=3.2)
        mark_threshold(axes, text="P = N" if name == "test_error" else "")
        if name != "test_error":
            as_log(axes)
        axes.set_title(title, fontsize=10)
    for axes in panels[-1]:
        axes.set_xlabel("features per sample, P / N")
    return figure
