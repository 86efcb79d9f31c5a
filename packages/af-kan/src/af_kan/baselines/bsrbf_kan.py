"""BSRBF-KAN: sums of a B-spline and a Gaussian bump, with a weight for each sum."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from af_kan.configs import Norm
from af_kan.layers.norms import make_norm
from af_kan.stack import LayerStack, check_widths
from separata import bsplines

from .feature_linear import FeatureLinear
from .rbf_kan import gaussian_basis

LOW, HIGH = -1.5, 1.5


class BSRBFKANLinear(nn.Module):
    """y = W (B(x̂) + φ(x̂)) + U silu(x̂) with x̂ = norm(x), B-splines B and as many Gaussian bumps φ.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        intervals: Intervals of the splines' grid.
        degree: Degree of the splines; intervals + degree must be at least 2.
        norm: Normalization of the input.
        low: Lower end of the grid, and the first bump's center.
        high: Upper end of the grid, and the last bump's center.
    """

    centers: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        intervals: int = 5,
        degree: int = 3,
        norm: Norm = "layer",
        low: float = LOW,
        high: float = HIGH,
    ) -> None:
        super().__init__()
        n_functions = intervals + degree
        if n_functions < 2:
            raise ValueError(f"intervals and degree must add up to at least 2, not {n_functions}")
        self.norm = make_norm(norm, in_features)
        self.intervals, self.degree, self.low, self.high = intervals, degree, low, high
        self.register_buffer("centers", torch.linspace(low, high, n_functions))
        self.width = (high - low) / (n_functions - 1)
        self.linear = FeatureLinear(in_features, n_functions, out_features)
        self.base = nn.Linear(in_features, out_features, bias=False)

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch outputs"]:
        """The outputs."""
        x = self.norm(x)
        splines = bsplines.uniform_basis(x, self.intervals, self.degree, self.low, self.high)
        return self.linear(splines + gaussian_basis(x, self.centers, self.width)) + self.base(F.silu(x))


class BSRBFKAN(LayerStack):
    """Layers of B-splines and Gaussian bumps.

    Args:
        widths: Width of the input, of each hidden layer, and of the output.
        intervals: Intervals of the splines' grid.
        degree: Degree of the splines.
        norm: Normalization of each layer's input.
    """

    def __init__(self, widths: Sequence[int], intervals: int = 5, degree: int = 3, norm: Norm = "layer") -> None:
        pairs = check_widths(widths)
        super().__init__(widths, (BSRBFKANLinear(*pair, intervals, degree, norm) for pair in pairs))
