"""The dilated residual network of Stachenfeld et al. (2022)."""

from jaxtyping import Float
from torch import Tensor, nn

from mgno.transfers import PaddingMode

from .checks import check_input, check_sizes
from .convolutions import convolution

DILATIONS = (1, 2, 4, 8, 4, 2, 1)
"""Those of the convolutions of a block."""


class DilatedBlock(nn.Module):
    """u plus seven 3x3 convolutions of it with dilations 1, 2, 4, 8, 4, 2, 1, each followed by ReLU.

    Args:
        width: Channels.
        padding_mode: The boundary condition: zeros (Dirichlet), circular (periodic) or reflect (Neumann).
    """

    def __init__(self, width: int, padding_mode: PaddingMode) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        for dilation in DILATIONS:
            self.layers.append(convolution(width, width, padding_mode, dilation=dilation))
            self.layers.append(nn.ReLU())

    def forward(self, u: Float[Tensor, "batch width h w"]) -> Float[Tensor, "batch width h w"]:
        """The next hidden function."""
        return u + self.layers(u)


class DilatedResNet(nn.Module):
    """Dil-ResNet of Stachenfeld et al. 2022, Learned coarse models for efficient turbulence simulation, 2112.15275.

    A linear convolution as encoder, residual blocks of dilated convolutions as processor, a linear convolution as
    decoder, all 3x3, without normalization and on the one grid. A point sees 22 points around it for each block, and 2
    more: at a finer resolution that is less of the domain. All hidden functions are at full resolution, which makes it
    slow and large in memory for its number of parameters.

    Args:
        in_channels: Channels of the input function.
        out_channels: Channels of the output function.
        width: Channels of the hidden functions.
        n_blocks: Residual blocks.
        padding_mode: The boundary condition: zeros (Dirichlet), circular (periodic) or reflect (Neumann).

    Raises:
        ValueError: if a size is not positive, or there is no such padding mode.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int = 48,
        n_blocks: int = 4,
        padding_mode: PaddingMode = "zeros",
    ) -> None:
        super().__init__()
        check_sizes(in_channels=in_channels, out_channels=out_channels, width=width, n_blocks=n_blocks)
        self.in_channels = in_channels
        self.least = {"circular": max(DILATIONS), "reflect": max(DILATIONS) + 1}.get(padding_mode, 1)
        self.encoder = convolution(in_channels, width, padding_mode)
        self.blocks = nn.Sequential(*(DilatedBlock(width, padding_mode) for _ in range(n_blocks)))
        self.decoder = convolution(width, out_channels, padding_mode)

    def forward(self, x: Float[Tensor, "batch c_in h w"]) -> Float[Tensor, "batch c_out h w"]:
        """The output function on the grid of the input function.

        Raises:
            ValueError: if x has other channels, or the grid is too small for the padding.
        """
        check_input(x, self.in_channels, self.least, f"for dilations up to {max(DILATIONS)}")
        return self.decoder(self.blocks(self.encoder(x)))
