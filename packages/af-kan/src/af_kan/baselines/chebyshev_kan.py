"""Chebyshev KAN: polynomials of the hyperbolic tangent."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from af_kan.configs import Norm
from af_kan.layers.norms import make_norm
from af_kan.stack import LayerStack, check_widths

from .feature_linear import FeatureLinear


def chebyshev_basis(x: Float[Tensor, "*batch"], degree: int) -> Float[Tensor, "*batch n"]:
    """T_0(x), ..., T_degree(x) by the recurrence T_i = 2 x T_{i-1} - T_{i-2}."""
    terms = [torch.ones_like(x), x]
    for _ in range(degree - 1):
        terms.append(2 * x * terms[-1] - terms[-2])
    return torch.stack(terms[: degree + 1], -1)


class ChebyshevKANLinear(nn.Module):
    """y = W T(tanh(norm(x))), with the Chebyshev polynomials T up to a degree.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        degree: The largest degree.
        norm: Normalization of the input.
    """

    def __init__(self, in_features: int, out_features: int, degree: int = 3, norm: Norm = "layer") -> None:
        super().__init__()
        self.norm = make_norm(norm, in_features)
        self.degree = degree
        self.linear = FeatureLinear(in_features, degree + 1, out_features)
        nn.init.normal_(self.linear.weight, std=1 / (in_features * (degree + 1)))

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch outputs"]:
        """The outputs."""
        return self.linear(chebyshev_basis(torch.tanh(self.norm(x)), self.degree))


class ChebyshevKAN(LayerStack):
    """Layers of Chebyshev polynomials.

    Args:
        widths: Width of the input, of each hidden layer, and of the output.
        degree: The largest degree.
        norm: Normalization of each layer's input.
    """

    def __init__(self, widths: Sequence[int], degree: int = 3, norm: Norm = "layer") -> None:
        pairs = check_widths(widths)
        super().__init__(widths, (ChebyshevKANLinear(*pair, degree, norm) for pair in pairs))
