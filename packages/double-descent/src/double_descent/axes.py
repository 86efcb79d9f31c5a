"""What the pictures share: curves with their spread, the threshold, and logarithmic axes with round numbers."""

import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from separata.canvas import canvas

GREY = "#777777"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches."""
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(width, height)
    return figure


def sequence(n: int) -> list[str]:
    """Colors from light to dark, for values that have an order."""
    ramp = mpl.colormaps["viridis_r"]
    return [to_hex(ramp(0.18 + 0.78 * i / max(1, n - 1))) for i in range(n)]


def draw_curve(
    axes: Axes,
    x: Sequence[float],
    values: Float[np.ndarray, "seeds widths"],
    color: str,
    label: str = "",
    marker: str = "o",
) -> None:
    """The mean over seeds, in the band of their range."""
    axes.plot(x, values.mean(0), color=color, label=label, marker=marker, markersize=3.2, linewidth=1.7)
    if len(values) > 1:
        axes.fill_between(x, values.min(0), values.max(0), color=color, alpha=0.16, linewidth=0)


def mark_threshold(axes: Axes, at: float = 1.0, text: str = "") -> None:
    """A dashed line at the threshold, with its name at the top."""
    axes.axvline(at, color=GREY, linewidth=1.1, linestyle=(0, (4, 3)), zorder=0.5)
    if text:
        axes.annotate(
            text,
            (at, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-5, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=8.5,
            color="#555555",
        )


def as_ratio(axes: Axes, low: float, high: float) -> None:
    """A logarithmic axis of a ratio, with round numbers on it."""
    axes.set_xscale("log")
    axes.set_xlim(low / 1.1, high * 1.1)
    ticks = [tick for tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low * 0.99 <= tick <= high * 1.01]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def as_log(axes: Axes) -> None:
    """A logarithmic vertical axis; call it when all is drawn."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high / low < 30:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: told_number(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def told_number(value: float) -> str:
    """A tick: 0.05, 20, 10⁴."""
    if 1e-3 <= value < 1e4:
        return f"{value:g}"
    exponent = math.floor(math.log10(value) + 1e-9)
    raised = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    factor = value / 10.0**exponent
    return f"10{raised}" if abs(factor - 1) < 1e-6 else f"{factor:.3g}·10{raised}"
