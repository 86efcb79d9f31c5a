"""Pictures of weights: spectra, phases and logits, and how many neurons vote."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from torch import Tensor

from separata.canvas import PALETTE, canvas, in_house_style

from .diagnosis import FourierReport
from .histories import draw_flow, draw_grokking, draw_lottery
from .ideal import ghosts

__all__ = [
    "draw_circles",
    "draw_counts",
    "draw_flow",
    "draw_grokking",
    "draw_logits",
    "draw_lottery",
    "draw_phases",
    "draw_spectra",
    "draw_votes",
]

BLUE, ORANGE, GREEN = PALETTE[:3]
GRAY = "#9A9A9A"
INK = LinearSegmentedColormap.from_list("ink", ["#FFFFFF", "#BBD9EC", "#4C9ACB", "#0B5C93", "#03263F"])
HUES = LinearSegmentedColormap.from_list("hues", ["#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7"])
MOST_ROWS = 2000
"""Neurons that a heat map shows."""
PI_TICKS = ((-np.pi, -np.pi / 2, 0, np.pi / 2, np.pi), ("−π", "−π/2", "0", "π/2", "π"))


def _panels(width: float, height: float) -> Figure:
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(width, height)
    return figure


@in_house_style
def draw_spectra(report: FourierReport) -> Figure:
    """Draw the magnitudes of every neuron, relative to its largest, as a heat map of both layers.

    Neurons are in the order of their frequency. A network that has learned addition shows one staircase in each layer.
    """
    order = torch.argsort(report.frequency.double() - 0.5 * report.alpha / (report.alpha.max() + 1e-300), stable=True)
    if len(order) > MOST_ROWS:
        order = order[torch.linspace(0, len(order) - 1, MOST_ROWS).long()]
    figure = _panels(6.4, 4.6)
    panels = figure.subplots(1, 2, sharey=True)
    layers = ((report.input_magnitude, "input weights θ"), (report.outputs.magnitude, "output weights ξ"))
    for axes, (magnitude, name) in zip(panels, layers, strict=True):
        rows = magnitude[order]
        rows = (rows / rows.amax(1, keepdim=True)).nan_to_num()
        axes.imshow(
            rows.numpy(),
            cmap=INK,
            norm=Normalize(0, 1),
            aspect="auto",
            interpolation="nearest",
            extent=(0.5, report.n_frequencies + 0.5, report.width, 0),
        )
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("frequency k")
        axes.set_xticks(_few(report.n_frequencies))
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    panels[0].set_ylabel("neuron, sorted by its frequency")
    bar = figure.colorbar(
        panels[0].images[0], ax=panels, fraction=0.04, pad=0.02, label="magnitude, relative to the largest"
    )
    bar.outline.set_visible(False)
    return figure


def _few(n: int) -> list[int]:
    """At most twelve frequencies to name."""
    step = -(-n // 12)
    return list(range(1, n + 1, step))


@in_house_style
def draw_phases(report: FourierReport) -> Figure:
    """Draw the output phase against twice the input phase of every neuron, and how far off they are."""
    figure = _panels(7.2, 3.7)
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 0.95))
    alive = report.is_alive
    twice = torch.remainder(2 * report.phi[alive] + torch.pi, 2 * torch.pi) - torch.pi
    # Beside the diagonal, not at the other end of the picture.
    for shift, style in ((0, "-"), (2 * np.pi, "-"), (-2 * np.pi, "-")):
        left.plot([-np.pi, np.pi], [-np.pi + shift, np.pi + shift], style, color="#CFCFCF", linewidth=5, zorder=0)
    dots = left.scatter(
        twice, report.psi[alive], c=report.frequency[alive], cmap=HUES, s=9, alpha=0.85, linewidths=0, rasterized=False
    )
    left.set(xlim=(-np.pi, np.pi), ylim=(-np.pi, np.pi), xlabel="2φ, twice the input phase", ylabel="ψ, output phase")
    left.set_xticks(*PI_TICKS)
    left.set_yticks(*PI_TICKS)
    left.set_aspect("equal")
    left.set_title("phases of every neuron", fontsize=10)
    bar = figure.colorbar(
        dots, ax=left, fraction=0.045, pad=0.02, label="frequency k", ticks=_few(report.n_frequencies)
    )
    bar.outline.set_visible(False)
    off = report.misalignment[alive].numpy()
    right.hist(off, bins=np.linspace(-np.pi, np.pi, 61), color=BLUE, edgecolor="white", linewidth=0.4)
    right.axhline(len(off) / 60, color="#666666", linestyle="--", linewidth=1.1)
    top = 1.16 * right.get_ylim()[1]
    right.set_ylim(0, top)
    right.annotate(
        "no alignment", (np.pi, len(off) / 60), xytext=(0, 3), textcoords="offset points", ha="right", fontsize=8.5
    )
    right.text(-0.95 * np.pi, 0.97 * top, f"mean cos D = {report.mean_cos:.3f}", fontsize=9, va="top")
    right.set(xlabel="misalignment D = 2φ − ψ", ylabel="neurons", xlim=(-np.pi, np.pi))
    right.set_xticks(*PI_TICKS)
    right.set_title("distance from the diagonal", fontsize=10)
    return figure


@in_house_style
def draw_circles(report: FourierReport, frequency: int | None = None) -> Figure:
    """Draw the input phases of the neurons of one frequency, times 1 to 4, on the circle, with their mean.

    Args:
        report: The network.
        frequency: By default that of the most neurons.

    Raises:
        ValueError: if no neuron has this frequency.
    """
    k = int(report.counts.argmax()) + 1 if frequency is None else frequency
    some = (report.frequency == k) & report.is_alive
    if not some.any():
        raise ValueError(f"no neuron has the frequency {k}")
    figure = _panels(8.0, 2.7)
    for n, axes in enumerate(figure.subplots(1, 4), 1):
        angle = (n * report.phi[some]).numpy()
        turn = np.linspace(0, 2 * np.pi, 200)
        axes.plot(np.cos(turn), np.sin(turn), color="#D5D5D5", linewidth=1.2, zorder=0)
        axes.plot(np.cos(angle), np.sin(angle), "o", color=BLUE, markersize=4.5, alpha=0.55, markeredgewidth=0)
        mean = np.exp(1j * angle).mean()
        axes.plot([0, mean.real], [0, mean.imag], color=ORANGE, linewidth=2)
        axes.plot(mean.real, mean.imag, "o", color=ORANGE, markersize=6)
        axes.plot(0, 0, "+", color="#444444", markersize=7)
        axes.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15), aspect="equal")
        axes.set_title(f"{'' if n == 1 else n}φ", loc="center", fontsize=11)
        axes.set_xlabel(f"mean length {abs(mean):.2f}", fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    figure.suptitle(f"{int(some.sum())} neurons of frequency {k}", fontsize=10, fontweight="bold", x=0.01, ha="left")
    return figure


@in_house_style
def draw_counts(report: FourierReport) -> Figure:
    """Draw how many neurons each frequency has, and how many of them are of a single frequency."""
    figure, axes = canvas("frequency k", "neurons", None)
    at = np.arange(1, report.n_frequencies + 1)
    axes.bar(at, report.counts.numpy(), 0.8, color="#CFE3F0")
    axes.bar(at, report.specialized_counts.numpy(), 0.8, color=BLUE)
    mean = report.width / report.n_frequencies
    axes.axhline(mean, color="#666666", linestyle="--", linewidth=1.1)
    axes.set_ylim(0, 1.2 * max(mean, float(report.counts.max())))
    axes.set_xlim(0.4, report.n_frequencies + 0.6)
    axes.set_xticks(_few(report.n_frequencies))
    axes.set_title(
        "dark: half of the energy, or more, in this frequency;  dashed: equal shares", fontsize=9, fontweight="normal"
    )
    axes.grid(visible=False, axis="x")
    return figure


@in_house_style
def draw_logits(logits: Float[Tensor, "p"], x: int, y: int) -> Figure:
    """Draw the logits of one pair, with the sum and the ghosts at twice each summand marked.

    Raises:
        ValueError: if x or y is not in 0 .. p - 1.
    """
    p = len(logits)
    marked = dict(zip(ghosts(p, x, y), (f"{x} + {y}", f"2·{x}", f"2·{y}"), strict=True))
    values = logits.detach().double().numpy()
    rest = np.array([values[j] for j in range(p) if j not in marked])
    figure, axes = canvas("class j", "logit", None)
    figure.set_size_inches(min(9.0, max(5.6, 0.24 * p)), 3.4)
    colors = [GRAY] * p
    for j in marked:
        colors[j] = ORANGE if j == (x + y) % p else BLUE
    # Of p = 3, all classes may be marked.
    base, spread = (float(rest.mean()), float(rest.std())) if len(rest) else (float(values.mean()), 0.0)
    axes.axhspan(base - spread, base + spread, color="#EDEDED", linewidth=0, zorder=0)
    axes.axhline(base, color="#666666", linewidth=0.9)
    axes.bar(np.arange(p), values - base, 0.78, bottom=base, color=colors)
    span = values.max() - values.min() or 1.0
    for j, name in marked.items():
        is_up = values[j] >= base
        beside = values[max(0, j - 1) : j + 2]
        axes.annotate(
            f"{name} = {j}" if j == (x + y) % p and name.count("+") and x + y < p else f"{name} ≡ {j}",
            (j, max(beside) if is_up else min(beside)),
            xytext=(0, 4 if is_up else -4),
            textcoords="offset points",
            ha="center",
            va="bottom" if is_up else "top",
            fontsize=9,
            color=colors[j],
            fontweight="bold",
        )
    axes.set_ylim(values.min() - 0.06 * span, values.max() + 0.14 * span)
    axes.set_xlim(-1.1, p + 0.1)
    axes.set_xticks(range(0, p, 1 if p <= 31 else -(-p // 24)))
    axes.tick_params(axis="x", labelsize=8)
    axes.set_title(
        f"f({x}, {y}).  Orange: the sum;  blue: ghosts;  band: mean ± one s.d. of the others",
        fontsize=9,
        fontweight="normal",
    )
    axes.grid(visible=False, axis="x")
    return figure


@in_house_style
def draw_votes(n: Sequence[int], accuracy: Sequence[Sequence[float]]) -> Figure:
    """Draw the accuracy against the neurons of each frequency that vote: a thin line for each seed, and the mean."""
    figure, axes = canvas("neurons of each frequency that vote", "accuracy of addition", None)
    values = np.array(accuracy)
    for row in values:
        axes.plot(n, row, color=BLUE, alpha=0.35, linewidth=1)
    axes.plot(n, values.mean(0), "o-", color=BLUE, markersize=5)
    for one, mean in zip(n, values.mean(0), strict=True):
        axes.annotate(
            f"{mean:.2f}", (one, mean), xytext=(6, -12), textcoords="offset points", fontsize=8.5, color="#222222"
        )
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(n), [str(one) for one in n])
    axes.minorticks_off()
    axes.set_ylim(0, 1.06)
    axes.set_xlim(n[0] / 1.2, n[-1] * 1.35)
    return figure
