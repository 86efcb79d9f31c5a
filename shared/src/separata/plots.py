"""Figures in one house style: curves and grouped bars with their spread over seeds, annotated matrices.

Each function gives back a `matplotlib.figure.Figure` that has no window and touches neither pyplot nor the global
settings, so that it can be drawn anywhere and changed before it is saved.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Real
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from . import files
from .canvas import PALETTE, STYLE, add_legend, add_reference, canvas, in_house_style, label_columns, make_logarithmic

if TYPE_CHECKING:
    from .run import Run

__all__ = ["PALETTE", "STYLE", "Bar", "bars", "claim", "curves", "heatmap", "save"]

Bar = float | Sequence[float] | Float[np.ndarray, " seeds"]
"""A number, or the numbers of several seeds."""


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format that its name ends with, whole or not at all.

    Raises:
        ValueError: if its name ends otherwise than a figure's.
    """
    with files.replacing(files.check_figure_format(path)) as part:
        figure.savefig(part, bbox_inches="tight")


@in_house_style
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
    figure, axes = canvas(xlabel or x, ylabel or y, title)
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
    add_reference(axes, reference)
    is_named = all(isinstance(name, str) for name in groups)
    add_legend(figure, axes, title=None if is_named or by is None else by)
    return figure


@in_house_style
def bars(
    values: Mapping[str, Bar] | Mapping[str, Mapping[str, Bar]],
    *,
    errors: Mapping[str, float] | Mapping[str, Mapping[str, float]] | None = None,
    paper: Mapping[str, float | None] | Mapping[str, Mapping[str, float | None]] | None = None,
    ylabel: str | None = None,
    xlabel: str | None = None,
    title: str | None = None,
    reference: float | Mapping[str, float] | None = None,
    fmt: str | None = "auto",
    log: bool = False,
) -> Figure:
    """Draw numbers as bars: one a group, or in each group one a series, such as a method, in a colour of its own.

    Where the numbers of several seeds are given, `{"MNIST": {"HLOP": [0.91, 0.93, 0.92], "EWC": [...]}}`, the bar is
    their mean, the error bar one sample standard deviation on either side, and each seed is a dot.

    Args:
        values: {group: number or numbers of the seeds}, or {group: {series: number or numbers of the seeds}}; a series
            may be missing in a group.
        errors: Half lengths of the error bars of single numbers, in the same form.
        paper: The paper's own numbers in the same form, drawn as diamonds; None where one is not known.
        ylabel: Name of the vertical axis.
        xlabel: Name of the groups.
        title: Title of the figure.
        reference: A value to compare with, drawn as a dashed line; or several by name.
        fmt: Format of the number above each bar: `auto` has three digits; None for no numbers.
        log: Draw on a logarithmic axis, for numbers of several orders of magnitude. It begins at a power of ten below
            all numbers; a mean that is not positive has no bar there, only its number.

    Raises:
        ValueError: if there are no values, or groups with series are mixed with groups without.
    """
    table, spread, stated = _table(values), _table(errors or {}), _table(paper or {})
    series = list(dict.fromkeys(name for row in table.values() for name in row))
    if not series:
        raise ValueError("bars need at least one number to draw")
    width = (0.8 if len(series) > 1 else 0.6) / len(series)
    figure, axes = canvas(xlabel, ylabel, title)
    figure.set_figwidth(max(figure.get_figwidth(), 1.2 + 0.42 * len(series) * len(table)))
    columns = []
    for index, (name, color) in enumerate(zip(series, cycle(PALETTE))):
        groups = [group for group in table if name in table[group]]
        at = [list(table).index(group) + (index - (len(series) - 1) / 2) * width for group in groups]
        cells = [
            (table[group][name], spread.get(group, {}).get(name), stated.get(group, {}).get(name)) for group in groups
        ]
        drawn = [_Column.of(x, *cell) for x, cell in zip(at, cells, strict=True)]
        half = [column.half for column in drawn]
        axes.bar(
            at,
            [column.mean for column in drawn],
            width,
            yerr=half if any(half) else None,
            label=name,
            color=color,
            edgecolor="white",
            ecolor="#444444",
            capsize=3,
        )
        columns += drawn
    if log:
        references = reference.values() if isinstance(reference, Mapping) else [reference]
        shown = [v for one in columns for v in (*one.seeds, one.mean, one.end, one.paper)]
        make_logarithmic(axes, [*shown, *references])
    _draw_seeds(axes, columns, width)
    if fmt is not None:
        _draw_means(axes, columns, fmt)
    axes.grid(visible=False, axis="x")
    if not log:
        axes.margins(y=0.12)
        axes.axhline(0, color="#444444", linewidth=0.8)
    label_columns(figure, axes, list(table))
    add_reference(axes, reference)
    add_legend(figure, axes)
    return figure


