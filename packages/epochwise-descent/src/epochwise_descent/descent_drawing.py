"""The figure of a learning curve: its descents, and where they begin and end."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from separata.canvas import PALETTE, canvas, in_house_style

from .curves import Curve
from .detection import DescentReport, Extremum

BLUE, RED, GREEN = PALETTE[:3]


@in_house_style
def draw_descent(curve: Curve, report: DescentReport, title: str | None = None) -> Figure:
    """Draw a learning curve, its smoothed mean with an interval of 95 %, and where its descents begin and end.

    Args:
        curve: The curve of each seed.
        report: What was found in it.
        title: Title of the figure.
    """
    figure, axes = canvas(curve.time_name.replace("_", " "), curve.error_name.replace("_", " "), title)
    figure.set_size_inches(6.4, 3.9)
    draw_descent_on(axes, curve, report)
    return figure


def draw_descent_on(axes: Axes, curve: Curve, report: DescentReport, color: str = BLUE) -> None:
    """The same on axes that are there."""
    shown = curve.t > 0
    for seed in curve.error:
        axes.plot(curve.t[shown], seed[shown], color=color, alpha=max(0.15, 0.5 / curve.n_seeds), linewidth=0.9)
    late = report.steps > 0
    axes.fill_between(report.steps[late], report.low[late], report.high[late], color=color, alpha=0.22, linewidth=0)
    axes.plot(report.steps[late], report.smooth[late], color=color, linewidth=2.2)
    axes.set_xscale("log")
    axes.set_xlim(report.steps[late][0], report.steps[late][-1] * 1.15)
    top = max(report.smooth.max(), report.high[late].max())
    bottom = min(report.smooth.min(), report.low[late].min())
    axes.set_ylim(bottom - 0.16 * (top - bottom), top + 0.10 * (top - bottom))
    _shade(axes, report)
    _mark(axes, report.first_min, "first minimum" if report.is_double_descent else "minimum", GREEN, above=False)
    if report.peak is not None and report.second_min is not None:
        _mark(axes, report.peak, "peak", RED, above=True)
        _mark(axes, report.second_min, "second minimum", GREEN, above=False, ha="right")


def _shade(axes: Axes, report: DescentReport) -> None:
    """Light grounds under the two descents."""
    low, high = axes.get_xlim()
    axes.axvspan(low, report.first_min.step, color=GREEN, alpha=0.07, linewidth=0)
    if report.peak is not None and report.second_min is not None:
        axes.axvspan(report.first_min.step, report.peak.step, color=RED, alpha=0.07, linewidth=0)
        axes.axvspan(report.peak.step, min(report.second_min.step, high), color=GREEN, alpha=0.07, linewidth=0)
    elif report.shape in ("U-shaped", "rising"):
        axes.axvspan(report.first_min.step, high, color=RED, alpha=0.07, linewidth=0)


def _mark(axes: Axes, point: Extremum, name: str, color: str, *, above: bool, ha: str = "center") -> None:
    axes.errorbar(
        [max(point.step, axes.get_xlim()[0])],
        [point.error],
        xerr=[[point.step - point.step_low], [point.step_high - point.step]],
        yerr=[[max(0.0, point.error - point.error_low)], [max(0.0, point.error_high - point.error)]],
        fmt="o",
        color=color,
        markersize=6,
        markeredgecolor="white",
        capsize=2.5,
        elinewidth=1.4,
        zorder=5,
    )
    axes.annotate(
        f"{name}\n{point.error:.3g} at {point.step:,.0f}" if point.step >= 10 else f"{name}\n{point.error:.3g}",
        (point.step, point.error_high if above else point.error_low),
        xytext=(0, 7 if above else -7),
        textcoords="offset points",
        ha=ha,
        va="bottom" if above else "top",
        fontsize=8.5,
        color=color,
        linespacing=1.15,
    )
