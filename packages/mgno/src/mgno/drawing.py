"""Pictures of functions on a grid: given, true, predicted, and the difference."""

from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from separata.canvas import canvas, in_house_style


@in_house_style
def draw_prediction(
    x: Float[Tensor, "h w"],
    predicted: Float[Tensor, "h w"],
    true: Float[Tensor, "h w"] | None = None,
) -> Figure:
    """Draw one sample: the given function, the true one and the difference if it is known, and the predicted one.

    True and predicted functions have the same colors; the first row of the grid is at the bottom.

    Args:
        x: The given function.
        predicted: The predicted function.
        true: The true function.
    """
    panels = {"given": x, "predicted": predicted}
    if true is not None:
        panels = {"given": x, "true": true, "predicted": predicted, "predicted - true": predicted - true}
    shown = [predicted] if true is None else [predicted, true]
    low, high = (float(pick(float(f(one)) for one in shown)) for pick, f in ((min, Tensor.min), (max, Tensor.max)))
    figure, _ = canvas(None, None, None)
    figure.clear()
    figure.set_size_inches(0.4 + 2.7 * len(panels), 2.5)
    for axes, (name, values) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        largest = float(values.abs().max()) or 1.0
        limits = {"given": (None, None), "predicted - true": (-largest, largest)}.get(name, (low, high))
        image = axes.imshow(
            values.detach().cpu().numpy(),
            origin="lower",
            vmin=limits[0],
            vmax=limits[1],
            cmap="RdBu_r" if "-" in name else "viridis",
        )
        axes.set(title=name, xticks=[], yticks=[])
        axes.grid(visible=False)
        figure.colorbar(image, ax=axes, fraction=0.05, pad=0.03)
    return figure
