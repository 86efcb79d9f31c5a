"""Names beside curves and points that cover neither each other nor what they name."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

LINE = 12.5
"""Points between two names, one above the other."""


def stack_right(axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str], colors: Sequence[str]) -> None:
    """Names to the right of the axes, at the heights of points as far as they fit, with a faint line to each.

    Args:
        axes: The axes, with their scales and limits as they will stay.
        points: What is named, in data coordinates.
        names: Names.
        colors: Their colors.
    """
    axes.set_xlim(*axes.get_xlim())
    axes.set_ylim(*axes.get_ylim())
    height = axes.get_position().height * axes.figure.bbox.height / axes.figure.dpi * 72
    gap = LINE / max(height, 1.0)
    wanted = [_height(axes, y) for _, y in points]
    order = np.argsort(wanted)
    places = spread([wanted[i] for i in order], gap, 0.0, 1.0)
    for i, place in zip(order, places, strict=True):
        axes.annotate(
            names[i],
            xy=points[i],
            xycoords="data",
            xytext=(1.03, place),
            textcoords="axes fraction",
            ha="left",
            va="center",
            fontsize=8.8,
            color=colors[i],
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colors[i],
                "linewidth": 0.7,
                "alpha": 0.45,
                "shrinkA": 1,
                "shrinkB": 3,
                "relpos": (0, 0.5),
            },
        )


def _height(axes: Axes, y: float) -> float:
    """A height as a share of the axes."""
    return float(axes.transAxes.inverted().transform(axes.transData.transform((axes.get_xlim()[0], y)))[1])


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Heights in increasing order, close to those wanted, at least a gap apart, and between two ends if they fit.

    Neighbors that are too close share the room around their mean.
    """
    groups = [[place] for place in wanted]

    def bounds(group: list[float]) -> tuple[float, float]:
        half = gap * (len(group) - 1) / 2
        center = min(max(float(np.mean(group)), low + half), max(high - half, low + half))
        return center - half, center + half

    merged = True
    while merged:
        merged = False
        for i in range(len(groups) - 1):
            if bounds(groups[i])[1] + gap > bounds(groups[i + 1])[0] + 1e-12:
                groups[i : i + 2] = [groups[i] + groups[i + 1]]
                merged = True
                break
    return [bounds(group)[0] + gap * i for group in groups for i in range(len(group))]


def place_labels(axes: Axes, points: Sequence[tuple[float, float, str, str]]) -> None:
    """A name beside each point where there is room for it; one that would cover something is left out.

    Args:
        axes: The axes, with their scales and limits as they will stay.
        points: Place in data coordinates, name and color of each; more important ones first.
    """
    figure = axes.figure
    drawn = FigureCanvasAgg(figure.figure)
    drawn.draw()
    renderer = drawn.get_renderer()
    pixels = figure.dpi / 72
    spots = axes.transData.transform([(x, y) for x, y, _, _ in points])
    taken = [Bbox.from_bounds(x - 4 * pixels, y - 4 * pixels, 8 * pixels, 8 * pixels) for x, y in spots]
    legend = axes.get_legend()
    taken += [legend.get_window_extent(renderer)] if legend is not None else []
    inside = axes.get_window_extent(renderer)
    offsets = (
        (7, 0, "left", "center"),
        (-7, 0, "right", "center"),
        (0, 7, "center", "bottom"),
        (0, -7, "center", "top"),
    )
    for x, y, name, color in points:
        for dx, dy, ha, va in offsets:
            text = axes.annotate(
                name, (x, y), xytext=(dx, dy), textcoords="offset points", ha=ha, va=va, fontsize=7.6, color=color
            )
            box = text.get_window_extent(renderer)
            is_free = not any(box.overlaps(other) for other in taken)
            if is_free and inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1:
                taken.append(box)
                break
            text.remove()
