"""The U-Net of Ronneberger et al. (2015), as it is used for operator learning."""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mgno.transfers import PaddingMode

from .checks import check_input, check_sizes
from .convolutions import convolution

Norm = Literal["batch", "group", "none"]
"""Normalization of the hidden functions: over the batch, over all channels of a sample, or not at all."""


def normalization(norm: Norm, channels: int) -> nn.Module:
    """A layer of this kind.

    Raises:
        ValueError: if there is no such kind.
    """
    if norm not in get_args(Norm):
        raise ValueError(f"norm must be one of {', '.join(get_args(Norm))}, not '{norm}'")
    if norm == "none":
        return nn.Identity()
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.GroupNorm(1, channels)


class DoubleConvolution(nn.Sequential):
    """Two 3x3 convolutions, each with normalization and activation.

    Args:
        in_channels: Channels of its input.
        channels: Channels of its output.
        padding_mode: The boundary condition: zeros (Dirichlet), circular (periodic) or reflect (Neumann).
        norm: Normalization; with one, the convolutions have no bias.
    """

    def __init__(self, in_channels: int, channels: int, padding_mode: PaddingMode, norm: Norm) -> None:
        super().__init__()
        for c in (in_channels, channels):
            self.append(convolution(c, channels, padding_mode, bias=norm == "none"))
            self.append(normalization(norm, channels))
            self.append(nn.GELU())


class UNet(nn.Module):
    """Contracting and expanding convolutions with skips between equal resolutions (Ronneberger et al. 2015, section 2).

    As in PDEBench (Takamoto et al. 2022, arXiv 2210.07182) and PDEArena (Gupta & Brandstetter 2022, arXiv 2209.15616):
    padded convolutions, so that the output is on the grid of the input, `width` channels that double at each of
    `n_levels` max poolings, transposed convolutions upwards, normalization, and a linear last layer. Where a size is
    odd, pooling keeps the last row or column, and what comes from below is cropped to the skip.

    A network in pixels, not in physical units: at another resolution than that of training it is another operator.

    Args:
        in_channels: Channels of the input function.
        out_channels: Channels of the output function.
        width: Channels at the finest level.
        n_levels: Times that the grid is halved.
        padding_mode: The boundary condition: zeros (Dirichlet), circular (periodic) or reflect (Neumann).
        norm: Normalization of the hidden functions. That over the batch suits batches of several samples; over all
            channels of a sample, any.

    Raises:
        ValueError: if a size is not positive, or there is no such padding mode or normalization.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int = 32,
        n_levels: int = 4,
        padding_mode: PaddingMode = "zeros",
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        check_sizes(in_channels=in_channels, out_channels=out_channels, width=width, n_levels=n_levels)
        self.in_channels, self.n_levels, self.norm = in_channels, n_levels, norm
        # On the coarsest grid: two points where a reflection needs a neighbor, else what more than one point becomes.
        self.least = 2**n_levels + 1 if padding_mode == "reflect" else 2 ** (n_levels - 1) + 1
        channels = [width * 2**level for level in range(n_levels + 1)]
        self.encoder = nn.ModuleList(
            DoubleConvolution(c_in, c, padding_mode, norm)
            for c_in, c in zip([in_channels, *channels], channels, strict=False)
        )
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in channels[:-1])
        self.decoder = nn.ModuleList(DoubleConvolution(2 * c, c, padding_mode, norm) for c in channels[:-1])
        self.last = nn.Conv2d(width, out_channels, 1)

    def forward(self, x: Float[Tensor, "batch c_in h w"]) -> Float[Tensor, "batch c_out h w"]:
        """The output function on the grid of the input function.

        Raises:
            ValueError: if x has other channels, the grid is too small, or the coarsest level has a single value a
                channel to normalize over the batch.
        """
        check_input(x, self.in_channels, self.least, f"with {self.n_levels} levels")
        if self.training and self.norm == "batch" and len(x) == 1 and max(x.shape[2:]) <= 2**self.n_levels:
            raise ValueError(
                f"the grid must be larger than {2**self.n_levels} with {self.n_levels} levels to train on one sample "
                "with normalization over the batch"
            )
        skips = [self.encoder[0](x)]
        for block in self.encoder[1:]:
            skips.append(block(self.pool(skips[-1])))
        u = skips.pop()
        for up, block in zip(reversed(self.up), reversed(self.decoder), strict=True):
            skip = skips.pop()
            u = up(u)[:, :, : skip.shape[2], : skip.shape[3]]
            u = block(torch.cat([skip, u], 1))
        return self.last(u)
