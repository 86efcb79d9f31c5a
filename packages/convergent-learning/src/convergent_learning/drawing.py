"""The pictures: sorted correlations, matrices before and after matching, filters side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from separata.canvas import PALETTE, add_legend, canvas, in_house_style

from .matching import Matching


@in_house_style
def draw_correlations(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str | None = None, ylabel: str = "correlation"
) -> Figure:
    """Similarity of each unit with its partner: semi-matching as a line, bipartite matching as dots.

    Args:
        curves: By name, the values of the semi-matching from the highest down, and those of the bipartite matching of
            the same units.
        title: Title of the figure.
        ylabel: What the values are.
    """
    figure, axes = canvas("units, the best matched first (share)", ylabel, title)
    for (name, (semi, bipartite)), color in zip(curves.items(), PALETTE, strict=False):
        at = (np.arange(len(semi)) + 0.5) / len(semi)
        axes.plot(at, semi, color=color, label=f"{name}: best partner")
        axes.plot(at, bipartite, "o", color=color, markersize=3, label=f"{name}: one-to-one")
    add_legend(figure, axes)
    return figure


@in_house_style
def draw_matrices(
    similarity: Float[Tensor, "p q"],
    matching: Matching,
    label: str = "correlation",
) -> Figure:
    """The matrix of similarities as it is, and with the units in matched order: partners on the diagonal."""
    rows = matching.order
    partners = matching.index[rows]
    chosen = partners[partners >= 0]
    columns = torch.tensor(list(dict.fromkeys(chosen.tolist())))
    matrices = {"before": similarity, "after matching": similarity[rows][:, columns]}
    figure, first = canvas("unit of B", "unit of A", "before")
    figure.set_size_inches(8, 4)
    first.set_position((0.08, 0.15, 0.36, 0.7))
    second = figure.add_axes((0.53, 0.15, 0.36, 0.7), xlabel="partner in B", title="after matching")
    limits = float(similarity.min().clamp(max=0)), float(similarity.max())
    for axes, matrix in zip((first, second), matrices.values(), strict=True):
        image = axes.imshow(matrix.cpu().numpy(), cmap="viridis", vmin=limits[0], vmax=limits[1], aspect="auto")
        axes.grid(visible=False)
    figure.colorbar(image, cax=figure.add_axes((0.91, 0.15, 0.02, 0.7)), label=label)
    return figure


@in_house_style
def draw_blocks(similarity: Float[Tensor, "n n"], order: Sequence[int], n_first: int) -> Figure:
    """The joint matrix of absolute correlations with the units cluster by cluster.

    Args:
        similarity: Of the units of both networks.
        order: The units cluster by cluster.
        n_first: Number of units of the first network, which are marked at the left.
    """
    figure, axes = canvas("unit", "unit, first network dark", "units of both networks by cluster")
    image = axes.imshow(similarity[list(order)][:, list(order)].numpy(), cmap="viridis", vmin=0, vmax=1)
    axes.grid(visible=False)
    for row, unit in enumerate(order):
        color = "#222222" if unit < n_first else "#cccccc"
        axes.plot([-1.5, -1.5], [row - 0.5, row + 0.5], color=color, linewidth=4, clip_on=False, solid_capstyle="butt")
    figure.colorbar(image, ax=axes, label="|correlation|")
    return figure


@in_house_style
def draw_filters(
    first: Float[Tensor, "p height width"], second: Float[Tensor, "p height width"], values: Sequence[float]
) -> Figure:
    """Matched filters, one above the other, with their correlation.

    Args:
        first: Filters of the first network, in the order in which they are drawn.
        second: Their partners.
        values: The correlation of each pair.
    """
    figure, frame = canvas(None, None, None)
    n = len(values)
    figure.set_size_inches(max(6.0, 0.6 * n), 1.8)
    frame.set_axis_off()
    for row, filters in enumerate((first, second)):
        for i, one in enumerate(filters):
            axes = figure.add_axes((0.02 + 0.96 * i / n, 0.5 - 0.42 * row, 0.9 / n, 0.38))
            limit = float(one.abs().max()) or 1.0
            axes.imshow(one.cpu().numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
            axes.set_axis_off()
            if row == 0:
                axes.set_title(f"{values[i]:.2f}", fontsize=8)
    return figure


@in_house_style
def draw_counts(counts: Mapping[str, Sequence[int]]) -> Figure:
    """How many units the targets need: cumulative shares."""
    figure, axes = canvas("units needed for 90 % of the R² of all units", "share of the targets", None)
    for (name, values), color in zip(counts.items(), PALETTE, strict=False):
        at = np.arange(0, max(max(some) for some in counts.values()) + 1)
        axes.step(at, [np.mean(np.asarray(values) <= n) for n in at], where="post", color=color, label=name)
    axes.set_ylim(0, 1.02)
    add_legend(figure, axes)
    return figure
