"""Branches: what tells the operator its equation, its coefficient field and its geometry."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from .initialization import glorot, small

SLOPE = 0.2
"""Of leaky rectifiers, on the negative side."""
EPS = 1e-3
"""In the denominators of layer and batch normalization."""

Norm = Literal["layer", "batch"]


class MLPBranch(nn.Module):
    """Affine layers, each followed by a normalization and an activation, and an affine layer onto the features.

    With `norm="layer"` it is the branch for source terms: layer normalization, leaky rectifiers of slope 0.2, a linear
    output. With `norm="batch"` it is the branch for plates: batch normalization, swish, and SELU at the output; all
    weights begin as N(0, 0.001²).

    Args:
        n_in: Numbers of an input: coefficients and values, or parameters of a design.
        hidden: Widths of the hidden layers.
        n_out: Features p.
        norm: Which of the two.
        dropout: Share that is dropped out: after every hidden layer, or, with batch normalization, after the first two.

    Raises:
        ValueError: if there is no such normalization.
    """

    def __init__(
        self,
        n_in: int,
        hidden: Sequence[int] = (128, 128),
        n_out: int = 300,
        *,
        norm: Norm = "layer",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if norm not in {"layer", "batch"}:
            raise ValueError(f'norm must be "layer" or "batch", not "{norm}"')
        self.norm, self.n_out = norm, n_out
        self.dense = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise((n_in, *hidden, n_out)))
        make = nn.LayerNorm if norm == "layer" else nn.BatchNorm1d
        self.norms = nn.ModuleList(make(width, eps=EPS) for width in hidden)
        self.activation: nn.Module = nn.LeakyReLU(SLOPE) if norm == "layer" else nn.SiLU()
        self.last: nn.Module = nn.Identity() if norm == "layer" else nn.SELU()
        self.dropout = nn.Dropout(dropout)
        self.n_dropped = len(hidden) if norm == "layer" else 2
        (glorot if norm == "layer" else small)(self)

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch features"]:
        """The features of each sample."""
        for number, (layer, norm) in enumerate(zip(self.dense[:-1], self.norms, strict=True)):
            x = self.activation(norm(layer(x)))
            if number < self.n_dropped:
                x = self.dropout(x)
        return self.last(self.dense[-1](x))


class ConvBranch(nn.Module):
    """Convolutions with rectifiers, each followed by 2 x 2 average pooling, and dense layers: the branch for shapes.

    Channels of the input are the coefficient's logarithm, standardized, and the mask of the domain. As published: 5 x 5
    convolutions with 16, 32, 64 and 64 filters, two dense layers of 128 with tanh and dropout, and a linear output of
    150.

    Args:
        resolution: Rows and columns of an input; one number if they are equal.
        in_channels: Channels of the input.
        filters: Channels of the convolutions.
        kernel: Size of their kernels, odd.
        hidden: Widths of the dense hidden layers.
        n_out: Features p.
        dropout: Share that is dropped out after each dense hidden layer.

    Attributes:
        n_flat: Numbers that the convolutions leave for the dense layers.

    Raises:
        ValueError: if the resolution does not survive the poolings.
    """

    def __init__(
        self,
        resolution: int | tuple[int, int] = 100,
        *,
        in_channels: int = 2,
        filters: Sequence[int] = (16, 32, 64, 64),
        kernel: int = 5,
        hidden: Sequence[int] = (128, 128),
        n_out: int = 150,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        rows, columns = (resolution, resolution) if isinstance(resolution, int) else resolution
        least = 2 ** len(filters)
        if min(rows, columns) < least:
            raise ValueError(
                f"{len(filters)} poolings need a resolution of at least {least}, not {rows} x {columns}: use a finer "
                "grid, or fewer filters"
            )
        self.resolution, self.in_channels, self.n_out = (rows, columns), in_channels, n_out
        self.n_flat = (rows // least) * (columns // least) * filters[-1]
        self.conv = nn.ModuleList(
            nn.Conv2d(i, o, kernel, padding=kernel // 2) for i, o in pairwise((in_channels, *filters))
        )
        self.pool = nn.AvgPool2d(2)
        self.dense = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise((self.n_flat, *hidden, n_out)))
        self.dropout = nn.Dropout(dropout)
        glorot(self)

    def forward(self, x: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch features"]:
        """The features of each sample.

        Raises:
            ValueError: if the input has other channels or another resolution.
        """
        expected = (self.in_channels, *self.resolution)
        if tuple(x.shape[1:]) != expected:
            raise ValueError(f"the branch expects images of shape {expected}, got {tuple(x.shape[1:])}")
        for layer in self.conv:
            x = self.pool(layer(x).relu())
        x = x.flatten(1)
        for layer in self.dense[:-1]:
            x = self.dropout(layer(x).tanh())
        return self.dense[-1](x)
