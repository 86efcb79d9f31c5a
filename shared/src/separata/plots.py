"""Figures in one house style: curves with spread, grouped bars, annotated matrices.

Each function gives back a `matplotlib.figure.Figure` that has no window and touches neither pyplot nor the global
settings, so that it can be drawn anywhere and changed before it is saved.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from itertools import cycle, product
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Real
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from torch import Tensor

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000")
"""Colours that colour-blind readers can tell apart (Okabe and Ito 2008), without the yellow, which fades on white."""

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#444444",
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
    "svg.fonttype": "none",
    "text.color": "#222222",
    "xtick.color": "#444444",
    "xtick.labelcolor": "#222222",
    "xtick.labelsize": 9,
    "ytick.color": "#444444",
    "ytick.labelcolor": "#222222",
    "ytick.labelsize": 9,
}
"""The house style, as matplotlib settings."""

_Parameters = ParamSpec("_Parameters")


def _in_house_style(draw: Callable[_Parameters, Figure]) -> Callable[_Parameters, Figure]:
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


@_in_house_style
def curves(
    history: Iterable[Mapping[str, Any]],
    y: str,
    *,
    x: str = "step",
    by: str | None = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    title: str | None = None,
    reference: float | Mapping[str, float] | None = None,
) -> Figure:
    """Draw how a quantity develops: one line a group, the mean over repetitions in a band of one standard deviation.

    Args:
        history: Rows of named values, such as `run.history`; rows without `x`, `y` or `by` are passed over.
        y: The key of the quantity.
        x: The key of the horizontal position.
        by: The key by whose values the rows are grouped; by default all are one group. Rows of a group at the same `x`,
            such as those of several seeds, are averaged; the band is the sample standard deviation on either side.
        xlabel: Name of the horizontal axis, by default `x`.
        ylabel: Name of the vertical axis, by default `y`.
        title: Title of the figure.
        reference: A value of `y` to compare with, drawn as a dashed line; or several by name.

    Raises:
        ValueError: if no row has the keys.
    """
    groups = _group(history, x, y, by)
    figure, axes = _canvas(xlabel or x, ylabel or y, title)
    for (name, points), (line, color) in zip(groups.items(), cycle(product(("-", "--", ":", "-."), PALETTE))):
        at = np.array(sorted(points))
        means = np.array([np.mean(points[value]) for value in at])
        # A single point would be invisible as a line.
        axes.plot(at, means, line, color=color, label=name, marker="o" if len(at) == 1 else "")
        spread = np.array([np.std(points[value], ddof=1) if len(points[value]) > 1 else 0 for value in at])
        if spread.any():
            axes.fill_between(at, means - spread, means + spread, color=color, alpha=0.18, linewidth=0)
    if all(at.is_integer() for points in groups.values() for at in points):
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    _add_reference(axes, reference)
    is_named = all(isinstance(name, str) for name in groups)
    _add_legend(axes, title=None if is_named or by is None else by, is_beside=len(groups) > 5)
    return figure


@_in_house_style
def bars(
    values: Mapping[str, float] | Mapping[str, Mapping[str, float]],
    *,
    errors: Mapping[str, float] | Mapping[str, Mapping[str, float]] | None = None,
    ylabel: str | None = None,
    xlabel: str | None = None,
    title: str | None = None,
    reference: float | Mapping[str, float] | None = None,
    fmt: str | None = ".3g",
) -> Figure:
    """Draw numbers as bars: one a group, or in each group one a series, such as a method, in a colour of its own.

    Args:
        values: {group: number}, or {group: {series: number}}; a series may be missing in a group.
        errors: Half lengths of the error bars, such as standard deviations, in the same form.
        ylabel: Name of the vertical axis.
        xlabel: Name of the groups.
        title: Title of the figure.
        reference: A value to compare with, drawn as a dashed line; or several by name.
        fmt: Format of the number above each bar; None for no numbers.

    Raises:
        ValueError: if there are no values, or groups with series are mixed with groups without.
    """
    table, spread = _table(values), _table(errors or {})
    series = list(dict.fromkeys(name for row in table.values() for name in row))
    if not series:
        raise ValueError("bars need at least one number to draw")
    width = (0.8 if len(series) > 1 else 0.6) / len(series)
    figure, axes = _canvas(xlabel, ylabel, title)
    figure.set_figwidth(max(figure.get_figwidth(), 1.2 + 0.42 * len(series) * len(table)))
    for index, (name, color) in enumerate(zip(series, cycle(PALETTE))):
        groups = [group for group in table if name in table[group]]
        at = [list(table).index(group) + (index - (len(series) - 1) / 2) * width for group in groups]
        heights = [float(table[group][name]) for group in groups]
        half = [float(spread.get(group, {}).get(name, 0)) for group in groups] if spread else None
        drawn = axes.bar(
            at, heights, width, yerr=half, label=name, color=color, edgecolor="white", ecolor="#444444", capsize=3
        )
        if fmt is not None:
            axes.bar_label(drawn, [format(height, fmt) for height in heights], padding=2, fontsize=8)
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.12)
    axes.axhline(0, color="#444444", linewidth=0.8)
    _label_columns(figure, axes, list(table))
    _add_reference(axes, reference)
    _add_legend(axes, is_beside=True)
    return figure


@_in_house_style
def heatmap(
    matrix: Real[np.ndarray, "rows columns"] | Real[Tensor, "rows columns"] | Sequence[Sequence[float]],
    *,
    rows: Sequence[object] | None = None,
    columns: Sequence[object] | None = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    label: str | None = None,
    title: str | None = None,
    fmt: str | None = ".2f",
    cmap: str = "Blues",
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draw a matrix as coloured cells with their numbers; cells that are NaN stay blank.

    Args:
        matrix: The numbers; the first row is drawn at the top.
        rows: Names of the rows, by default their numbers from 0.
        columns: Names of the columns, by default their numbers from 0.
        xlabel: What the columns are.
        ylabel: What the rows are.
        label: What the numbers are, written at the colour bar.
        title: Title of the figure.
        fmt: Format of the number in each cell; None for no numbers.
        cmap: matplotlib's name of the colour map.
        limits: Numbers at the ends of the colour map, by default the smallest and the largest.

    Raises:
        ValueError: if it is no matrix, has no number in it, or its sides and their names differ in length.
    """
    cells = _matrix(matrix)
    for side, names, n in (("rows", rows, cells.shape[0]), ("columns", columns, cells.shape[1])):
        if names is not None and len(names) != n:
            raise ValueError(f"the matrix has {n} {side}, but {len(names)} names were given for them")
    figure, axes = _canvas(xlabel, ylabel, title)
    figure.set_size_inches(max(4.0, 2.2 + 0.55 * cells.shape[1]), max(2.6, 1.2 + 0.42 * cells.shape[0]))
    low, high = limits or (np.nanmin(cells), np.nanmax(cells))
    image = axes.imshow(np.ma.masked_invalid(cells), cmap=cmap, vmin=low, vmax=high, aspect="auto")
    if fmt is not None:
        _write_numbers(axes, image, cells, fmt)
    _label_columns(figure, axes, columns if columns is not None else range(cells.shape[1]))
    axes.set_yticks(
        range(cells.shape[0]), [str(name) for name in (rows if rows is not None else range(cells.shape[0]))]
    )
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, label=label or "", fraction=0.05, pad=0.02)
    bar.outline.set_visible(False)
    return figure


