"""Figures: losses by steps, the spectrum of a residual, and what branches cost."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from separata.canvas import PALETTE, add_legend, canvas, in_house_style

from .regression import FREQUENCIES
from .speedup import Curve

NAMES = {"cosnet": "NOBLE (CosNet)", "wide": "wider baseline", "identity": "linear branch"}
"""How figures name what does not explain itself."""
COLORS = {"baseline": "#555555", "cosnet": PALETTE[1], "wide": PALETTE[0], "identity": PALETTE[2]}
"""Colors of the method and its controls; others are thin lines."""


@in_house_style
def draw_losses(curves: Mapping[str, Sequence[Curve]], *, ylabel: str = "evaluation loss", log: bool = False) -> Figure:
    """Draw losses by steps, as means over seeds in bands of one standard deviation.

    Args:
        curves: For each method, such as `baseline` or the name of an activation, the curves of all seeds; those of a
            method have the same steps.
        ylabel: What the loss is.
        log: On a logarithmic axis.
    """
    figure, axes = canvas("step", ylabel, None)
    others = iter((*PALETTE[3:], *PALETTE))
    for method, ones in curves.items():
        if ones:
            is_main = method in COLORS
            color = COLORS[method] if is_main else next(others)
            steps = [step for step, _ in ones[0]]
            losses = np.array([[loss for _, loss in one] for one in ones])
            _draw_band(axes, steps, losses, color, NAMES.get(method, method), is_main=is_main)
    if baseline := curves.get("baseline"):
        target = float(np.mean([min(loss for _, loss in one) for one in baseline]))
        axes.axhline(target, color="#555555", linestyle="--", linewidth=1.0, label="baseline's best loss")
    if log:
        axes.set_yscale("log")
    add_legend(figure, axes)
    return figure


def _draw_band(axes: Axes, at: Sequence[float], values: np.ndarray, color: str, name: str, *, is_main: bool) -> None:
    mean = values.mean(0)
    width = 2.0 if is_main else 1.0
    axes.plot(at, mean, color=color, linewidth=width, label=name, marker="o" if len(at) == 1 else "")
    if len(values) > 1 and is_main:
        spread = values.std(0, ddof=1)
        low = np.maximum(mean - spread, values.min(0))
        axes.fill_between(at, low, mean + spread, color=color, alpha=0.15, linewidth=0)


@in_house_style
def draw_spectra(spectra: Mapping[str, Sequence[Sequence[float]]]) -> Figure:
    """Draw the power of residuals by frequency, with lines at the frequencies of the target.

    Args:
        spectra: For each method the spectra of all seeds: power at 0, 0.5, 1, ... cycles per unit.
    """
    figure, axes = canvas("cycles per unit", "power of the residual", None)
    for method, ones in spectra.items():
        if ones:
            power = np.array(ones)
            at = np.arange(power.shape[1]) / 2
            axes.plot(at, power.mean(0), "o-", color=COLORS[method], markersize=3, label=NAMES.get(method, method))
    axes.set_yscale("log")
    for frequency in FREQUENCIES:
        axes.axvline(frequency / 2, color="#BBBBBB", linewidth=1.0, linestyle=":", zorder=0)
    add_legend(figure, axes)
    return figure


@in_house_style
def draw_costs(costs: Mapping[tuple[int, int], Mapping[str, float]]) -> Figure:
    """Draw parameters and time of a step that branches add, by width and rank.

    Args:
        costs: By width and rank, the numbers of an `OverheadReport`.
    """
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(6.6, 3.3)
    panels = figure.subplots(1, 2)
    widths = sorted({width for width, _ in costs})
    for axes, key, name in zip(panels, ("parameters", "step_time"), ("parameters", "time of a step"), strict=True):
        for rank, color in zip(sorted({rank for _, rank in costs}), PALETTE, strict=False):
            values = [costs[width, rank][f"{key}_percent"] for width in widths]
            axes.plot(
                range(len(widths)), values, "o-", color=color, label=f"rank {rank}" if axes is panels[0] else None
            )
        axes.set_xticks(range(len(widths)), [str(width) for width in widths])
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        axes.set_xlabel("width")
        axes.set_ylabel("% more")
        axes.set_title(name)
    figure.legend(loc="outside lower center", ncols=4)
    return figure


@in_house_style
def draw_fits(fits: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw the target of a regression, and what each method makes of it, one above the other.

    Args:
        fits: For each method, numbers of the same length: `x`, `target` and `fit`.
    """
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(6.6, 1.3 * len(fits) + 0.6)
    panels = figure.subplots(len(fits), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (method, one) in zip(panels, fits.items(), strict=True):
        axes.plot(one["x"], one["target"], color="#BBBBBB", linewidth=2.4, label="target")
        axes.plot(one["x"], one["fit"], color=COLORS[method], linewidth=1.4)
        axes.set_title(NAMES.get(method, method))
    panels[-1].set_xlabel("x (gray: the target)")
    return figure
