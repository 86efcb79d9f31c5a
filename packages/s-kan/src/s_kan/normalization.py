"""Ways to bring the inputs of a layer into the range that families of functions are made for."""

from torch import nn

from .configs import Normalization


def make_normalization(kind: Normalization, n_in: int, *, is_image: bool = False) -> nn.Module | None:
    """What a layer does to its inputs first.

    Args:
        kind: `none`; `tanh`, into (-1, 1); `layer`, layer normalization, which for images is instance normalization;
            or `batch`, batch normalization.
        n_in: Features or channels.
        is_image: Whether the inputs are images.

    Raises:
        ValueError: if there is no such kind.
    """
    if kind == "none":
        return None
    if kind == "tanh":
        return nn.Tanh()
    if kind == "layer":
        return nn.InstanceNorm2d(n_in, affine=True) if is_image else nn.LayerNorm(n_in)
    if kind == "batch":
        return nn.BatchNorm2d(n_in) if is_image else nn.BatchNorm1d(n_in)
    raise ValueError(f"inputs are normalized by none, tanh, layer or batch, not by '{kind}'")
