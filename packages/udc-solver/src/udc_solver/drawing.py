"""Pictures of solutions, and of what they cost in time."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from separata.canvas import PALETTE, add_legend, canvas, in_house_style

MOST_NODES = 2_000
"""Nodes of a graph that are drawn."""
GREY = "#BBBBBB"


@in_house_style
def draw_tour(points: Float[np.ndarray, "n 2"], tour: Sequence[int], title: str) -> Figure:
    """A closed tour.

    Args:
        points: Coordinates of the places.
        tour: Places in order.
        title: Title of the figure.
    """
    figure, axes = _map(points, title)
    closed = points[[*tour, tour[0]]]
    axes.plot(*closed.T, color=PALETTE[0], linewidth=1.0, zorder=1)
    _dots(axes, points, PALETTE[0])
    return figure


@in_house_style
def draw_routes(
    points: Float[np.ndarray, "n 2"], routes: Sequence[Sequence[int]], title: str, *, is_open: bool = False
) -> Figure:
    """Routes from a depot, each in a color of its own; what no route visits is grey.

    Args:
        points: Coordinates of the places; the depot is place 0.
        routes: Places of each route, in order, without the depot.
        title: Title of the figure.
        is_open: Leave out the way back.
    """
    figure, axes = _map(points, title)
    visited = {place for route in routes for place in route}
    _dots(axes, points[[place for place in range(1, len(points)) if place not in visited]], GREY)
    for route, color in zip(routes, cycle(PALETTE)):
        stops = points[[0, *route] if is_open else [0, *route, 0]]
        axes.plot(*stops.T, color=color, linewidth=1.0, zorder=1)
        _dots(axes, points[list(route)], color)
    axes.plot(*points[0], "s", color="black", markersize=6, zorder=3)
    return figure


@in_house_style
def draw_items(
    weights: Float[np.ndarray, " n"], values: Float[np.ndarray, " n"], chosen: Sequence[int], title: str
) -> Figure:
    """Items by weight and value, with the chosen ones in color.

    Args:
        weights: Weight of each item.
        values: Value of each item.
        chosen: Numbers of the chosen ones.
        title: Title of the figure.
    """
    figure, axes = canvas("weight", "value", title)
    is_chosen = np.isin(np.arange(len(weights)), chosen)
    for mask, color, label in ((~is_chosen, GREY, "left out"), (is_chosen, PALETTE[0], "chosen")):
        axes.plot(weights[mask], values[mask], "o", color=color, markersize=4, label=label)
    add_legend(figure, axes)
    return figure


@in_house_style
def draw_graph(n: int, edges: Int[np.ndarray, "m 2"], chosen: Sequence[int], title: str) -> Figure:
    """A graph on a circle, the selected nodes side by side and in color.

    No edge joins two of them, so the sector that they take is empty.

    Args:
        n: Number of nodes.
        edges: Edges, [m, 2].
        chosen: Numbers of the selected nodes.
        title: Title of the figure.

    Raises:
        ValueError: if there are too many nodes.
    """
    if n > MOST_NODES:
        raise ValueError(f"graphs of at most {MOST_NODES:,} nodes are drawn; this one has {n:,}")
    order = [*chosen, *sorted(set(range(n)) - set(chosen))]
    angle = np.empty(n)
    angle[order] = 2 * math.pi * np.arange(n) / n
    places = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    figure, axes = _map(places, title)
    opacity = min(0.6, 150 / max(len(edges), 1) ** 0.8)
    axes.add_collection(LineCollection(list(places[edges]), colors=GREY, linewidths=0.6, alpha=max(opacity, 0.02)))
    is_chosen = np.isin(np.arange(n), chosen)
    _dots(axes, places[~is_chosen], "#666666")
    _dots(axes, places[is_chosen], PALETTE[1])
    axes.set_axis_off()
    return figure


@in_house_style
def draw_quality(rows: Sequence[Mapping[str, Any]], ylabel: str, title: str) -> Figure:
    """The quality of methods against the seconds that they take for an instance.

    Args:
        rows: `method`, `seconds` and `objective` of each point; several points of a method are joined to a curve.
        ylabel: What the objective is.
        title: Title of the figure.
    """
    figure, axes = canvas("seconds for an instance", ylabel, title)
    methods = list(dict.fromkeys(row["method"] for row in rows))
    for method, color in zip(methods, cycle(PALETTE)):
        points = sorted((row["seconds"], row["objective"]) for row in rows if row["method"] == method)
        axes.plot(*zip(*points, strict=True), "o-", color=color, label=method, markersize=5)
    axes.set_xscale("log")
    add_legend(figure, axes)
    return figure


@in_house_style
def draw_scaling(rows: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Seconds against the number of nodes on logarithmic axes, beside lines of growth by N and by its square.

    Args:
        rows: `part`, `n` and `seconds` of each point, such as "divide" and "conquer".
        title: Title of the figure.
    """
    figure, axes = canvas("nodes", "seconds", title)
    parts = list(dict.fromkeys(row["part"] for row in rows))
    for part, color in zip(parts, cycle(PALETTE)):
        points = sorted((row["n"], row["seconds"]) for row in rows if row["part"] == part)
        axes.plot(*zip(*points, strict=True), "o-", color=color, label=part)
    sizes = np.array(sorted({row["n"] for row in rows}), dtype=float)
    first = min(row["seconds"] for row in rows if row["n"] == sizes[0])
    for power, style in ((1, "--"), (2, ":")):
        label = "N" if power == 1 else "N²"
        axes.plot(sizes, first * (sizes / sizes[0]) ** power, style, color="#888888", linewidth=1.2, label=label)
    axes.set(xscale="log", yscale="log")
    add_legend(figure, axes)
    return figure


def _map(points: Float[np.ndarray, "n 2"], title: str) -> tuple[Figure, Axes]:
    figure, axes = canvas(None, None, title)
    figure.set_size_inches(5.6, 5.8)
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(visible=False)
    axes.margins(0.03)
    axes.update_datalim(points)
    return figure, axes


def _dots(axes: Axes, points: Float[np.ndarray, "n 2"], color: str) -> None:
    axes.plot(*points.T, "o", color=color, markersize=max(1.0, min(4.0, 60 / math.sqrt(len(points) + 1))), zorder=2)