def _canvas(xlabel: str | None, ylabel: str | None, title: str | None) -> tuple[Figure, Axes]:
    figure = _Figure()
    return figure, figure.add_subplot(xlabel=xlabel or "", ylabel=ylabel or "", title=title or "")


def _group(history: Iterable[Mapping[str, Any]], x: str, y: str, by: str | None) -> dict[Any, dict[float, list[float]]]:
    """{group: {x: values of y}}, groups in the order in which they first appear."""
    rows = list(history)
    keys = [x, y] if by is None else [x, y, by]
    groups: dict[Any, dict[float, list[float]]] = {}
    for row in rows:
        if all(key in row for key in keys):
            name = None if by is None else row[by]
            groups.setdefault(name, {}).setdefault(float(row[x]), []).append(float(row[y]))
    if not groups:
        given = ", ".join(dict.fromkeys(key for row in rows for key in row)) or "no rows"
        raise ValueError(f"the history has no row with {', '.join(keys)}: its rows have {given}")
    return groups


def _table(values: Mapping[str, Any]) -> dict[str, dict[str | None, float]]:
    """{group: {series: number}}, the series None where there is only one."""
    nested = [isinstance(value, Mapping) for value in values.values()]
    if any(nested) and not all(nested):
        raise ValueError("the groups must all be numbers or all be mappings from series to number, not some of each")
    return {group: dict(value) if isinstance(value, Mapping) else {None: value} for group, value in values.items()}


def _matrix(matrix: object) -> Float[np.ndarray, "rows columns"]:
    if isinstance(matrix, Tensor):
        matrix = matrix.detach().cpu().double().numpy()
    cells = np.asarray(matrix, dtype=float)
    if cells.ndim != 2 or not np.isfinite(cells).any():
        raise ValueError(f"a heat map needs a matrix with at least one finite number, not the shape {cells.shape}")
    return cells


def _write_numbers(axes: Axes, image: AxesImage, cells: Float[np.ndarray, "rows columns"], fmt: str) -> None:
    for (row, column), value in np.ndenumerate(cells):
        if np.isfinite(value):
            red, green, blue, _ = image.cmap(image.norm(value))
            is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
            color = "white" if is_dark else STYLE["text.color"]
            axes.text(column, row, format(value, fmt), ha="center", va="center", color=color, fontsize=9)


def _label_columns(figure: Figure, axes: Axes, names: Sequence[object]) -> None:
    labels = [str(name) for name in names]
    axes.set_xticks(range(len(labels)), labels)
    # About 14 characters of this size fit an inch.
    if max(map(len, labels)) * len(labels) > 14 * figure.get_figwidth():
        for label in axes.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")


def _add_reference(axes: Axes, reference: float | Mapping[str, float] | None) -> None:
    named = reference if isinstance(reference, Mapping) else {} if reference is None else {"reference": reference}
    for (name, value), line in zip(named.items(), cycle(("--", ":", "-."))):
        axes.axhline(value, color="#666666", linestyle=line, linewidth=1.2, label=name)


def _add_legend(axes: Axes, title: str | None = None, *, is_beside: bool) -> None:
    if axes.get_legend_handles_labels()[1]:
        axes.legend(
            title=title, loc="upper left" if is_beside else "best", bbox_to_anchor=(1, 1) if is_beside else None
        )
