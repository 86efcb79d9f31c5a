"""What the figures share: panels, names at the ends of lines, bands over seeds, and the sharpness."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from separata.canvas import PALETTE, canvas

UP, DOWN, BOTH = PALETTE[1], PALETTE[0], "#555555"
"""Colours of the group whose loss rises, of the other, and of all examples."""
SHARP = PALETTE[2]
Series = Sequence[float]
Pairs = Sequence[tuple[float, float]]


def make_panels(
    n_rows: int, n_columns: int, width: float, height: float, **options: object
) -> tuple[Figure, np.ndarray]:
    """A figure with rows and columns of axes; width and height in inches, options as for `Figure.subplots`."""
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(width, height)
    return figure, figure.subplots(n_rows, n_columns, squeeze=False, **options)  # type: ignore[call-overload]


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Names at the right ends of lines, moved apart where they would overlap.

    Args:
        axes: With its final limits.
        ends: x, y, name and colour of each.
    """
    low, high = axes.get_ylim()
    is_log = axes.get_yscale() == "log"

    def fraction(y: float) -> float:
        return float(np.log(y / low) / np.log(high / low)) if is_log else (y - low) / (high - low)

    least = 0.135 / axes.get_figure().get_size_inches()[1] * 3.2 / axes.get_position().height * 0.5  # type: ignore[union-attr]
    placed = -np.inf
    for x, y, name, color in sorted(ends, key=lambda end: end[1]):
        placed = max(fraction(y), placed + least)
        at = low * (high / low) ** placed if is_log else low + placed * (high - low)
        axes.annotate(
            name,
            (x, at),
            xytext=(5, 0),
            textcoords="offset points",
            color=color,
            va="center",
            fontsize=9,
            annotation_clip=False,
        )


def make_plain_logarithmic(axes: Axes) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def draw_band(axes: Axes, at: Sequence[float], values: Float[np.ndarray, "seeds steps"], color: str) -> None:
    """The mean over seeds, in a band of one standard deviation."""
    mean = values.mean(0)
    axes.plot(at, mean, color=color)
    if len(values) > 1:
        spread = values.std(0, ddof=1)
        axes.fill_between(at, mean - spread, mean + spread, color=color, alpha=0.15, linewidth=0)


def draw_sharpness(axes: Axes, sharpness: Pairs, lr: float, last: float) -> None:
    """Draw the sharpness over steps up to the last, with 2 / learning rate."""
    at, values = zip(*sharpness, strict=True)
    axes.plot(at, values, color=SHARP, marker="o" if len(at) < 3 else "")
    axes.axhline(2 / lr, color="#666666", linestyle="--", linewidth=1.2)
    axes.set_ylim(0, 1.15 * max(*values, 2 / lr))
    axes.set_xlim(0, last)
    axes.set_ylabel("sharpness")
    axes.set_title("Largest eigenvalue of the Hessian")
    label_ends(axes, [(last, 2 / lr, "2 / learning rate", "#555555"), (last, values[-1], "sharpness", SHARP)])
