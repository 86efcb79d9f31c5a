"""Figures of quantization errors."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from separata import plots

from .quantization import LIMIT

LABELS = {"measured": "weights", "laplace": "closed form for Laplace's distribution"}


def draw_errors(rows: Sequence[Mapping[str, Any]], metric: str) -> Figure:
    """Errors over the frequency: the mean over layers in a band of their deviation, measured and in closed form.

    Args:
        rows: What `biper qe` writes: omega, layer, measured, laplace.
        metric: l2 or l1.
    """
    told = [{"omega": row["omega"], "error": row[key], "of": label} for row in rows for key, label in LABELS.items()]
    reference = {"limit of many periods": LIMIT} if metric == "l2" else None
    figure = plots.curves(
        told,
        "error",
        x="omega",
        by="of",
        xlabel="frequency ω",
        ylabel="quantization error",
        reference=reference,
    )
    omegas = {row["omega"] for row in rows}
    if len(omegas) > 2:
        figure.axes[0].set_xscale("log")
    return figure
