"""Pictures of a training: losses of the groups and the sharpness, galleries of images, classes."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from separata.canvas import add_legend, canvas, in_house_style

from .panels import BOTH, DOWN, UP, Pairs, Series, draw_sharpness, label_ends, make_panels, make_plain_logarithmic
from .samples import Samples


@in_house_style
def draw_trace(loss: Series, up: Series, down: Series, sharpness: Pairs, lr: float, spike: int) -> Figure:
    """Draw a training: losses of all and of the groups, the same around the spike, and the sharpness.

    Args:
        loss: Mean loss at every step.
        up: Mean loss of the group whose loss rises at the spike.
        down: Of the other.
        sharpness: Steps and values; may be empty.
        lr: Learning rate.
        spike: Step of the spike.
    """
    n_rows = 3 if sharpness else 2
    figure, panels = make_panels(n_rows, 1, 6.6, 2.05 * n_rows + 0.5)
    whole, near = panels[0, 0], panels[1, 0]
    steps = np.arange(len(loss))
    for axes in (whole, near):
        axes.plot(steps, up, color=UP, linewidth=1.0 if axes is whole else 1.8)
        axes.plot(steps, down, color=DOWN, linewidth=1.0 if axes is whole else 1.8)
        axes.plot(steps, loss, color=BOTH, linewidth=1.4)
        axes.set_ylabel("mean loss")
    make_plain_logarithmic(whole)
    whole.set_xlim(0, len(loss) - 1)
    whole.axvspan(spike - 15, spike + 15, color="#000000", alpha=0.06, linewidth=0)
    whole.set_title("Losses of the two groups and of all examples")
    start, end = max(0, spike - 15), min(len(loss) - 1, spike + 15)
    near.set_xlim(start, end)
    some = np.concatenate([np.asarray(one[start : end + 1]) for one in (up, down, loss)])
    near.set_ylim(0, 1.12 * some.max())
    near.set_title("Around the largest spike: one group up, the other down")
    for axes, last in ((whole, len(loss) - 1), (near, end)):
        tail = slice(max(0, last - 5), last + 1)
        label_ends(
            axes,
            [
                (last, float(np.mean(series[tail])), name, color)
                for series, name, color in ((up, "group 1", UP), (down, "group 2", DOWN), (loss, "all", BOTH))
            ],
        )
    if sharpness:
        draw_sharpness(panels[2, 0], sharpness, lr, len(loss) - 1)
    panels[-1, 0].set_xlabel("step")
    return figure


@in_house_style
def draw_gallery(
    data: Samples,
    up: Sequence[int],
    down: Sequence[int],
    up_loss: Series,
    down_loss: Series,
    spike: int,
    most: int = 20,
) -> Figure:
    """Draw the images of both groups side by side, and their mean losses around the spike below.

    Args:
        data: Images.
        up: Examples of the first group.
        down: Of the second.
        up_loss: Mean loss of the first at every step.
        down_loss: Of the second.
        spike: Step of the spike.
        most: Images of a group that are shown.
    """
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(7.2, 5.0)
    grid = figure.add_gridspec(2, 2, height_ratios=(1.5, 1))
    for column, (name, group, color) in enumerate((("Group 1", up, UP), ("Group 2", down, DOWN))):
        axes = figure.add_subplot(grid[0, column])
        some = torch.tensor(list(group)[:most])
        axes.imshow(tile(data.pictures(some)), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(f"{name}: loss rises at step {spike}" if column == 0 else f"{name}: loss falls", color=color)
        axes.set_xlabel(class_summary(data, some), fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set(visible=True, color=color, linewidth=2)
    axes = figure.add_subplot(grid[1, :])
    start, end = max(0, spike - 15), min(len(up_loss) - 1, spike + 15)
    steps = np.arange(start, end + 1)
    for series, name, color in ((up_loss, "group 1", UP), (down_loss, "group 2", DOWN)):
        axes.plot(steps, series[start : end + 1], color=color, marker="o", markersize=3.5, label=name)
    axes.axvspan(spike, spike + 1, color="#000000", alpha=0.08, linewidth=0)
    axes.set(xlabel="step", ylabel="mean loss", xlim=(start, end))
    axes.set_ylim(bottom=0)
    last = slice(end - 1, end + 1)
    label_ends(
        axes,
        [(end, float(np.mean(up_loss[last])), "group 1", UP), (end, float(np.mean(down_loss[last])), "group 2", DOWN)],
    )
    return figure


def tile(images: Float[Tensor, "n channels height width"], n_columns: int = 5) -> np.ndarray:
    """Images in rows, one beside the other with a white line between, as an array for `imshow`."""
    n, channels, height, width = images.shape
    n_rows = -(-n // n_columns)
    sheet = np.ones((n_rows * (height + 1) + 1, n_columns * (width + 1) + 1, channels))
    for i, image in enumerate(images.permute(0, 2, 3, 1).cpu().numpy()):
        row, column = divmod(i, n_columns)
        sheet[row * (height + 1) + 1 :, column * (width + 1) + 1 :][:height, :width] = image
    return sheet[..., 0] if channels == 1 else sheet


def class_summary(data: Samples, group: Tensor, most: int = 4) -> str:
    """The classes of a group with their counts, the most frequent first."""
    counts = torch.bincount(data.y[group.to(data.y.device)].cpu(), minlength=len(data.classes))
    order = counts.argsort(descending=True, stable=True)
    told = [f"{data.classes[int(i)]} ({int(counts[i])})" for i in order[:most] if counts[i] > 0]
    more = int((counts > 0).sum()) - len(told)
    return "classes " + ", ".join(told) + (f" and {more} more" if more else "")


@in_house_style
def draw_histograms(up: Sequence[int], down: Sequence[int], classes: Sequence[str]) -> Figure:
    """Draw how many members of each group have which class, one group to the right and the other to the left."""
    shown = [i for i in range(len(classes)) if up[i] or down[i]]
    figure, axes = canvas("examples", None, None)
    figure.set_size_inches(4.6, max(1.8, 0.32 * len(shown) + 0.9))
    at = np.arange(len(shown))
    axes.barh(at, [up[i] for i in shown], color=UP, label="group 1")
    axes.barh(at, [-down[i] for i in shown], color=DOWN, label="group 2")
    axes.set_yticks(at, [classes[i] for i in shown])
    most = max(1, *up, *down)
    axes.set_xlim(-most - 1, most + 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    axes.invert_yaxis()
    add_legend(figure, axes)
    return figure
