"""Charts of what was measured: the linear network, planted signals, depth and optimizers."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from separata.canvas import PALETTE, canvas, in_house_style

from .panels import (
    BOTH,
    DOWN,
    SHARP,
    UP,
    Pairs,
    Series,
    draw_band,
    draw_sharpness,
    label_ends,
    make_panels,
    make_plain_logarithmic,
)


@in_house_style
def draw_linear(curves: Mapping[float, Mapping[str, Series]], alpha: float) -> Figure:
    """Draw trainings of the two-layer linear network, a column for each step size: loss, curvature, outliers' weight.

    Args:
        curves: By step size the series `loss`, `curvature` and `o`.
        alpha: Size of the outliers.
    """
    figure, panels = make_panels(3, len(curves), 3.7 * len(curves) + 0.6, 5.9, sharex="col")
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
                xytext=(0, -15),
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
    figure, panels = make_panels(1, 2, 8.6, 3.5)
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
        draw_band(right, at, np.array([[value for _, value in one] for one in sharpness[key]]), color)
        right.lines[-1].set_label(name)
    right.set(xlabel="step", ylabel="sharpness")
    right.set_ylim(bottom=0)
    right.set_title("Who makes the network sharp")
    right.legend(loc="lower right")
    return figure


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
    figure, panels = make_panels(3, 1, 6.6, 6.6, sharex=True)
    losses, outputs, sharp = panels[:, 0]
    last = len(rest) - 1
    steps = np.arange(len(rest))
    ends = []
    for (label, series), color in zip(classes.items(), (UP, DOWN), strict=False):
        losses.plot(steps, series, color=color, linewidth=1.1)
        ends.append((last, float(np.mean(series[-5:])), f"planted, class {label}", color))
    losses.plot(steps, rest, color=BOTH)
    make_plain_logarithmic(losses)
    losses.set_ylabel("mean loss")
    losses.set_title("Losses of the planted images and of the rest")
    label_ends(losses, [*ends, (last, float(np.mean(rest[-5:])), "all others", BOTH)])
    for number, color in enumerate((UP, DOWN)):
        series = [one[number] for one in probe]
        outputs.plot(steps, series, color=color, linewidth=1.1)
    outputs.set_ylabel("output")
    # The first steps, in which the network overshoots, would leave no room for the rest.
    settled = np.asarray(probe[min(20, len(probe) // 2) :])
    outputs.set_ylim(settled.min() - 0.1, settled.max() + 0.1)
    outputs.set_title("What the network says of a plain image")
    means = [float(np.mean([one[number] for one in probe[-20:]])) for number in range(2)]
    label_ends(
        outputs,
        [(last, mean, f"class {label}", color) for mean, label, color in zip(means, classes, (UP, DOWN), strict=False)],
    )
    draw_sharpness(sharp, sharpness, lr, last)
    sharp.set_xlabel("step")
    return figure


@in_house_style
def draw_depth(sharpness: Mapping[str, Sequence[Pairs]]) -> Figure:
    """Draw the sharpness of networks relative to its first value, the mean over seeds in a band of a deviation.

    Args:
        sharpness: By network the steps and values of each seed.
    """
    figure, axes = canvas("step", "relative sharpness", None)
    ends = []
    for (name, some), color in zip(sharpness.items(), (BOTH, DOWN, UP), strict=False):
        at = [step for step, _ in some[0]]
        values = np.array([[value for _, value in one] for one in some])
        values = values / np.minimum.accumulate(values, axis=1)
        draw_band(axes, at, values, color)
        ends.append((at[-1], float(values.mean(0)[-1]), name, color))
    axes.set_xlim(0, max(end[0] for end in ends))
    axes.set_ylim(bottom=0.9)
    label_ends(axes, ends)
    return figure


@in_house_style
def draw_optimizers(found: Mapping[str, Mapping[str, Sequence[tuple[Series, Series]]]]) -> Figure:
    """Draw training losses, a panel for each data set, a line for each optimizer.

    Args:
        found: By data set and optimizer the steps and losses of each seed.
    """
    figure, panels = make_panels(1, len(found), 4.3 * len(found) + 0.2, 3.5)
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
        make_plain_logarithmic(axes)
        axes.set_title(title)
        axes.set_xlabel("step")
    panels[0, 0].set_ylabel("training loss")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    return figure
