"""Figures of claims: what branching proves beside bounds alone, and curves that coincide."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from separata import Run, plots

from .drawing import NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_CUTS = {
    **NAMES,
    **dict.fromkeys(("genbab", "babsr"), "no cuts (beta-CROWN)"),
    "babsr-base": NAMES["base"],
}
"""What figures call methods where cuts are compared."""


def beside_bounds(claim: str, networks: Mapping[str, str], run: Run) -> "Figure":
    """Bars of what bounds alone and GenBaB prove of each network."""
    groups = {
        label: {NAMES[method]: f"{method}_{name}" for method in ("alpha", "genbab")} for name, label in networks.items()
    }
    return plots.claim(run, claim, groups, ylabel="images proven robust")


def told_apart(figure: "Figure") -> "Figure":
    """Curves of which one may lie on another: each thinner than those below it, with a marker of its own."""
    (legend,) = figure.legends
    lines = figure.axes[0].lines
    for i, (line, handle) in enumerate(zip(lines, legend.legend_handles, strict=True)):
        line.set(marker="osD^v"[i % 5], markersize=9 - 2 * min(i, 3), linewidth=4.5 - min(i, 3), linestyle="-")
        if handle is not None:
            handle.update_from(line)
    return figure