def claim(
    run: "Run",
    claim_id: str,
    keys: Sequence[str] | Mapping[str, Mapping[str, str]] | None = None,
    *,
    ylabel: str | None = None,
    title: str | None = None,
    reference: float | Mapping[str, float] | None = None,
    fmt: str | None = "auto",
    log: bool = False,
) -> Figure:
    """Draw what a run has measured of a claim as bars: the seeds, their mean and spread, and the paper's numbers.

    `plots.claim(run, "outperforms")` draws every key under its label. Keys in groups share the colours of the series:
    `plots.claim(run, "rules", {"DSR": {"HLOP": "dsr_hlop", "fine-tuning": "dsr_finetune"}, "BPTT": ...})`.

    Args:
        run: The run, after its last `run.measure`.
        claim_id: The claim.
        keys: Those of its keys that are drawn, by default all; or {group: {series: key}}.
        ylabel: Name of the vertical axis, by default the claim's metric.
        title: Title of the figure.
        reference: A value to compare with, drawn as a dashed line; or several by name.
        fmt: Format of the number above each bar, as in `bars`.
        log: Draw on a logarithmic axis, as in `bars`.

    Raises:
        ValueError: if nothing of the claim was measured, or it has no such key.
    """
    what = run.paper.claim(claim_id)
    measured = run.measurements.get(claim_id, [])
    if not measured:
        raise ValueError(f"nothing was measured of the claim '{claim_id}': draw it after run.measure")
    named: Mapping[str, Any]
    named = keys if isinstance(keys, Mapping) else {what.label(key): key for key in keys or what.paper}
    if unknown := set(_leaves(named)) - what.paper.keys():
        raise ValueError(f"the claim '{claim_id}' has no key {', '.join(sorted(unknown))}")
    return bars(
        _replaced(named, lambda key: [seed[key] for seed in measured]),
        paper=_replaced(named, lambda key: what.paper[key]),
        ylabel=what.metric if ylabel is None else ylabel,
        title=title,
        reference=reference,
        fmt=fmt,
        log=log,
    )


@in_house_style
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
    figure, axes = canvas(xlabel, ylabel, title)
    figure.set_size_inches(max(4.0, 2.2 + 0.55 * cells.shape[1]), max(2.6, 1.2 + 0.42 * cells.shape[0]))
    low, high = limits or (np.nanmin(cells), np.nanmax(cells))
    image = axes.imshow(np.ma.masked_invalid(cells), cmap=cmap, vmin=low, vmax=high, aspect="auto")
    if fmt is not None:
        _write_numbers(axes, image, cells, fmt)
    label_columns(figure, axes, columns if columns is not None else range(cells.shape[1]))
    axes.set_yticks(
        range(cells.shape[0]), [str(name) for name in (rows if rows is not None else range(cells.shape[0]))]
    )
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, label=label or "", fraction=0.05, pad=0.02)
    bar.outline.set_visible(False)
    return figure


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


def _table(values: Mapping[str, Any]) -> dict[str, dict[str | None, Any]]:
    """{group: {series: number or numbers}}, the series None where there is only one."""
    nested = [isinstance(value, Mapping) for value in values.values()]
    if any(nested) and not all(nested):
        raise ValueError("the groups must all be numbers or all be mappings from series to number, not some of each")
    return {group: dict(value) if isinstance(value, Mapping) else {None: value} for group, value in values.items()}


def _leaves(tree: Mapping[str, Any]) -> list[str]:
    return [leaf for value in tree.values() for leaf in (value.values() if isinstance(value, Mapping) else [value])]


def _replaced(tree: Mapping[str, Any], by: Callable[[str], Any]) -> dict[str, Any]:
    """The mapping, or mapping of mappings, with other values."""
    return {name: _replaced(value, by) if isinstance(value, Mapping) else by(value) for name, value in tree.items()}


@dataclass(frozen=True)
class _Column:
    """A bar: where it stands, the numbers of the seeds, the length of its error bar, and the paper's number."""

    x: float
    seeds: Float[np.ndarray, " seeds"]
    half: float
    paper: float | None

    @classmethod
    def of(cls, x: float, value: Bar, error: float | None, paper: float | None) -> "_Column":
        seeds = np.atleast_1d(np.asarray(value, dtype=float))
        half = np.std(seeds, ddof=1) if len(seeds) > 1 else error or 0
        return cls(x, seeds, float(half), paper)

    @property
    def mean(self) -> float:
        return float(np.mean(self.seeds))

    @property
    def sign(self) -> int:
        return -1 if self.mean < 0 else 1

    @property
    def end(self) -> float:
        """The farthest from zero of bar, error bar and seeds."""
        return self.sign * max(self.sign * self.mean + self.half, *(self.sign * self.seeds))


def _draw_seeds(axes: Axes, columns: Sequence[_Column], width: float) -> None:
    """A dot for each seed where they differ, and a diamond for each number of the paper."""
    for column in columns:
        if len(column.seeds) > 1 and column.half:
            beside = np.linspace(-0.25, 0.25, len(column.seeds)) * width
            axes.plot(column.x + beside, column.seeds, "o", color="#222222", alpha=0.6, markersize=2.5, zorder=3)
    known = [(column.x, column.paper) for column in columns if column.paper is not None]
    if known:
        axes.plot(*zip(*known, strict=True), "D", label="paper", color="#222222", markerfacecolor="white", zorder=4)


def _draw_means(axes: Axes, columns: Sequence[_Column], fmt: str) -> None:
    """The means as numbers beyond the ends of the bars, and beyond a diamond that would cover them."""
    is_log, (low, high) = axes.get_yscale() == "log", axes.get_ylim()
    span = math.log10(high / low) if is_log else np.ptp([0.0, *(column.end for column in columns)])
    for column in columns:
        sign, end = (1, max(column.end, low)) if is_log else (column.sign, column.end)
        paper = math.inf if column.paper is None or (is_log and column.paper <= 0) else column.paper
        beyond = (math.log10(paper / end) if is_log else sign * (paper - end)) / (span or 1)
        is_covered = -0.02 < beyond < 0.07
        axes.annotate(
            _written(column.mean, fmt),
            (column.x, paper if is_covered else end),
            xytext=(0, sign * (6 if is_covered else 2)),
            textcoords="offset points",
            ha="center",
            va="top" if sign < 0 else "bottom",
            fontsize=8,
        )


def _written(value: float, fmt: str) -> str:
    if fmt != "auto":
        return format(value, fmt)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


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
