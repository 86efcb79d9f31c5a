"""FastKAN: Gaussian bumps in place of B-splines."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from af_kan.configs import Norm
from af_kan.layers.norms import make_norm
from af_kan.stack import LayerStack, check_widths

from .feature_linear import FeatureLinear

LOW, HIGH = -2.0, 2.0
SPREAD = 0.1
"""Standard deviation of the weights of the bumps at the beginning."""


def gaussian_basis(x: Float[Tensor, "*batch"], centers: Float[Tensor, "n"], width: float) -> Float[Tensor, "*batch n"]:
    """exp(-((x - c_i) / width)²)."""
    return torch.exp(-(((x[..., None] - centers) / width) ** 2))


class RBFKANLinear(nn.Module):
    """y = W φ(norm(x)) + U silu(x) + b, with Gaussian bumps φ at evenly spaced centers, as wide as they are apart.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        centers: Bumps of each coordinate, at least 2.
        norm: Normalization of the input of the bumps.
        low: The first center.
        high: The last center.
    """

    centers: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        centers: int = 8,
        norm: Norm = "layer",
        low: float = LOW,
        high: float = HIGH,
    ) -> None:
        super().__init__()
        self.norm = make_norm(norm, in_features)
        self.register_buffer("centers", torch.linspace(low, high, centers))
        self.width = (high - low) / (centers - 1)
        self.linear = FeatureLinear(in_features, centers, out_features)
        nn.init.trunc_normal_(self.linear.weight, std=SPREAD)
        self.base = nn.Linear(in_features, out_features)

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch outputs"]:
        """The outputs."""
        return self.linear(gaussian_basis(self.norm(x), self.centers, self.width)) + self.base(F.silu(x))


class RBFKAN(LayerStack):
    """Layers of Gaussian bumps (FastKAN).

    Args:
        widths: Width of the input, of each hidden layer, and of the output.
        centers: Bumps of each coordinate.
        norm: Normalization of each layer's input.
    """

    def __init__(self, widths: Sequence[int], centers: int = 8, norm: Norm = "layer") -> None:
        pairs = check_widths(widths)
        super().__init__(widths, (RBFKANLinear(*pair, centers, norm) for pair in pairs))
