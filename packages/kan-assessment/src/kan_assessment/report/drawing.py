"""Figures of an assessment: win, tie and loss by domain, Pareto fronts, ratios of step times, scaling."""

from collections.abc import Mapping, Sequence
from itertools import cycle

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from kan_assessment.configs import By
from kan_assessment.protocol.comparison import Comparison
from kan_assessment.protocol.pareto import pareto_front
from kan_assessment.protocol.statistics import band
from kan_assessment.protocol.verdicts import EQUAL
from separata.canvas import PALETTE, add_legend, canvas, in_house_style

MARKERS = "osD^vPX"


@in_house_style
def draw_advantages(
    comparisons: Sequence[Comparison], labels: Mapping[str, str], by: Sequence[By] = ("params",)
) -> Figure:
    """Each model's advantage over the reference at each task, with its interval, in tie bands; grouped by domain.

    Args:
        comparisons: The comparisons.
        labels: What models are called.
        by: The kinds of budgets, in colors of their own where there is one other model, else only the first.
    """
    comparisons = sorted(comparisons, key=lambda one: one.domain)
    series = [
        (model, one)
        for one in by
        for model in dict.fromkeys(
            entry.model for c in comparisons for entry in c.entries if entry.model != c.reference
        )
        if any((entry := c.entry(model, one)) and entry.advantage for c in comparisons)
    ]
    reference = labels.get(comparisons[0].reference, comparisons[0].reference)
    figure, axes = canvas(f"advantage over the {reference}, in tie bands (right is better)", None, None)
    n_rows = len(comparisons)
    figure.set_figheight(1.4 + 0.14 * n_rows * max(2.0, len(series)))
    axes.axvspan(-1, 1, color="#EEEEEE", zorder=0)
    axes.axvline(0, color="#444444", linewidth=0.8)
    for number, ((model, budget), color) in enumerate(zip(series, cycle(PALETTE))):
        rows = [(i, c.entry(model, budget), c) for i, c in enumerate(comparisons)]
        found = [(i, e, band(is_lower_better=c.is_lower_better)) for i, e, c in rows if e and e.advantage]
        at = [i + (number + 0.5) / len(series) * 0.8 - 0.4 for i, _, _ in found]
        middle = [e.advantage.mean / width for _, e, width in found if e.advantage]
        low = [(e.advantage.mean - e.advantage.low) / width for _, e, width in found if e.advantage]
        high = [(e.advantage.high - e.advantage.mean) / width for _, e, width in found if e.advantage]
        name = labels.get(model, model) + (f", {EQUAL[budget]}" if len(by) > 1 else "")
        marker = MARKERS[number % len(MARKERS)]
        axes.errorbar(
            middle, at, xerr=[low, high], fmt=marker, color=color, markersize=4, linewidth=1, capsize=2, label=name
        )
    axes.set_xscale("symlog", linthresh=2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_yticks(range(n_rows), [f"{c.domain}: {c.task}" for c in comparisons])
    axes.set_ylim(n_rows - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    add_legend(figure, axes)
    return figure


@in_house_style
def draw_pareto(comparison: Comparison, labels: Mapping[str, str], cost: str = "params") -> Figure:
    """Every trial's value against its cost, with the Pareto front of each model.

    Args:
        comparison: The comparison.
        labels: What models are called.
        cost: The cost: params, flops or flops_shared.
    """
    names = {"params": "trainable parameters", "flops": "FLOPs", "flops_shared": "FLOPs with shared bases"}
    unit = " (%)" if comparison.metric == "accuracy" else ""
    figure, axes = canvas(names[cost], f"{comparison.metric} on test samples{unit}", comparison.task)
    models = dict.fromkeys(row["model"] for row in comparison.trials)
    for model, color in zip(models, cycle(PALETTE)):
        rows = [row for row in comparison.trials if row["model"] == model and row["test"] is not None]
        costs, values = [row[cost] for row in rows], [row["test"] for row in rows]
        axes.plot(costs, values, "o", color=color, alpha=0.35, markersize=4)
        front = pareto_front(costs, values, is_lower_better=comparison.is_lower_better)
        axes.plot(
            [costs[i] for i in front], [values[i] for i in front], "o-", color=color, label=labels.get(model, model)
        )
    axes.set_xscale("log")
    if comparison.is_lower_better:
        axes.set_yscale("log")
    add_legend(figure, axes)
    return figure


@in_house_style
def draw_ratios(ratios: Mapping[str, Mapping[int, float]], quoted: tuple[float, float] | None = None) -> Figure:
    """Step times of models relative to an MLP's against the width.

    Args:
        ratios: For each model the ratio at each width.
        quoted: A range to compare with.
    """
    figure, axes = canvas("width of the hidden layer", "step time relative to the MLP's", None)
    for (name, points), color, marker in zip(ratios.items(), cycle(PALETTE), cycle(MARKERS)):
        axes.plot(list(points), list(points.values()), f"{marker}-", color=color, label=name, markersize=4)
    axes.set(xscale="log", yscale="log")
    axes.axhline(1, color="#444444", linewidth=0.8)
    if quoted:
        axes.axhspan(*quoted, color="#EEEEEE", zorder=0, label=f"quoted: {quoted[0]:g} to {quoted[1]:g}")
    widths = sorted({width for points in ratios.values() for width in points})
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.minorticks_off()
    add_legend(figure, axes)
    return figure


@in_house_style
def draw_scaling(errors: Mapping[str, Mapping[float, Sequence[float]]], ylabel: str = "test error (rmse)") -> Figure:
    """Errors against sizes of networks on logarithmic axes, the mean over seeds in a band of one standard deviation.

    Args:
        errors: For each series, by size, the errors of the seeds.
        ylabel: What the errors are.
    """
    import numpy as np

    figure, axes = canvas("trainable parameters", ylabel, None)
    for number, ((name, points), color) in enumerate(zip(errors.items(), cycle(PALETTE))):
        sizes = sorted(points)
        means = np.array([np.mean(points[size]) for size in sizes])
        spread = np.array([np.std(points[size], ddof=1) if len(points[size]) > 1 else 0.0 for size in sizes])
        line = "--" if number >= len(PALETTE) else "-"
        axes.plot(sizes, means, f"o{line}", color=color, label=name, markersize=3)
        axes.fill_between(sizes, np.maximum(means - spread, means / 3), means + spread, color=color, alpha=0.18)
    axes.set(xscale="log", yscale="log")
    add_legend(figure, axes)
    return figure
