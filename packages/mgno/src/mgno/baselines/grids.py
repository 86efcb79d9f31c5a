"""Functions on rectangular grids: what a network expects of its input, and how its convolutions see the boundary."""

from typing import Literal, get_args

from torch import Tensor, nn

PaddingMode = Literal["zeros", "circular", "reflect", "replicate"]
"""How a convolution continues a function beyond the boundary: by zero (homogeneous Dirichlet conditions), periodically,
or by reflection or its last value (Neumann conditions)."""


def check_sizes(**sizes: int) -> None:
    """Refuse a size of a network that is not positive.

    Raises:
        ValueError: naming the first one that is not.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, not {size}")


def check_input(x: Tensor, in_channels: int, least: int = 1, reason: str = "") -> None:
    """Refuse an input that a network cannot take.

    Args:
        x: The input.
        in_channels: Channels that the network takes.
        least: The smallest height and width that it takes.
        reason: Where these come from, as in `"with 4 levels"`.

    Raises:
        ValueError: if x is not of shape (batch, in_channels, height, width) with both at least `least`.
    """
    if x.ndim != 4:
        raise ValueError(f"the input must have shape (batch, channels, height, width), not {tuple(x.shape)}")
    if x.shape[1] != in_channels:
        raise ValueError(f"the network takes {in_channels} input channels, not {x.shape[1]}")
    if min(x.shape[2:]) < least:
        height, width = x.shape[2:]
        raise ValueError(f"the grid must be at least {least}x{least}{reason and f' {reason}'}, not {height}x{width}")


def convolution(
    in_channels: int, out_channels: int, padding_mode: PaddingMode, *, dilation: int = 1, bias: bool = True
) -> nn.Conv2d:
    """A 3x3 convolution that keeps the grid.

    Args:
        in_channels: Channels of its input.
        out_channels: Channels of its output.
        padding_mode: How the input continues beyond the boundary.
        dilation: Distance of the points that it looks at.
        bias: Whether it adds a constant to each channel.

    Raises:
        ValueError: if there is no such padding mode.
    """
    if padding_mode not in get_args(PaddingMode):
        raise ValueError(f"padding_mode must be one of {', '.join(get_args(PaddingMode))}, not '{padding_mode}'")
    return nn.Conv2d(
        in_channels, out_channels, 3, padding=dilation, dilation=dilation, padding_mode=padding_mode, bias=bias
    )
