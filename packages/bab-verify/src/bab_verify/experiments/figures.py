"""Figures of what trials found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from separata import Run, plots

from .answers import branched, ratios
from .findings import Found, pooled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {
    "alpha": "bounds alone (alpha-CROWN)",
    "genbab": "GenBaB",
    "babsr": "BaBSR-like",
    "random": "random splits",
    "middle": "middle points",
    "base": "strengthened cuts",
    "base-unstrengthened": "cuts, not strengthened",
    "mts": "multi-tree search alone",
    "biccos": "BICCOS",
}
"""What figures call methods."""
NO_CUTS = {
    **NAMES,
    **dict.fromkeys(("genbab", "babsr"), "no cuts (beta-CROWN)"),
    "babsr-base": NAMES["base"],
}
"""What figures call methods where cuts are compared."""
BINS = ("below 1/4", "1/4 to 1/2", "1/2 to 1", "1", "1 to 2", "above 2")


def cactus(found: Found, methods: Sequence[str], run: Run, names: Mapping[str, str] = NAMES) -> "Figure":
    """Properties proven or refuted by branching against the branches that may be visited, mean over seeds.

    Args:
        found: What trials found.
        methods: Which are drawn.
        run: Its history gets the numbers.
        names: What they are called.
    """
    limit = next(iter(found.values()))["max_domains"]
    steps = [2**i for i in range(limit.bit_length()) if 2**i < limit]
    rows = []
    for seed in run.seeds:
        needed = branched(pooled(found, seed))
        for method in methods:
            for step in [*steps, limit]:
                n = sum(one[method]["status"] != "unknown" and one[method]["visited"] <= step for one in needed)
                run.log(step, seed=seed, method=names[method], decided=n)
                rows.append(run.history[-1])
    figure = plots.curves(
        rows,
        "decided",
        by="method",
        xlabel="branches visited for a property, at most",
        ylabel="properties decided by branching",
    )
    figure.axes[0].set_xscale("log", base=2)
    figure.axes[0].xaxis.set_major_formatter("{x:g}")
    return figure


def histogram(found: Found, run: Run) -> "Figure":
    """How often BICCOS saves how many branches."""
    times: Counter[str] = Counter()
    for seed in run.seeds:
        for ratio in ratios(pooled(found, seed), "biccos", "genbab"):
            place = sum(ratio > edge for edge in (0.25, 0.5, 1 - 1e-9, 1 + 1e-9, 2))
            times[BINS[place]] += 1
    return plots.bars(
        {name: times[name] for name in BINS},
        ylabel="properties that both decide",
        xlabel="branches with BICCOS over those without cuts",
    )


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
