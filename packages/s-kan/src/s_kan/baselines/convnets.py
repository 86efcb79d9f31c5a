"""Image networks that S-ConvKAN is compared with: of one family, and of plain convolutions."""

from collections.abc import Sequence

from torch import nn

from s_kan.bases.registry import MakeBasis
from s_kan.configs import Base
from s_kan.networks import ImageNetwork

from .kan import KANConv2d


class ConvKAN(ImageNetwork):
    """The network of `SConvKAN` with convolutions of one family.

    Args:
        in_channels: Channels of the images.
        n_classes: Number of logits.
        channels: Channels of each block.
        basis: The family: its name, or what makes it.
        n_basis: Its functions.
        base: Function of the inputs that is added: `silu`, `identity` or `none`.
        dropout: Share of the features that is dropped before the linear layer, in training.

    Raises:
        ValueError: if there is no block, or no such family or base function.
    """

    def __init__(
        self,
        in_channels: int,
        n_classes: int,
        channels: Sequence[int] = (16, 32, 64, 128),
        basis: str | MakeBasis = "bspline",
        n_basis: int = 8,
        base: Base = "silu",
        dropout: float = 0.25,
    ) -> None:
        def make(number: int, n_in: int, n_out: int) -> nn.Module:
            del number
            return KANConv2d(n_in, n_out, 3, padding="same", basis=basis, n_basis=n_basis, base=base)

        super().__init__(in_channels, n_classes, channels, make, dropout=dropout)


class CNN(ImageNetwork):
    """The network of `SConvKAN` with plain convolutions and ReLU.

    Args:
        in_channels: Channels of the images.
        n_classes: Number of logits.
        channels: Channels of each block.
        dropout: Share of the features that is dropped before the linear layer, in training.

    Raises:
        ValueError: if there is no block.
    """

    def __init__(
        self, in_channels: int, n_classes: int, channels: Sequence[int] = (16, 32, 64, 128), dropout: float = 0.25
    ) -> None:
        def make(number: int, n_in: int, n_out: int) -> nn.Module:
            del number
            return nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)

        super().__init__(in_channels, n_classes, channels, make, nn.ReLU, dropout)
