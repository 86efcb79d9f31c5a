"""Pictures: trainings with their groups, galleries of images, the linear network, doses, depth and optimizers."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from torch import Tensor

from separata.canvas import PALETTE, add_legend, canvas, in_house_style

from .samples import Samples

UP, DOWN, BOTH = PALETTE[1], PALETTE[0], "#555555"
SHARP = PALETTE[2]
Series = Sequence[float]
Pairs = Sequence[tuple[float, float]]


def _panels(n_rows: int, n_columns: int, width: float, height: float, **options: object) -> tuple[Figure, np.ndarray]:
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(width, height)
    return figure, figure.subplots(n_rows, n_columns, squeeze=False, **options)  # type: ignore[call-overload]


def _end_labels(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Names at the right ends of lines, moved apart where they would overlap.

    Args:
        axes: With its final limits.
        ends: x, y, name and colour of each.
    """
    low, high = axes.get_ylim()
    is_log = axes.get_yscale() == "log"

    def fraction(y: float) -> float:
        return float(np.log(y / low) / np.log(high / low)) if is_log else (y - low) / (high - low)

    least = 0.135 / axes.get_figure().get_size_inches()[1] * 3.2 / axes.get_position().height * 0.5  # type: ignore[union-attr]
    placed = -np.inf
    for x, y, name, color in sorted(ends, key=lambda end: end[1]):
        placed = max(fraction(y), placed + least)
        at = low * (high / low) ** placed if is_log else low + placed * (high - low)
        axes.annotate(
            name,
            (x, at),
            xytext=(5, 0),
            textcoords="offset points",
            color=color,
            va="center",
            fontsize=9,
            annotation_clip=False,
        )


def _make_logarithmic(axes: Axes) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


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
    figure, panels = _panels(n_rows, 1, 6.6, 2.05 * n_rows + 0.5)
    whole, near = panels[0, 0], panels[1, 0]
    steps = np.arange(len(loss))
    for axes in (whole, near):
        axes.plot(steps, up, color=UP, linewidth=1.0 if axes is whole else 1.8)
        axes.plot(steps, down, color=DOWN, linewidth=1.0 if axes is whole else 1.8)
        axes.plot(steps, loss, color=BOTH, linewidth=1.4)
        axes.set_ylabel("mean loss")
    _make_logarithmic(whole)
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
        _end_labels(
            axes,
            [
                (last, float(np.mean(series[tail])), name, color)
                for series, name, color in ((up, "group 1", UP), (down, "group 2", DOWN), (loss, "all", BOTH))
            ],
        )
    if sharpness:
        _draw_sharpness(panels[2, 0], sharpness, lr, len(loss) - 1)
    panels[-1, 0].set_xlabel("step")
    return figure


