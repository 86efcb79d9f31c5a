"""Pictures: basis functions, fitted functions, predictions, and networks by their size."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from separata import plots
from separata.canvas import PALETTE, add_legend, canvas, in_house_style

from .comparison import ComparisonRow
from .configs import Activation, Combination
from .layers.features import basis_features
from .layers.grids import uniform_grid

N_POINTS = 400
N_DOTS = 5000
"""Predictions that are drawn as dots."""
MARGIN = 0.75
"""How far beyond the grid basis functions are drawn."""
GRID_COLOR = "#D9E6F2"
"""Of the grid, dark enough to be seen between narrow functions."""


@in_house_style
def draw_basis(
    pairs: Sequence[tuple[Activation, Combination]], grid_size: int = 3, order: int = 3, n_columns: int = 4
) -> Figure:
    """Draw the n basis functions of several activations and combinations, a panel each.

    Args:
        pairs: The activation and the combination of each panel.
        grid_size: g.
        order: k.
        n_columns: Panels of a row.
    """
    low, high = uniform_grid(grid_size, order)
    x = torch.linspace(float(low[0]) - MARGIN, float(high[-1]) + MARGIN, N_POINTS)
    n_rows = -(-len(pairs) // n_columns)
    figure = _panels(2.35 * min(n_columns, len(pairs)) + 0.4, 2.0 * n_rows + 0.3)
    panels = figure.subplots(n_rows, min(n_columns, len(pairs)), squeeze=False, sharex=True)
    for axes in panels.flat[len(pairs) :]:
        axes.set_visible(False)
    for axes, (activation, combination) in zip(panels.flat, pairs, strict=False):
        values = basis_features(x, low, high, activation, combination)
        for i, color in zip(range(len(low)), cycle(PALETTE)):
            axes.plot(x.numpy(), values[:, i].numpy(), color=color, linewidth=1.4)
        axes.axvspan(0, 1, color=GRID_COLOR, linewidth=0, zorder=0)
        axes.set_title(f"{activation}, {combination}", fontsize=10)
    for axes in panels[-1]:
        axes.set_xlabel("x")
    return figure


def _panels(width: float, height: float) -> Figure:
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(width, height)
    return figure


@in_house_style
def draw_fit(
    x: Float[Tensor, "n variables"],
    true: Float[Tensor, "n"],
    predicted: Mapping[str, Float[Tensor, "n"]],
    variables: Sequence[str],
) -> Figure:
    """Draw a function and what networks make of it: a curve of one variable, dots of true and predicted values of more.

    Args:
        x: Points.
        true: Values of the function.
        predicted: Values of each network, by name.
        variables: Names of the variables.
    """
    if x.shape[1] > 1:
        return _against(true, predicted, "value of the function", "value of the network")
    figure, axes = canvas(variables[0], "value", None)
    order = x[:, 0].argsort()
    at = x[order, 0].numpy()
    axes.plot(at, true[order].numpy(), color="#888888", linewidth=4, alpha=0.5, label="function")
    for (name, values), color in zip(predicted.items(), cycle(PALETTE)):
        axes.plot(at, values[order].numpy(), color=color, label=name)
    add_legend(figure, axes)
    return figure


@in_house_style
def draw_predictions(true: Float[Tensor, "n"], predicted: Float[Tensor, "n"], target: str) -> Figure:
    """Draw predicted numbers against true ones."""
    return _against(true, {"samples": predicted}, f"true {target}", f"predicted {target}")


def _against(true: Tensor, predicted: Mapping[str, Tensor], xlabel: str, ylabel: str) -> Figure:
    figure, axes = canvas(xlabel, ylabel, None)
    some = torch.linspace(0, len(true) - 1, min(N_DOTS, len(true))).long()
    for (name, values), color in zip(predicted.items(), cycle(PALETTE)):
        axes.plot(true[some].numpy(), values[some].numpy(), ".", color=color, markersize=3, alpha=0.5, label=name)
    _draw_equal(axes, true)
    add_legend(figure, axes)
    return figure


def _draw_equal(axes: Axes, true: Tensor) -> None:
    ends = [float(true.min()), float(true.max())]
    axes.plot(ends, ends, "--", color="#666666", linewidth=1.2, label="equal")


def draw_confusion(labels: Int[Tensor, "n"], guesses: Int[Tensor, "n"], classes: Sequence[str]) -> Figure:
    """Draw how many samples of each class were taken for each class."""
    n = len(classes)
    counts = np.bincount((labels * n + guesses).cpu().numpy(), minlength=n * n).reshape(n, n)
    return plots.heatmap(
        counts, rows=classes, columns=classes, xlabel="predicted class", ylabel="class", label="samples", fmt=".0f"
    )


@in_house_style
def draw_comparison(rows: Sequence[ComparisonRow], ylabel: str) -> Figure:
    """Draw the score of each network against its parameters, with a bar of one standard deviation over seeds."""
    return draw_sizes({row.name: (row.n_parameters, row.scores) for row in rows}, ylabel)


@in_house_style
def draw_sizes(found: Mapping[str, tuple[int, Sequence[float]]], ylabel: str) -> Figure:
    """Draw a score against the number of parameters.

    Args:
        found: Parameters, and the score of each seed, by name.
        ylabel: What the score is.
    """
    figure, axes = canvas("parameters", ylabel, None)
    markers = cycle("osD^vP*X")
    for (name, (size, scores)), marker, color in zip(found.items(), markers, cycle(PALETTE)):
        known = np.array([one for one in scores if np.isfinite(one)])
        if not len(known):
            continue
        spread = known.std(ddof=1) if len(known) > 1 else 0.0
        axes.errorbar(size, known.mean(), yerr=spread, fmt=marker, color=color, capsize=3, markersize=7, label=name)
    axes.set_xscale("log")
    sizes = [size for size, _ in found.values()]
    axes.set_xlim(0.7 * min(sizes), 1.4 * max(sizes))
    add_legend(figure, axes)
    return figure
