"""Figures of what trials found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from separata import Run, plots

from . import trials
from .trials import Answers

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

BINS = ("below 1/4", "1/4 to 1/2", "1/2 to 1", "1", "1 to 2", "above 2")

Found = dict[tuple[str, int], dict[str, Any]]
"""What trials found, by their name and seed."""


def pooled(found: Found, seed: int) -> Answers:
    """The answers for all networks of a seed."""
    return [answer for (_, at), one in found.items() if at == seed for answer in one["answers"]]


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
        answers = trials.branched(pooled(found, seed))
        for method in methods:
            for step in [*steps, limit]:
                n = sum(one[method]["status"] != "unknown" and one[method]["visited"] <= step for one in answers)
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
    return figure


def counts(found: Found, run: Run, labels: Mapping[str, str]) -> "Figure":
    """Bars of what bounds alone and GenBaB prove of each network, means over seeds.

    Args:
        found: What trials found.
        run: Whose seeds.
        labels: What each network is called.
    """
    values = {
        label: {
            NAMES[method]: sum(trials.proven(found[name, seed]["answers"], method) for seed in run.seeds)
            / len(run.seeds)
            for method in ("alpha", "genbab")
        }
        for name, label in labels.items()
    }
    return plots.bars(values, ylabel="properties proven")


def histogram(found: Found, run: Run) -> "Figure":
    """How often BICCOS saves how many branches."""
    times: Counter[str] = Counter()
    for seed in run.seeds:
        for ratio in trials.ratios(pooled(found, seed), "biccos", "genbab"):
            place = sum(ratio > edge for edge in (0.25, 0.5, 1 - 1e-9, 1 + 1e-9, 2))
            times[BINS[place]] += 1
    return plots.bars(
        {name: times[name] for name in BINS},
        ylabel="properties that both decide",
        xlabel="branches with BICCOS over those without cuts",
    )
