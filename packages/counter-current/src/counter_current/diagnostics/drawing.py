"""Pictures: alignment over training, features in the plane, and reconstructions."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor

from separata.canvas import PALETTE, add_legend, canvas, in_house_style

N_PICTURES = 8
"""Samples that are drawn with their reconstructions."""
MOST_NAMED = 20
"""Classes that have a name in the legend."""


@in_house_style
def draw_alignment(maps: Mapping[str, Float[Tensor, "forward feedback"]]) -> Figure:
    """Linear CKA of every forward activation with every feedback signal, a heat map for each stage of the training.

    Args:
        maps: What `alignment_map` gives, by the name of the stage.

    Raises:
        ValueError: if there is none.
    """
    if not maps:
        raise ValueError("there is no alignment to draw")
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(0.9 + 2.4 * len(maps), 3.0)
    panels = figure.subplots(1, len(maps), squeeze=False, sharey=True)[0]
    for axes, (title, cells) in zip(panels, maps.items(), strict=True):
        n = len(cells)
        image = axes.imshow(cells.numpy(), cmap="viridis", vmin=0, vmax=1, origin="lower")
        axes.set(title=title, xlabel="feedback signal b", xticks=range(n), yticks=range(n))
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
    panels[0].set_ylabel("forward activation a")
    bar = figure.colorbar(image, ax=list(panels), label="linear CKA", fraction=0.05, pad=0.02)
    bar.outline.set_visible(False)
    return figure


@in_house_style
def draw_features(
    points: Float[np.ndarray, "n 2"], labels: Int[Tensor, "n"], classes: Sequence[str], title: str | None = None
) -> Figure:
    """Samples in the plane, a color for each class.

    Args:
        points: Their places.
        labels: Their classes.
        classes: Names of the classes.
        title: Title of the figure.
    """
    figure, axes = canvas(None, None, title)
    figure.set_size_inches(4.6, 4.2)
    numbers = labels.cpu().numpy()
    for index in np.unique(numbers):
        of_class = points[numbers == index]
        name = classes[index] if len(classes) <= MOST_NAMED else None
        marker = "o^s"[index // len(PALETTE) % 3]
        axes.plot(*of_class.T, marker, color=PALETTE[index % len(PALETTE)], markersize=3, alpha=0.7, label=name)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    add_legend(figure, axes)
    return figure


@in_house_style
def draw_reconstructions(rows: Mapping[str, Float[Tensor, "n channels height width"]], n: int = N_PICTURES) -> Figure:
    """Images in rows, such as samples above their reconstructions.

    Args:
        rows: Images of intensities in [0, 1], gray or in color, by the name of the row.
        n: How many of each row.
    """
    figure, _ = canvas(None, None, None)
    figure.clear()
    shown = {name: images[:n].detach().cpu() for name, images in rows.items()}
    columns = max(map(len, shown.values()))
    figure.set_size_inches(1.4 + 0.75 * columns, 0.3 + 0.8 * len(shown))
    panels = figure.subplots(len(shown), columns, squeeze=False)
    for axes_row, (name, images) in zip(panels, shown.items(), strict=True):
        for axes, image in zip(axes_row, images, strict=False):
            axes.imshow(image.permute(1, 2, 0).clamp(0, 1).squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=1)
        for axes in axes_row:
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
            axes.spines[:].set_visible(False)
        axes_row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    return figure
