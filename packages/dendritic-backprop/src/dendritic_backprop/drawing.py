"""Pictures of a training with dendrites."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from separata.canvas import PALETTE, add_legend, canvas, in_house_style


@in_house_style
def draw_training(history: Sequence[Mapping[str, float]]) -> Figure:
    """Draw the validation score over epochs; a vertical line marks each dendrite phase.

    Args:
        history: Rows of a training: those of neuron phases have a `score`, those of dendrite phases a `correlation`.

    Raises:
        ValueError: if no row has a score.
    """
    scored = [row for row in history if row.get("score") == row.get("score") and "score" in row]
    if not scored:
        raise ValueError("the training has no scores to draw yet")
    figure, axes = canvas("epoch", "validation score", None)
    numbers = sorted({int(row["dendrites"]) for row in scored})
    for n, color in zip(numbers, PALETTE * len(numbers), strict=False):
        own = [row for row in scored if int(row["dendrites"]) == n]
        name = f"{n} dendrite{'' if n == 1 else 's'}" if n else "no dendrites"
        axes.plot([row["epoch"] for row in own], [row["score"] for row in own], ".", color=color, label=name)
    for row in history:
        if row.get("correlation") == row.get("correlation") and "correlation" in row:
            axes.axvline(row["epoch"], color="#666666", linewidth=1, linestyle="--")
    add_legend(figure, axes)
    return figure
