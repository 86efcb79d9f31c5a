"""Kolmogorov-Arnold networks of one family of functions."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from s_kan.bases.base import Basis
from s_kan.bases.registry import MakeBasis, make_basis
from s_kan.configs import Base, Normalization
from s_kan.convolution import Pair, as_channels, channels_last, padded, padding_of, pair
from s_kan.layer import BaseFunction, make_base_weight
from s_kan.linear import check_features, check_widths
from s_kan.normalization import make_normalization


class _SingleFamily(nn.Module):
    """The parameters of a layer of one family: coefficients, and weights of the base function."""

    def __init__(self, n_in: int, n_out: int, basis: Basis, base: Base, kernel: tuple[int, ...] = ()) -> None:
        super().__init__()
        check_features(n_in, n_out)
        self.n_in, self.n_out, self.basis = n_in, n_out, basis
        self.base = BaseFunction(base)
        std = 0.1 / math.sqrt(n_in * math.prod(kernel))
        self.coefficients = nn.Parameter(torch.randn(n_out, n_in, basis.n, *kernel) * std)
        self.base_weight = nn.Parameter(make_base_weight(n_out, n_in, kernel)) if self.base.is_there else None

    def expand(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The functions of the family, and then the base function."""
        features = self.basis(x)
        return torch.cat([features, self.base(x)[..., None]], -1) if self.base.is_there else features

    def weight(self) -> Tensor:
        """The coefficients (nodes, inputs, functions, *kernel), and then those of the base function."""
        if self.base_weight is None:
            return self.coefficients
        return torch.cat([self.coefficients, self.base_weight[:, :, None]], 2)


class KANLinear(_SingleFamily):
    """A dense layer of one family: y_o = Σ_d ( b_{o,d} silu(x_d) + Σ_i c_{o,d,i} B_i(x_d) ).

    Args:
        in_features: Inputs.
        out_features: Nodes.
        basis: The family: its name, what makes it, or itself.
        n_basis: Its functions.
        base: Function of the inputs that is added: `silu`, `identity` or `none`.

    Raises:
        ValueError: if a number is not positive, or there is no such family or base function.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        basis: str | MakeBasis | Basis = "bspline",
        n_basis: int = 8,
        base: Base = "silu",
    ) -> None:
        super().__init__(in_features, out_features, _made(basis, n_basis), base)

    def forward(self, x: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch nodes"]:
        """The layer's values.

        Raises:
            ValueError: if the last dimension of the input is not `in_features`.
        """
        if x.shape[-1] != self.n_in:
            raise ValueError(f"the layer takes {self.n_in} features, not {x.shape[-1]}")
        return linear(self.expand(x).flatten(-2), self.weight().flatten(1))


class KANConv2d(_SingleFamily):
    """A convolution whose kernels are functions of one family.

    Args:
        in_channels: Channels of the image.
        out_channels: Channels of the result.
        kernel_size: Height and width of the window.
        stride: Step of the window.
        padding: Zeros on each side, or `same`; the image is padded first and expanded then.
        basis: The family: its name, what makes it, or itself.
        n_basis: Its functions.
        base: Function of the inputs that is added: `silu`, `identity` or `none`.

    Raises:
        ValueError: if a number is out of range, or there is no such family or base function.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair = 3,
        stride: Pair = 1,
        padding: Pair | str = 0,
        *,
        basis: str | MakeBasis | Basis = "bspline",
        n_basis: int = 8,
        base: Base = "silu",
    ) -> None:
        kernel = pair(kernel_size)
        zeros = padding_of(padding, kernel, pair(stride))
        super().__init__(in_channels, out_channels, _made(basis, n_basis), base, kernel)
        self.stride, self.padding = pair(stride), zeros

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch nodes rows columns"]:
        """The layer's images.

        Raises:
            ValueError: if the images have other channels.
        """
        if x.shape[1] != self.n_in:
            raise ValueError(f"the layer takes {self.n_in} channels, not {x.shape[1]}")
        features = self.expand(channels_last(padded(x, self.padding)))
        return conv2d(as_channels(features), self.weight().flatten(1, 2), stride=self.stride)


def _made(basis: str | MakeBasis | Basis, n_basis: int) -> Basis:
    return basis if isinstance(basis, Basis) else make_basis(basis, n_basis)


class KAN(nn.Module):
    """A Kolmogorov-Arnold network of dense layers, all of one family: what S-KAN is after it has chosen a single one.

    Args:
        widths: Inputs, hidden nodes of each layer, outputs.
        basis: The family: its name, or what makes it.
        n_basis: Functions on each edge.
        base: Function of the inputs that is added on each edge: `silu`, `identity` or `none`.
        normalization: Of the inputs of each layer: `none`, `tanh`, `layer` or `batch`.

    Raises:
        ValueError: if there are fewer than two widths, one is not positive, or there is no such family.
    """

    def __init__(
        self,
        widths: Sequence[int],
        basis: str | MakeBasis = "bspline",
        n_basis: int = 8,
        base: Base = "silu",
        normalization: Normalization = "none",
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(check_widths(widths)):
            normalize = make_normalization(normalization, n_in)
            layers += [] if normalize is None else [normalize]
            layers.append(KANLinear(n_in, n_out, basis, n_basis, base))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "batch *features"]) -> Float[Tensor, "batch outputs"]:
        """The outputs; every sample is flattened first."""
        return self.layers(x.flatten(1))
