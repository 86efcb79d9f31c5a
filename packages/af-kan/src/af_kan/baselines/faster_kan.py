"""FasterKAN: bumps 1 - tanh², and nothing beside them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from af_kan.configs import Norm
from af_kan.layers.norms import make_norm
from af_kan.stack import LayerStack, check_widths

from .feature_linear import FeatureLinear

LOW, HIGH = -1.2, 0.2
"""The first and the last center in the published code."""


def switch_basis(x: Float[Tensor, "*batch"], centers: Float[Tensor, "n"]) -> Float[Tensor, "*batch n"]:
    """1 - tanh(x - c_i)²: the reflectional switch activation function."""
    return 1 - torch.tanh(x[..., None] - centers).square()


class FasterKANLinear(nn.Module):
    """y = W φ(norm(x)), with bumps φ = 1 - tanh² at evenly spaced centers.

    The published code has a scale of the bumps, too, which its forward pass does not use.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        centers: Bumps of each coordinate, at least 2.
        norm: Normalization of the input.
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
        self.linear = FeatureLinear(in_features, centers, out_features)
        nn.init.xavier_uniform_(self.linear.weight)

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch outputs"]:
        """The outputs."""
        return self.linear(switch_basis(self.norm(x), self.centers))


class FasterKAN(LayerStack):
    """Layers of switch functions.

    Args:
        widths: Width of the input, of each hidden layer, and of the output.
        centers: Bumps of each coordinate.
        norm: Normalization of each layer's input.
    """

    def __init__(self, widths: Sequence[int], centers: int = 8, norm: Norm = "layer") -> None:
        pairs = check_widths(widths)
        super().__init__(widths, (FasterKANLinear(*pair, centers, norm) for pair in pairs))
