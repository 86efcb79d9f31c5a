"""The picture of a chain: how accuracy grows along it."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from separata import plots


def draw_curve(rows: Sequence[Mapping[str, float]], *, along: bool) -> Figure:
    """Draw accuracies.

    Args:
        rows: With `step` and `accuracy`.
        along: Whether they are those along a chain, or else by the number of its steps.
    """
    return plots.curves(
        rows,
        "accuracy",
        xlabel="blocks run" if along else "steps of the chain",
        ylabel="test accuracy of the nearest embedding" if along else "test accuracy",
    )
