"""The convolutions of the baselines, with a boundary condition."""

from typing import get_args

from torch import nn

from mgno.transfers import PaddingMode


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
