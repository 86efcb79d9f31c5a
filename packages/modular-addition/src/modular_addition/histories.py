"""Pictures of trainings: the flow, the lottery of frequencies, and the stages of grokking."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from separata.canvas import PALETTE, canvas, in_house_style

from .flow import FlowTrajectory
from .grokking import GrokkingStages

BLUE, ORANGE, GREEN, YELLOW, PINK = PALETTE[:5]
STAGE_COLORS = ("#F6E7DA", "#E3EFF7", "#E6F3EA")
STAGE_NAMES = ("I  memorization", "II  fast\ngeneralization", "III  clean-up")
N_SHOWN = 3
"""Neurons of a portrait of the lottery."""
SMALL = 8.5


def _panels(width: float, height: float) -> Figure:
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(width, height)
    return figure


@in_house_style
def draw_flow(path: FlowTrajectory, threshold: float | None = None) -> Figure:
    """Draw the misalignment and the input magnitude of several states over time, each up to the threshold.

    Args:
        path: States that start with different misalignments, one after the other.
        threshold: Magnitude at which a line ends; by default it goes on.
    """
    figure = _panels(7.4, 3.3)
    left, right = figure.subplots(1, 2)
    time = path.time.numpy()
    colors = [*PALETTE[:6]]
    for number in range(path.alpha.shape[1]):
        alpha, angle = path.alpha[:, number].numpy(), path.misalignment[:, number].numpy()
        beyond = np.flatnonzero(alpha >= threshold) if threshold else np.array([], int)
        end = beyond[0] + 1 if len(beyond) else len(time)
        color = colors[number % len(colors)]
        left.plot(time[:end], angle[:end], color=color)
        right.plot(time[:end], alpha[:end], color=color)
        # Where the line begins, so that both panels are read with the same names.
        left.annotate(
            f"{angle[0]:.1f}", (0, angle[0]), xytext=(-4, 0), textcoords="offset points", ha="right", va="center",
            fontsize=SMALL, color=color,
        )  # fmt: skip
        right.annotate(
            f"{angle[0]:.1f}", (time[end - 1], alpha[end - 1]), xytext=(0, 3 + 10 * (number % 2)),
            textcoords="offset points",
            fontsize=SMALL, color=color, ha="center", va="bottom",
        )  # fmt: skip
    left.set(xlabel="time: learning rate × steps", xlim=(-0.09 * time[-1], time[-1]), ylim=(0, np.pi))
    left.set_ylabel("misalignment D = 2φ − ψ")
    left.set_xticks([one for one in left.get_xticks() if 0 <= one <= time[-1]])
    left.set_yticks([0, np.pi / 2, np.pi], ["0", "π/2", "π"])
    right.set(xlabel="time: learning rate × steps", ylabel="input magnitude α", xlim=(0, 1.05 * time[-1]))
    if threshold:
        right.axhline(threshold, color="#666666", linestyle="--", linewidth=1.1)
        right.annotate(
            "threshold", (0, threshold), xytext=(3, 3), textcoords="offset points", fontsize=SMALL, color="#444444"
        )
        right.set_ylim(0, 1.2 * threshold)
    left.set_title("phases align", fontsize=10)
    right.set_title("the better aligned, the earlier", fontsize=10)
    return figure


@in_house_style
def draw_lottery(
    time: Sequence[float],
    alpha: Float[Tensor, "times width frequencies"],
    misalignment: Float[Tensor, "times width frequencies"],
    winner: Int[Tensor, "width"],
    predicted: Int[Tensor, "width"],
) -> Figure:
    """Draw magnitudes and misalignments of every frequency in three neurons, with the winners.

    Args:
        time: Learning rate times steps.
        alpha: Input magnitudes.
        misalignment: D = 2φ - ψ.
        winner: The frequency that each neuron has learned.
        predicted: The frequency that was predicted.
    """
    # Neurons of different winners, the largest at the end first.
    order = alpha[-1].amax(1).argsort(descending=True).tolist()
    shown: list[int] = []
    for neuron in order:
        if len(shown) < N_SHOWN and int(winner[neuron]) not in {int(winner[one]) for one in shown}:
            shown.append(neuron)
    figure = _panels(2.6 * len(shown) + 0.8, 4.6)
    panels = figure.subplots(2, len(shown), sharex=True, sharey="row", squeeze=False)
    for column, neuron in enumerate(shown):
        top, bottom = panels[:, column]
        first, guess = int(winner[neuron]), int(predicted[neuron])
        for k in range(1, alpha.shape[2] + 1):
            color, width, z = (ORANGE, 2.2, 3) if k == first else ("#B4BEC6", 1.1, 2)
            top.plot(time, alpha[:, neuron, k - 1], color=color, linewidth=width, zorder=z)
            bottom.plot(time, misalignment[:, neuron, k - 1].cos(), color=color, linewidth=width, zorder=z)
        told = "as predicted" if guess == first else f"not {guess}, as predicted"
        top.set_title(f"neuron {neuron + 1}: k = {first} wins,\n{told}", fontsize=9)
        bottom.set_xlabel("time: learning rate × steps")
        bottom.set_ylim(-1.08, 1.08)
    panels[0, 0].set_ylabel("input magnitude α")
    panels[1, 0].set_ylabel("alignment cos D")
    return figure


@in_house_style
def draw_grokking(
    steps: Sequence[float],
    history: Mapping[str, Sequence[float]],
    stages: GrokkingStages,
    control: Sequence[float] | None = None,
) -> Figure:
    """Draw a training with its stages shaded: accuracies, losses, and what the weights are made of.

    Args:
        steps: Steps of the history.
        history: train_accuracy and test_accuracy; and, where they are there, train_loss, test_loss, ipr and norm.
        stages: When they end.
        control: Test accuracy of another training to compare with, such as one without weight decay.
    """
    has_loss = {"train_loss", "test_loss"} <= history.keys()
    has_weights = {"ipr", "norm"} <= history.keys()
    n = 1 + has_loss + has_weights
    figure = _panels(7.2, 0.7 + 1.85 * n)
    panels = figure.subplots(n, 1, sharex=True, squeeze=False)[:, 0]
    at = np.array(steps, dtype=float)
    for axes in panels:
        _shade(axes, stages, at[-1])
        axes.set_xlim(0, 1.13 * at[-1])
        axes.grid(visible=False)
    _lines(panels[0], at, history, {"train_accuracy": ("training", BLUE), "test_accuracy": ("test", ORANGE)})
    if control is not None:
        panels[0].plot(at, control, ":", color="#666666", linewidth=1.4)
        middle = len(at) * 3 // 4
        panels[0].annotate(
            "test, without decay", (at[middle], control[middle]), xytext=(0, -6), textcoords="offset points",
            ha="center", va="top", fontsize=SMALL, color="#555555",
        )  # fmt: skip
    panels[0].set(ylabel="accuracy", ylim=(0, 1.04))
    _name_stages(panels[0], stages, at[-1])
    if has_loss:
        _lines(panels[1], at, history, {"train_loss": ("training", BLUE), "test_loss": ("test", ORANGE)})
        panels[1].set_yscale("log")
        panels[1].set_ylabel("loss, nats")
    if has_weights:
        below = panels[-1]
        _lines(below, at, history, {"ipr": ("ratio", GREEN)})
        below.set(ylabel="inverse participation\nratio; relative norm", ylim=(0, 1))
        norm = np.array(history["norm"]) / np.max(history["norm"])
        below.plot(at, norm, color=PINK)
        below.annotate(
            f"norm / {np.max(history['norm']):.0f}", (at[-1], norm[-1]), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=SMALL, color=PINK, annotation_clip=False,
        )  # fmt: skip
        below.set_ylim(0, 1.06)
    panels[-1].set_xlabel("step")
    return figure


def _lines(
    axes: Axes, at: np.ndarray, history: Mapping[str, Sequence[float]], named: Mapping[str, tuple[str, str]]
) -> None:
    """Lines with their names at the end."""
    ends = sorted(float(history[key][-1]) for key in named)
    is_close = len(ends) > 1 and axes.get_yscale() == "linear" and ends[1] - ends[0] < 0.12
    for number, (key, (name, color)) in enumerate(named.items()):
        axes.plot(at, history[key], color=color)
        shift = (5 if number == 0 else -5) if is_close else 0
        axes.annotate(
            name, (at[-1], history[key][-1]), xytext=(4, shift), textcoords="offset points", va="center",
            fontsize=SMALL, color=color, annotation_clip=False,
        )  # fmt: skip


def _ends(stages: GrokkingStages, last: float) -> list[tuple[float, float]]:
    first = last if stages.stage1_end is None else float(stages.stage1_end)
    second = last if stages.stage2_end is None else float(stages.stage2_end)
    return [(0, first), (first, second), (second, last)]


def _shade(axes: Axes, stages: GrokkingStages, last: float) -> None:
    for (start, end), color in zip(_ends(stages, last), STAGE_COLORS, strict=True):
        if end > start:
            axes.axvspan(start, end, color=color, linewidth=0, zorder=0)


def _name_stages(axes: Axes, stages: GrokkingStages, last: float) -> None:
    for (start, end), name in zip(_ends(stages, last), STAGE_NAMES, strict=True):
        if end - start > 0.09 * last:
            axes.text(
                (start + end) / 2, 1.08, name, ha="center", va="bottom", fontsize=SMALL, color="#333333",
                transform=axes.get_xaxis_transform(),
            )  # fmt: skip


def rows_to_history(rows: Sequence[Mapping[str, float]]) -> tuple[list[float], dict[str, list[float]]]:
    """Steps and columns of a history in rows."""
    time = "step" if "step" in rows[0] else "epoch"
    return [row[time] for row in rows], {key: [row[key] for row in rows] for key in rows[0] if key != time}
