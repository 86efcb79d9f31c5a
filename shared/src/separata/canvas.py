"""What all figures share: the house style, axes, and names that wrap and legends that cover nothing."""

import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from itertools import cycle
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000")
"""Colours that colour-blind readers can tell apart (Okabe and Ito 2008), without the yellow, which fades on white."""

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#444444",
    "axes.facecolor": "white",
    "axes.grid": True,
    "axes.labelcolor": "#222222",
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "figure.dpi": 150,
    "figure.facecolor": "white",
    "figure.figsize": (5.6, 3.5),
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "font.size": 10,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": 150,
    "savefig.facecolor": "auto",
    "svg.fonttype": "none",
    "text.color": "#222222",
    "xtick.color": "#444444",
    "xtick.labelcolor": "#222222",
    "xtick.labelsize": 9,
    "ytick.color": "#444444",
    "ytick.labelcolor": "#222222",
    "ytick.labelsize": 9,
}
"""The house style, as matplotlib settings. The ground is white, so that figures are readable on dark pages too."""

PER_INCH = 13
"""Characters of labels that fit an inch."""

_Parameters = ParamSpec("_Parameters")


def in_house_style(draw: Callable[_Parameters, Figure]) -> Callable[_Parameters, Figure]:
    """A function that draws, in the house style."""

    @wraps(draw)
    def styled(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return styled


class _Figure(Figure):
    """A figure that is also saved in the style, part of which matplotlib looks up only then."""

    def savefig(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on
        with mpl.rc_context(STYLE):
            super().savefig(*args, **kwargs)

    def draw(self, renderer: Any) -> None:  # noqa: ANN401 - not all of matplotlib's renderers are `RendererBase`
        engine = self.get_layout_engine()
        if isinstance(engine, ConstrainedLayoutEngine) and self.canvas.is_saving():
            # Before matplotlib writes a figure, then without this engine, it draws all of it for the layout alone.
            engine.execute(self)
        else:
            super().draw(renderer)


def canvas(xlabel: str | None, ylabel: str | None, title: str | None) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, whose names wrap."""
    figure = _Figure()
    width, height = figure.get_size_inches() - 0.8
    axes = figure.add_subplot(
        xlabel=_wrapped(xlabel or "", width), ylabel=_wrapped(ylabel or "", height), title=_wrapped(title or "", width)
    )
    return figure, axes


def _wrapped(text: str, inches: float) -> str:
    """The text in lines that fit so many inches, as far as its words do."""
    return "\n".join(textwrap.wrap(text, max(8, int(PER_INCH * inches)), break_long_words=False))


def label_columns(figure: Figure, axes: Axes, names: Sequence[object]) -> None:
    """Name the columns, in several lines where their words allow and slanted where they do not."""
    inches = (figure.get_figwidth() - 0.9) / len(names)
    wrapped = [_wrapped(str(name), inches) for name in names]
    fit = all(len(line) <= max(3, PER_INCH * inches) for text in wrapped for line in text.split("\n"))
    axes.set_xticks(range(len(names)), wrapped if fit else [str(name) for name in names])
    if not fit:
        for label in axes.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")


def make_logarithmic(axes: Axes, drawn: Iterable[float | None]) -> None:
    """A logarithmic vertical axis, from a power of ten below all that is drawn to room for a number above it.

    Args:
        axes: The axes.
        drawn: What is drawn; what has no logarithm does not count.
    """
    logarithms = [math.log10(value) for value in drawn if value is not None and 0 < value < math.inf] or [0.0]
    low, high = math.floor(min(logarithms) - 0.15), max(logarithms)
    axes.set_yscale("log")
    axes.set_ylim(10.0**low, 10.0 ** (high + 0.12 * (high - low)))


def add_reference(axes: Axes, reference: float | Mapping[str, float] | None) -> None:
    """Dashed lines at values to compare with."""
    named = reference if isinstance(reference, Mapping) else {} if reference is None else {"reference": reference}
    for (name, value), line in zip(named.items(), cycle(("--", ":", "-."))):
        axes.axhline(value, color="#666666", linestyle=line, linewidth=1.2, label=name)


def add_legend(figure: Figure, axes: Axes, title: str | None = None) -> None:
    """A legend below the axes, where it covers nothing; the figure grows by its height."""
    # What is compared first, what it is compared with behind.
    named = sorted(
        zip(*axes.get_legend_handles_labels(), strict=True), key=lambda one: not isinstance(one[0], Container)
    )
    if not named:
        return
    handles, names = zip(*named, strict=True)
    labels = [_wrapped(str(name), figure.get_figwidth() - 0.8) for name in names]
    longest = max(len(line) for label in labels for line in label.split("\n"))
    # Smaller letters than elsewhere, and before each name its line.
    fit = max(1, int(figure.get_figwidth() / (longest / (1.2 * PER_INCH) + 0.5)))
    n_rows = math.ceil(len(labels) / fit)
    n_lines = n_rows * max(label.count("\n") + 1 for label in labels) + (title is not None)
    figure.set_figheight(figure.get_figheight() + 0.19 * n_lines + 0.1)
    figure.legend(handles, labels, title=title, loc="outside lower center", ncols=math.ceil(len(labels) / n_rows))
