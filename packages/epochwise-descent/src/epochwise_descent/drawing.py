"""Figures of the linear model: each group of features, ratios of scales, theory beside simulation, and maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from separata.canvas import PALETTE, add_legend, canvas, in_house_style

from .order_parameters import Dynamics

BLUE, RED, _, ORANGE = PALETTE[:4]
GRAY, DARK = "#8A8A8A", "#333333"
ERROR = "generalization error"
STEPS = "steps of gradient descent"
NEAR = 0.001
"""An error that is at most so much above the lowest is as good."""
GAP = 0.062
"""Least distance of two labels at the ends of lines, as a part of the axis."""


def panels(width: float, height: float, rows: int, columns: int, **options: object) -> tuple[Figure, np.ndarray]:
    """A figure with a grid of axes."""
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(width, height)
    grid: np.ndarray = figure.subplots(rows, columns, squeeze=False, **options)  # type: ignore[call-overload]
    return figure, grid


def label_ends(axes: Axes, ends: Sequence[tuple[float, str, object]]) -> None:
    """Names of lines to the right of the axes, moved apart where they would overlap.

    Args:
        axes: The axes, whose limits are final.
        ends: Height, name and color of each.
    """
    low, high = axes.get_ylim()
    placed, last = [], -np.inf
    for height, name, color in sorted(ends, key=lambda one: one[0]):
        part = max((height - low) / (high - low), last + GAP)
        placed.append((part, name, color))
        last = part
    over = max(0.0, placed[-1][0] - 0.98) if placed else 0.0
    for part, name, color in placed:
        axes.annotate(
            name,
            (1.015, part - over),
            xycoords="axes fraction",
            color=color,
            fontsize=9,
            va="center",
            annotation_clip=False,
        )


def _band(axes: Axes, found: Dynamics, color: object) -> None:
    """Two standard errors of the mean over draws."""
    n_draws = found.error.size // len(found.t)
    mean, half = found.mean, 2 * found.std / n_draws**0.5
    axes.fill_between(found.t, mean - half, mean + half, color=color, alpha=0.25, linewidth=0)


def _log_time(axes: Axes, t: Float[np.ndarray, " time"]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(t[t > 0][0], t[-1])


@in_house_style
def draw_alone(
    fast: Dynamics,
    slow: Dynamics,
    both: Dynamics,
    title: str | None = None,
    theory: Mapping[str, Dynamics] | None = None,
) -> Figure:
    """Draw what fast features do alone, what slow ones do, and what both make together (fig. 1).

    Args:
        fast: Fast features alone.
        slow: Slow features, the fast ones being learned.
        both: All.
        title: Title of the figure.
        theory: The closed form of the three, by fast, slow and both; drawn dashed.
    """
    figure, grid = panels(7.4, 3.3, 1, 2, sharey=True)
    left, right = grid[0]
    named = (("fast features alone", fast, RED), ("slow features, fast ones learned", slow, BLUE))
    for name, one, color in named:
        _band(left, one, color)
        left.plot(one.t, one.mean, color=color, label=name)
    _band(right, both, DARK)
    right.plot(both.t, both.mean, color=DARK, label="fast and slow features together")
    if theory is not None:
        for axes, key, color in ((left, "fast", RED), (left, "slow", BLUE), (right, "both", DARK)):
            axes.plot(theory[key].t, theory[key].mean, "--", color=color, linewidth=1.2)
        right.plot([], [], "--", color=GRAY, linewidth=1.2, label="closed form")
    top = 1.08 * max(fast.mean.max(), both.mean.max())
    for axes in (left, right):
        _log_time(axes, both.t)
        axes.set_ylim(0, top)
        axes.set_xlabel(STEPS)
        axes.legend(loc="upper right", fontsize=8.5, handlelength=1.6)
    left.set_ylabel(ERROR)
    left.set_title("each group alone")
    right.set_title(title or "both together")
    return figure


@dataclass(frozen=True, eq=False)
class Family:
    """Dynamics that differ in the ratio of scales.

    Attributes:
        kappas: The ratios.
        members: Their dynamics.
    """

    kappas: Sequence[float]
    members: Sequence[Dynamics]

    @property
    def colors(self) -> list[object]:
        """From dark for the smallest ratio to bright."""
        steps = np.linspace(0.05, 0.88, len(self.kappas))
        return [colormaps["plasma"](step) for step in steps]

    @property
    def names(self) -> list[str]:
        """How the ratios are written."""
        return [f"κ = {kappa:,.0f}" if kappa < 1e4 else f"κ = {_power(kappa)}" for kappa in self.kappas]


@in_house_style
def draw_family(family: Family) -> Figure:
    """Draw the error over time and the path of the order parameters, for several ratios of scales (fig. 3)."""
    figure, grid = panels(8.6, 3.7, 1, 2, width_ratios=(1.15, 1))
    left, right = grid[0]
    for one, color in zip(family.members, family.colors, strict=True):
        left.plot(one.t, one.mean, color=color)
    _log_time(left, family.members[0].t)
    left.set_ylim(0, 1.06 * max(one.mean.max() for one in family.members))
    left.set(xlabel=STEPS, ylabel=ERROR)
    for number, (one, name, color) in enumerate(zip(family.members, family.names, family.colors, strict=True)):
        _name_fall(left, one, name, color, part=(0.62, 0.34)[number % 2])
    draw_phase_on(right, family)
    return figure


def _name_fall(axes: Axes, one: Dynamics, name: str, color: object, part: float) -> None:
    """The name of a curve where it falls through a part of its largest value for the last time, or else at its end."""
    mean = one.mean
    above = np.flatnonzero(mean > part * mean.max())
    at = int(above[-1]) if above.size else 0
    is_end = at >= len(mean) - 2
    is_near_end = not is_end and at > 0.9 * len(mean)
    axes.annotate(
        name,
        (float(one.t[at]), float(mean[at])),
        xytext=(-4, -6) if is_end else (-6 if is_near_end else 0, 0),
        textcoords="offset points",
        ha="right" if is_end or is_near_end else "center",
        va="top" if is_end else "center",
        fontsize=8.5,
        color=color,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.9},
    )


@in_house_style
def draw_phase(family: Family) -> Figure:
    """Draw the path of the order parameters over contours of the error."""
    figure, axes = canvas(None, None, None)
    figure.set_size_inches(5.6, 4.6)
    draw_phase_on(axes, family)
    for name, color in zip(family.names, family.colors, strict=True):
        axes.plot([], [], color=color, label=name)
    add_legend(figure, axes)
    return figure


def draw_phase_on(axes: Axes, family: Family) -> None:
    """Paths of R and Q, dots at powers of ten of the time, over contours of the error `(1 - 2 R + Q) / 2`."""
    means = [(_mean(one.r), _mean(one.q), one.t) for one in family.members]
    top = 1.08 * max(float(q[np.isfinite(q)].max()) for _, q, _ in means)
    r, q = np.meshgrid(np.linspace(0, 1.05, 200), np.linspace(0, top, 200))
    error = (1 - 2 * r + q) / 2
    possible = np.ma.masked_where(q < r**2, error)
    lines = axes.contour(r, q, possible, levels=np.arange(0.05, 0.75, 0.1), colors="#999999", linewidths=0.8)
    edge = np.linspace(0, 1.05, 100)
    axes.fill_between(edge, 0, edge**2, color="#EEEEEE", linewidth=0)
    axes.clabel(lines, fmt="%.2f", fontsize=7)
    for (along, norm, t), color in zip(means, family.colors, strict=True):
        axes.plot(along, norm, color=color, linewidth=1.8)
        whole = np.isclose(np.log10(t, where=t > 0, out=np.full_like(t, 0.5)) % 1, 0, atol=1e-6)
        axes.plot(along[whole], norm[whole], "o", color=color, markersize=3.2)
    axes.set_title("contours: error; dots: powers of ten of time", fontsize=9, fontweight="normal")
    axes.set(xlim=(0, 1.05), ylim=(0, top), xlabel="alignment with the teacher, R", ylabel="norm of the student, Q")
    axes.text(0.97, 0.04, "impossible, Q < R²", transform=axes.transAxes, ha="right", fontsize=8, color=GRAY)
    axes.grid(visible=False)


def _mean(values: Float[np.ndarray, "*draws time"]) -> Float[np.ndarray, " time"]:
    found: np.ndarray = values.reshape(-1, values.shape[-1]).mean(0)
    return found


@in_house_style
def draw_overlay(
    simulated: Mapping[str, Dynamics], closed: Mapping[str, Dynamics], limit: Mapping[str, Dynamics] | None = None
) -> Figure:
    """Draw theory over simulation, a panel for each setting.

    Args:
        simulated: Draws, by the name of the setting.
        closed: The paper's closed form.
        limit: The deterministic equivalent.
    """
    n = len(simulated)
    figure, grid = panels(2.75 * n + 0.5, 3.1, 1, n, sharey=True)
    for axes, (name, draws) in zip(grid[0], simulated.items(), strict=True):
        _band(axes, draws, GRAY)
        some = np.linspace(0, len(draws.t) - 1, 26).astype(int)
        axes.plot(draws.t[some], draws.mean[some], "o", color=DARK, markersize=3.6, label="simulation, mean of draws")
        axes.plot(closed[name].t, closed[name].mean, color=ORANGE, label="closed form (replica)")
        if limit is not None:
            axes.plot(limit[name].t, limit[name].mean, color=BLUE, label="deterministic equivalent")
        _log_time(axes, draws.t)
        axes.set_title(name)
        axes.set_xlabel(STEPS)
    grid[0, 0].set_ylabel(ERROR)
    known = [one.mean[np.isfinite(one.mean)].max() for one in simulated.values()]
    grid[0, 0].set_ylim(0, 1.15 * max(known))
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.set_figheight(figure.get_figheight() + 0.3)
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure


@in_house_style
def draw_heatmap(
    t: Float[np.ndarray, " time"],
    l2: Float[np.ndarray, " penalties"],
    error: Float[np.ndarray, "penalties time"],
    slices: Sequence[float] = (),
) -> Figure:
    """Draw the error over time and weight decay, when to stop with each weight decay, and cuts (fig. 2c and d).

    Args:
        t: Times.
        l2: Weight decays.
        error: The error.
        slices: Weight decays whose curves are drawn beside the map; the nearest ones are.
    """
    order = np.argsort(l2)
    l2, error = np.asarray(l2)[order], np.asarray(error)[order]
    figure, grid = panels(8.8, 3.7, 1, 2, width_ratios=(1.2, 1))
    left, right = grid[0]
    shown = np.ma.masked_invalid(error)
    image = left.pcolormesh(t, l2, shown, cmap="viridis", shading="gouraud", rasterized=True)
    levels = np.linspace(float(shown.min()), float(shown.max()), 12)
    left.contour(t, l2, shown, levels=levels, colors="white", linewidths=0.4, alpha=0.6)
    best = _broken(t[_when_to_stop(error)])
    left.plot(best, l2, color="white", linewidth=3.4)
    left.plot(best, l2, color=RED, linewidth=1.8)
    left.set(xscale="log", yscale="log", xlabel=STEPS, ylabel="weight decay")
    left.set_xlim(t[t > 0][0], t[-1])
    left.grid(visible=False)
    bar = figure.colorbar(image, ax=left, label=ERROR, fraction=0.05, pad=0.02)
    bar.outline.set_visible(False)
    left.set_title(f"red: when to stop, at most {NEAR:g} above the lowest error", fontsize=10, fontweight="normal")
    _cuts(right, t, l2, error, slices)
    return figure


def _when_to_stop(error: Float[np.ndarray, "penalties time"]) -> Int[np.ndarray, " penalties"]:
    """The first time at which the error is as low as it gets, or nearly so."""
    finite = np.where(np.isfinite(error), error, np.inf)
    found: np.ndarray = (finite <= finite.min(1, keepdims=True) + NEAR).argmax(1)
    return found


def _broken(times: Float[np.ndarray, " penalties"]) -> Float[np.ndarray, " penalties"]:
    """A line that is not drawn where the best time jumps by more than two decades."""
    found = times.copy()
    found[1:][np.abs(np.diff(np.log10(times))) > 2] = np.nan
    return found


def _power(value: float) -> str:
    """A number of one digit and a power of ten."""
    digit, power = f"{value:.0e}".split("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{raised}" if digit == "1" else f"{digit}·10{raised}"


def _cuts(
    axes: Axes,
    t: Float[np.ndarray, " time"],
    l2: Float[np.ndarray, " penalties"],
    error: Float[np.ndarray, "penalties time"],
    slices: Sequence[float],
) -> None:
    rows = sorted({int(np.abs(np.log(l2) - np.log(one)).argmin()) for one in slices})
    colors = [colormaps["plasma"](one) for one in np.linspace(0.05, 0.8, max(1, len(rows)))]
    for row, color in zip(rows, colors, strict=False):
        axes.plot(t, error[row], color=color)
    _log_time(axes, t)
    axes.set(xlabel=STEPS, ylabel=ERROR)
    label_ends(
        axes,
        [(float(error[row, -1]), _power(float(l2[row])), color) for row, color in zip(rows, colors, strict=False)],
    )
    axes.set_title("weight decay at the right of each curve", fontsize=10, fontweight="normal")


@in_house_style
def draw_prediction(found: Mapping[str, Dynamics], title: str | None = None) -> Figure:
    """Draw the error and the order parameters of one setting.

    Args:
        found: Dynamics by the name of the method; the order parameters are those of the first.
        title: Title of the figure.
    """
    figure, grid = panels(7.6, 3.3, 1, 2)
    left, right = grid[0]
    for (name, one), color in zip(found.items(), PALETTE, strict=False):
        finite = np.isfinite(one.mean)
        _band(left, one, color)
        left.plot(one.t[finite], one.mean[finite], color=color, label=name)
    first = next(iter(found.values()))
    for name, values, color in (("R, alignment", first.r, BLUE), ("Q, norm", first.q, RED)):
        mean = _mean(values)
        finite = np.isfinite(mean)
        right.plot(first.t[finite], mean[finite], color=color, label=name)
    for axes in (left, right):
        _log_time(axes, first.t)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(STEPS)
        axes.legend(loc="best", fontsize=8.5)
    left.set_ylabel(ERROR)
    right.set_ylabel("order parameters")
    if title:
        left.set_title(title)
    return figure
