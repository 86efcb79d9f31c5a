"""Pictures of solutions on their domains."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from separata.canvas import PALETTE, add_legend, canvas, in_house_style

from .data import MultiTaskData
from .geometry import axes_of, grid_sizes

OUTSIDE = "#e6e6e6"
"""Color of what is not in a domain."""


@in_house_style
def draw_predictions(
    predicted: Float[Tensor, "n points"], data: MultiTaskData, *, with_truth: bool = True, n_shown: int = 3
) -> Figure:
    """Draw the first sample of each task, or samples from first to last of a single one: true, predicted, difference.

    What is outside the domain is blank.

    Solids are drawn by their middle layer. What is on no grid is drawn as predicted against true values or, without
    those, at its points.

    Args:
        predicted: Predictions for the samples of `data`.
        data: Points, masks and solutions.
        with_truth: Whether the solutions are known.
        n_shown: Most tasks that are drawn; of a single task, most samples.
    """
    predicted, data = predicted.detach().cpu(), data.to("cpu")
    task: Tensor = data.task  # type: ignore[assignment] # set at first
    first = [int((task == number).nonzero()[0]) for number in range(len(data.names)) if bool((task == number).any())]
    rows = first[:n_shown] if len(first) > 1 else _spread(len(predicted), n_shown)
    plane = _Plane(data.points, is_time=data.functions.ndim == 2)
    if not plane.is_grid:
        return _against(predicted, data) if with_truth else _scattered(predicted[0], data)
    panels = ("true", "predicted", "predicted - true") if with_truth else ("predicted",)
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(0.8 + 3.0 * len(panels), 0.3 + 2.5 * len(rows))
    table = figure.subplots(len(rows), len(panels), squeeze=False)
    for axes, row in zip(table, rows, strict=True):
        name = data.names[int(task[row])]
        parts = (
            [data.values[row], predicted[row], predicted[row] - data.values[row]] if with_truth else [predicted[row]]
        )
        inside = data.domain[row]
        shared = torch.cat([part[inside] for part in parts[:2]])
        for axis, title, part in zip(axes, panels, parts, strict=True):
            is_difference = "-" in title
            largest = float(part[inside].abs().max()) or 1.0
            limits = (-largest, largest) if is_difference else (float(shared.min()), float(shared.max()))
            _field(axis, plane, part, inside, limits, "RdBu_r" if is_difference else "viridis")
            told = name if len(first) > 1 else f"sample {row}" if len(rows) > 1 else None
            axis.set_title(f"{told}: {title}" if axis is axes[0] and told else title)
    return figure


def _spread(n: int, n_shown: int) -> list[int]:
    """Numbers of samples from first to last, evenly."""
    return torch.linspace(0, n - 1, min(n, n_shown)).round().long().tolist()


class _Plane:
    """The plane of a grid that is drawn: of a solid, its middle layer."""

    def __init__(self, points: Float[Tensor, "points d"], *, is_time: bool) -> None:
        self.is_grid = len(grid_sizes(points)) > 1
        if not self.is_grid:
            return
        # Of times and places, the first coordinate is that of the rows; of nodes, the second.
        is_time_first = is_time and points.shape[1] == 2 and bool(points[0, 0] == points[1, 0])
        self.labels = ("x", "t") if is_time_first else None
        axes = axes_of(points)
        rows, columns, *layers = (axes[0], axes[1]) if is_time_first else (axes[1], axes[0], *axes[2:])
        self.x, self.y = columns[0], rows[0]
        self.order = (rows[1] * len(self.x) + columns[1]).argsort()
        if layers:
            middle = layers[0][1] == len(layers[0][0]) // 2
            self.order = self.order[middle[self.order]]

    def __call__(self, values: Shaped[Tensor, "points"]) -> Shaped[Tensor, "rows columns"]:
        return values[self.order].reshape(len(self.y), len(self.x))


def _field(
    axes: Axes,
    plane: _Plane,
    values: Float[Tensor, "points"],
    mask: Bool[Tensor, "points"],
    limits: tuple[float, float],
    cmap: str,
) -> None:
    if plane.labels:
        axes.set(xlabel=plane.labels[0], ylabel=plane.labels[1])
    else:
        axes.set_aspect("equal")
        axes.set(xticks=[], yticks=[])
    axes.set_facecolor(OUTSIDE)
    shown = np.ma.masked_where(~plane(mask).numpy(), plane(values).numpy())
    low, high = limits
    image = axes.pcolormesh(plane.x.numpy(), plane.y.numpy(), shown, vmin=low, vmax=high, cmap=cmap, rasterized=True)
    axes.grid(visible=False)
    axes.figure.colorbar(image, ax=axes, fraction=0.05, pad=0.03)


def _scattered(predicted: Tensor, data: MultiTaskData) -> Figure:
    figure, axes = canvas("first coordinate", "second coordinate" if data.points.shape[1] > 1 else "prediction", None)
    inside = data.domain[0]
    x, *others = data.points[inside].T.numpy()
    values = predicted[inside].numpy()
    if others:
        drawn = axes.scatter(x, others[0], c=values, s=8, cmap="viridis")
        axes.figure.colorbar(drawn, ax=axes, fraction=0.05, pad=0.03)
    else:
        axes.plot(x, values, ".", color=PALETTE[0], markersize=3)
    return figure


def _against(predicted: Tensor, data: MultiTaskData) -> Figure:
    figure, axes = canvas("true value", "predicted value", None)
    inside = data.domain
    x, z = data.values[inside].numpy()[:5000], predicted[inside].numpy()[:5000]
    axes.plot(x, z, ".", color=PALETTE[0], markersize=3, alpha=0.5)
    ends = [float(min(x.min(), z.min())), float(max(x.max(), z.max()))]
    axes.plot(ends, ends, "--", color="#666666", linewidth=1.2, label="equal")
    add_legend(figure, axes)
    return figure
