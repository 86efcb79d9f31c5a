"""Pictures of output functions: predicted beside true ones."""

from itertools import cycle

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from separata.canvas import PALETTE, add_legend, canvas, in_house_style

N_FUNCTIONS = 3
"""Functions that are drawn as lines."""
N_DOTS = 5000
"""Values that are drawn as dots."""


@in_house_style
def draw_predictions(
    y: Float[Tensor, "functions points coordinates"] | Float[Tensor, "points coordinates"],
    predicted: Float[Tensor, "functions points"],
    true: Float[Tensor, "functions points"] | None = None,
) -> Figure:
    """Draw output functions.

    Functions of one coordinate are lines, the first three of them; of two, the first one is drawn in colors, with the
    true one and the error; what has one point each, or more coordinates, is drawn as predicted against true values.

    Args:
        y: The points.
        predicted: Predicted values of one output.
        true: The true values.
    """
    y = y.expand(len(predicted), -1, -1).detach().cpu()
    predicted = predicted.detach().cpu()
    true = None if true is None else true.detach().cpu()
    if y.shape[2] == 2 and y.shape[1] > 3:
        return _fields(y[0], predicted[0], None if true is None else true[0])
    if true is None or (y.shape[2] == 1 and y.shape[1] > 1):
        return _lines(y[..., 0], predicted, true)
    return _against(predicted, true)


def _lines(y: Tensor, predicted: Tensor, true: Tensor | None) -> Figure:
    figure, axes = canvas("y", "G(u)(y)", None)
    for number, color in zip(range(min(N_FUNCTIONS, len(predicted))), cycle(PALETTE)):
        order = y[number].argsort()
        at = y[number][order].numpy()
        is_first = number == 0
        if true is not None:
            axes.plot(at, true[number][order].numpy(), color=color, alpha=0.45, linewidth=4, label="true" * is_first)
        axes.plot(at, predicted[number][order].numpy(), "--", color=color, label="predicted" * is_first)
    if true is not None:
        add_legend(figure, axes)
    return figure


def _against(predicted: Tensor, true: Tensor) -> Figure:
    figure, axes = canvas("true value", "predicted value", None)
    some = torch.linspace(0, true.numel() - 1, min(N_DOTS, true.numel())).long()
    x, z = true.flatten()[some].numpy(), predicted.flatten()[some].numpy()
    axes.plot(x, z, ".", color=PALETTE[0], markersize=3, alpha=0.5)
    ends = [float(min(x.min(), z.min())), float(max(x.max(), z.max()))]
    axes.plot(ends, ends, "--", color="#666666", linewidth=1.2, label="equal")
    add_legend(figure, axes)
    return figure


def _fields(y: Tensor, predicted: Tensor, true: Tensor | None) -> Figure:
    """Functions of two coordinates: the first to the right, the second upwards."""
    panels = {"predicted": predicted}
    if true is not None:
        panels = {"true": true, "predicted": predicted, "predicted - true": predicted - true}
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(0.6 + 3.1 * len(panels), 2.9)
    both = torch.cat([values for name, values in panels.items() if "-" not in name])
    for axes, (name, values) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        low, high = (float(both.min()), float(both.max())) if "-" not in name else _even(values)
        _field(axes, y, values, low, high, "viridis" if "-" not in name else "RdBu_r")
        axes.set(title=name, xlabel="first coordinate", ylabel="second coordinate")
    return figure


def _even(values: Tensor) -> tuple[float, float]:
    """Limits of colors around zero."""
    largest = float(values.abs().max()) or 1.0
    return -largest, largest


def _field(axes: Axes, y: Tensor, values: Tensor, low: float, high: float, cmap: str) -> None:
    x, t = y[:, 0].unique(), y[:, 1].unique()
    if len(x) * len(t) == len(y):
        order = torch.searchsorted(t, y[:, 1].contiguous()) * len(x) + torch.searchsorted(x, y[:, 0].contiguous())
        grid = torch.empty(len(y), dtype=values.dtype)
        grid[order] = values
        image = axes.pcolormesh(
            x.numpy(), t.numpy(), grid.view(len(t), len(x)).numpy(), vmin=low, vmax=high, cmap=cmap, rasterized=True
        )
    else:
        image = axes.scatter(y[:, 0].numpy(), y[:, 1].numpy(), c=values.numpy(), s=14, vmin=low, vmax=high, cmap=cmap)  # type: ignore[assignment] # both have colors
    axes.grid(visible=False)
    axes.figure.colorbar(image, ax=axes, fraction=0.06, pad=0.03)