def _draw_sharpness(axes: Axes, sharpness: Pairs, lr: float, last: float) -> None:
    at, values = zip(*sharpness, strict=True)
    axes.plot(at, values, color=SHARP, marker="o" if len(at) < 3 else "")
    axes.axhline(2 / lr, color="#666666", linestyle="--", linewidth=1.2)
    axes.set_ylim(0, 1.15 * max(*values, 2 / lr))
    axes.set_xlim(0, last)
    axes.set_ylabel("sharpness")
    axes.set_title("Largest eigenvalue of the Hessian")
    _end_labels(axes, [(last, 2 / lr, "2 / learning rate", "#555555"), (last, values[-1], "sharpness", SHARP)])


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
    _end_labels(
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
def draw_linear(curves: Mapping[float, Mapping[str, Series]], alpha: float) -> Figure:
    """Draw trainings of the two-layer linear network, a column for each step size: loss, curvature, outliers' weight.

    Args:
        curves: By step size the series `loss`, `curvature` and `o`.
        alpha: Size of the outliers.
    """
    figure, panels = _panels(3, len(curves), 3.7 * len(curves) + 0.6, 5.9, sharex="col")
    most = max(max(one["curvature"]) for one in curves.values())
    largest = max(max(map(abs, one["o"])) for one in curves.values())
    for column, (eta, one) in enumerate(curves.items()):
        loss, curvature, weight = panels[:, column]
        loss.plot(np.maximum(one["loss"], 1e-12), color=BOTH)
        loss.set_yscale("log")
        loss.set_ylim(1e-12, 10)
        is_over = max(one["curvature"]) > 2 / eta
        loss.set_title(f"step size {eta:g}: {'past the edge' if is_over else 'stable'}")
        curvature.plot(one["curvature"], color=SHARP)
        curvature.axhline(2 / eta, color="#666666", linestyle="--", linewidth=1.2)
        curvature.axhline(alpha, color="#999999", linestyle=":", linewidth=1.2)
        curvature.set_ylim(0, 1.2 * max(most, alpha))
        last = len(one["curvature"]) - 1
        if 2 / eta <= 1.1 * max(most, alpha):
            curvature.annotate(
                "2 / step size",
                (last, 2 / eta),
                xytext=(0, -4),
                textcoords="offset points",
                ha="right",
                va="top",
                fontsize=9,
                color="#555555",
            )
        curvature.annotate(
            r"$\alpha\,|\beta|$",
            (last, alpha),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=9,
            color="#777777",
        )
        weight.plot(one["o"], color=UP, linewidth=1.2)
        weight.set_ylim(-1.15 * largest, 1.15 * largest)
        weight.set_xlabel("step")
    for row, name in enumerate(("loss", r"curvature $\alpha c^2$", "outliers' weight $o$")):
        panels[row, 0].set_ylabel(name)
    return figure


@in_house_style
def draw_doses(
    doses: Sequence[float], shares: Mapping[str, Sequence[Sequence[float]]], sharpness: Mapping[str, Sequence[Pairs]]
) -> Figure:
    """Draw the share of planted images in the groups by amplitude, and the sharpness with and without them.

    Args:
        doses: Amplitudes.
        shares: By method for each amplitude the share of each seed.
        sharpness: For `none`, `planted` and `random`, what is left out, the steps and values of each seed.
    """
    figure, panels = _panels(1, 2, 8.6, 3.5)
    left, right = panels[0]
    for (name, of_each), color, marker in zip(shares.items(), (UP, PALETTE[4]), "os", strict=False):
        means = [np.mean(one) for one in of_each]
        left.plot(doses, means, color=color, marker=marker, label=name)
        for dose, one in zip(doses, of_each, strict=True):
            left.plot([dose] * len(one), one, ".", color=color, alpha=0.5, markersize=5)
    left.axhline(0.04, color="#666666", linestyle="--", linewidth=1.2)
    left.annotate("chance", (0, 0.04), xytext=(2, 3), textcoords="offset points", fontsize=9, color="#555555")
    left.set(
        xlabel="amplitude of the planted signal (standard deviations)",
        ylabel="share of planted images in the groups",
        ylim=(-0.03, 1.05),
    )
    left.legend(loc="upper left")
    left.set_title("Who takes part in the spikes")
    named = {"none": ("all images", BOTH), "random": ("without 40 random", DOWN), "planted": ("without 40 planted", UP)}
    for key, (name, color) in named.items():
        at = [step for step, _ in sharpness[key][0]]
        _band(right, at, np.array([[value for _, value in one] for one in sharpness[key]]), color)
        right.lines[-1].set_label(name)
    right.set(xlabel="step", ylabel="sharpness")
    right.set_ylim(bottom=0)
    right.set_title("Who makes the network sharp")
    right.legend(loc="lower right")
    return figure


def _band(axes: Axes, at: Sequence[float], values: Float[np.ndarray, "seeds steps"], color: str) -> None:
    """The mean over seeds, in a band of one standard deviation."""
    mean = values.mean(0)
    axes.plot(at, mean, color=color)
    if len(values) > 1:
        spread = values.std(0, ddof=1)
        axes.fill_between(at, mean - spread, mean + spread, color=color, alpha=0.15, linewidth=0)


@in_house_style
def draw_valley(
    classes: Mapping[str, Series], rest: Series, probe: Sequence[Series], sharpness: Pairs, lr: float
) -> Figure:
    """Draw losses of planted images and the rest, the outputs for a plain image, and the sharpness.

    Args:
        classes: Mean loss of the planted images of two classes at every step.
        rest: Of all other images.
        probe: Outputs of the network for a plain image, for the two classes, at every step.
        sharpness: Steps and values.
        lr: Learning rate.
    """
    figure, panels = _panels(3, 1, 6.6, 6.6, sharex=True)
    losses, outputs, sharp = panels[:, 0]
    last = len(rest) - 1
    steps = np.arange(len(rest))
    ends = []
    for (label, series), color in zip(classes.items(), (UP, DOWN), strict=False):
        losses.plot(steps, series, color=color, linewidth=1.1)
        ends.append((last, float(np.mean(series[-5:])), f"planted, class {label}", color))
    losses.plot(steps, rest, color=BOTH)
    _make_logarithmic(losses)
    losses.set_ylabel("mean loss")
    losses.set_title("Losses of the planted images and of the rest")
    _end_labels(losses, [*ends, (last, float(np.mean(rest[-5:])), "all others", BOTH)])
    for number, color in enumerate((UP, DOWN)):
        series = [one[number] for one in probe]
        outputs.plot(steps, series, color=color, linewidth=1.1)
    outputs.set_ylabel("output")
    # The first steps, in which the network overshoots, would leave no room for the rest.
    settled = np.asarray(probe[min(20, len(probe) // 2) :])
    outputs.set_ylim(settled.min() - 0.1, settled.max() + 0.1)
    outputs.set_title("What the network says of a plain image")
    means = [float(np.mean([one[number] for one in probe[-20:]])) for number in range(2)]
    _end_labels(
        outputs,
        [(last, mean, f"class {label}", color) for mean, label, color in zip(means, classes, (UP, DOWN), strict=False)],
    )
    _draw_sharpness(sharp, sharpness, lr, last)
    sharp.set_xlabel("step")
    return figure


@in_house_style
def draw_depth(sharpness: Mapping[str, Sequence[Pairs]]) -> Figure:
    """Draw the sharpness of networks relative to its first value, the mean over seeds in a band of a deviation.

    Args:
        sharpness: By network the steps and values of each seed.
    """
    figure, axes = canvas("step", "sharpness, relative to its lowest so far", None)
    ends = []
    for (name, some), color in zip(sharpness.items(), (BOTH, DOWN, UP), strict=False):
        at = [step for step, _ in some[0]]
        values = np.array([[value for _, value in one] for one in some])
        values = values / np.minimum.accumulate(values, axis=1)
        _band(axes, at, values, color)
        ends.append((at[-1], float(values.mean(0)[-1]), name, color))
    axes.set_xlim(0, max(end[0] for end in ends))
    axes.set_ylim(bottom=0.9)
    _end_labels(axes, ends)
    return figure


@in_house_style
def draw_optimizers(found: Mapping[str, Mapping[str, Sequence[tuple[Series, Series]]]]) -> Figure:
    """Draw training losses, a panel for each data set, a line for each optimizer.

    Args:
        found: By data set and optimizer the steps and losses of each seed.
    """
    figure, panels = _panels(1, len(found), 4.3 * len(found) + 0.2, 3.5)
    colors = dict(
        zip(
            dict.fromkeys(name for one in found.values() for name in one),
            (DOWN, UP, PALETTE[2], *PALETTE[3:]),
            strict=False,
        )
    )
    for axes, (title, of_each) in zip(panels[0], found.items(), strict=True):
        for name, some in of_each.items():
            known = [one for one in some if len(one[1])]
            if not known:
                continue
            n = min(len(loss) for _, loss in known)
            values = np.array([loss[:n] for _, loss in known])
            axes.plot(known[0][0][:n], values.mean(0), color=colors[name], label=name)
            if len(values) > 1:
                axes.fill_between(
                    known[0][0][:n], values.min(0), values.max(0), color=colors[name], alpha=0.15, linewidth=0
                )
        _make_logarithmic(axes)
        axes.set_title(title)
        axes.set_xlabel("step")
    panels[0, 0].set_ylabel("training loss")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    return figure


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
