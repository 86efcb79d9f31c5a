"""Pictures of what a network has learned: the function on each edge, and how the families were chosen."""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor, nn

from separata.canvas import PALETTE, canvas, in_house_style

from .bases.registry import available_bases
from .layer import Member, SelectableLayer
from .linear import SKANLinear
from .networks import selectable_layers

N_POINTS = 200
N_COLUMNS = 6
MOST_EDGES = 24
"""Functions of a layer that are drawn: those of the largest spread."""


@torch.no_grad()
def edge_functions(layer: SKANLinear, points: Float[Tensor, "points"]) -> Float[Tensor, "nodes inputs points"]:
    """The function on each edge of a dense layer, at points.

    Inputs are what the layer takes after its normalization.

    Args:
        layer: Before or after pruning.
        points: Where the functions are computed.
    """
    if not layer.is_pruned:
        return torch.einsum("kf,odf->odk", layer.expand(points), layer.weight())
    total = points.new_zeros(layer.n_out, layer.n_in, len(points))
    if layer.base_weight is not None:
        total += layer.base_weight[..., None] * layer.base(points)
    for member in layer.members:
        assert isinstance(member, Member)  # noqa: S101 - as it was made
        part = torch.einsum("kf,odf->odk", member.basis(points), member.weight())
        if member.is_by_edge:
            total += part
        else:
            total[member.nodes] += part
    return total


@torch.no_grad()
def _ranges(model: nn.Module, x: Tensor) -> list[tuple[SKANLinear, Tensor]]:
    """The dense layers, and the inputs that each of them has for some samples."""
    seen: list[tuple[SKANLinear, Tensor]] = []

    def keep(layer: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        del output
        assert isinstance(layer, SKANLinear)  # noqa: S101 - as it was hooked
        seen.append((layer, layer.normalize(arguments[0]).flatten(0, -2)))

    hooks = [one.register_forward_hook(keep) for one in selectable_layers(model) if isinstance(one, SKANLinear)]
    was_training = model.training
    try:
        model.eval()(x)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return seen


@in_house_style
def draw_functions(model: nn.Module, x: Float[Tensor, "n *sample"], names: Sequence[str] | None = None) -> Figure:
    """Draw the function on each edge, in the color of the family that is chosen for it, over the inputs that it sees.

    Of a large layer, the functions that vary most on these samples are drawn.

    Args:
        model: Any module with dense layers that choose.
        x: Samples that it takes.
        names: Names of the features.

    Raises:
        ValueError: if the module has no such layer.
    """
    found = _ranges(model, x)
    if not found:
        raise ValueError("this network has no dense layer that chooses among families, so there is nothing to draw")
    panels = [
        panel for number, (layer, inputs) in enumerate(found, 1) for panel in _panels(number, layer, inputs, names)
    ]
    n_columns = min(N_COLUMNS, len(panels))
    n_rows = sum(math.ceil(_n_drawn(layer) / n_columns) for layer, _ in found)
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(0.4 + 1.75 * n_columns, 0.5 + 1.5 * n_rows)
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    place = 0
    for layer, _ in found:
        n = _n_drawn(layer)
        for one in panels[:n]:
            _draw_edge(grid.flat[place], *one)
            place += 1
        panels = panels[n:]
        while place % n_columns:
            grid.flat[place].set_axis_off()
            place += 1
    _legend(figure, found)
    return figure


Panel = tuple[str, Tensor, Tensor, str]


def _n_drawn(layer: SelectableLayer) -> int:
    return min(MOST_EDGES, layer.n_in * layer.n_out)


@torch.no_grad()
def _panels(number: int, layer: SKANLinear, inputs: Tensor, names: Sequence[str] | None) -> list[Panel]:
    """Title, points, values and family of each edge that is drawn."""
    low, high = float(inputs.min()), float(inputs.max())
    points = torch.linspace(low, high if high > low else low + 1, N_POINTS).to(inputs)
    values = edge_functions(layer, points)
    spread = values.std(2).flatten()
    drawn = spread.argsort(descending=True)[: _n_drawn(layer)].sort().values.tolist()
    chosen = layer.chosen()
    panels = []
    for edge in drawn:
        node, feature = divmod(edge, layer.n_in)
        family = chosen[{"node": node, "edge": edge, "layer": 0}[layer.unit]]
        source = names[feature] if number == 1 and names is not None else f"{'xhhhhh'[min(number, 6) - 1]}{feature}"
        panels.append((f"{source} to {number}:{node}", points, values[node, feature], family))
    return panels


def _draw_edge(axes: Axes, title: str, points: Tensor, values: Tensor, family: str) -> None:
    axes.plot(points.cpu().numpy(), values.cpu().numpy(), color=color_of(family))
    axes.set_title(title, fontsize=8, fontweight="normal", loc="left")
    axes.tick_params(labelsize=7)


def color_of(family: str) -> str:
    """The color of a family, the same in all pictures."""
    known = list(available_bases())
    first = family.split("+", maxsplit=1)[0]
    return PALETTE[known.index(first) % len(PALETTE)] if first in known else PALETTE[-1]


def _legend(figure: Figure, found: Sequence[tuple[SKANLinear, Tensor]]) -> None:
    families = list(dict.fromkeys(name for layer, _ in found for name in layer.chosen()))
    handles = [Line2D([], [], color=color_of(name), label=name) for name in families]
    figure.set_figheight(figure.get_figheight() + 0.3)
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), N_COLUMNS))


@in_house_style
def draw_selection(history: Sequence[Mapping[str, float]]) -> Figure:
    """Draw the mean weight of each family in each layer over a training.

    Args:
        history: Rows that `fit` gives, or of a run's history.

    Raises:
        ValueError: if they have no weights.
    """
    keys = list(dict.fromkeys(key for row in history for key in row if key.startswith("layer") and "_" in key))
    layers = list(dict.fromkeys(key.partition("_")[0] for key in keys))
    if not layers:
        raise ValueError("the history has no weights of families: the network had nothing to choose")
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(0.6 + 3.0 * len(layers), 2.9)
    for axes, layer in zip(figure.subplots(1, len(layers), squeeze=False, sharey=True)[0], layers, strict=True):
        for key in (key for key in keys if key.partition("_")[0] == layer):
            rows = [row for row in history if key in row]
            family = key.partition("_")[2]
            axes.plot([row["step"] for row in rows], [row[key] for row in rows], color=color_of(family), label=family)
        axes.set(title=f"layer {layer.removeprefix('layer')}", xlabel="step", ylim=(-0.03, 1.03))
    figure.axes[0].set_ylabel("mean weight, then share of units")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.set_figheight(figure.get_figheight() + 0.3)
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure
