"""The Kolmogorov-Arnold network of B-splines, in the form that computes all edges as one matrix product."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from af_kan.stack import LayerStack, check_widths
from separata import bsplines

LOW, HIGH = -1.5, 1.5
"""The range of the grid in the authors' runs."""
NOISE = 0.1
"""Width of the range in which the curves lie with which splines begin, times the intervals of the grid."""


class BSplineKANLinear(nn.Module):
    """y_o = Σ_d (u_od silu(x_d) + m_od Σ_i c_odi B_i(x_d)), with B-splines on a fixed grid.

    Each edge has a base weight u, a scale m of its spline, and one coefficient for each of the intervals + degree
    B-splines: ten numbers at the usual setting of 5 and 3. Splines begin as small random curves. Beyond the grid and
    the intervals that extend it, one for each degree, splines are zero, and the base is left alone.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        intervals: Intervals of the grid.
        degree: Degree of the splines.
        low: Lower end of the grid.
        high: Upper end of the grid.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        intervals: int = 5,
        degree: int = 3,
        low: float = LOW,
        high: float = HIGH,
    ) -> None:
        super().__init__()
        self.intervals, self.degree, self.low, self.high = intervals, degree, low, high
        n_functions = intervals + degree
        self.base_weight = nn.Parameter(torch.empty(out_features, in_features))
        self.spline_weight = nn.Parameter(torch.empty(out_features, in_features, n_functions))
        self.spline_scale = nn.Parameter(torch.empty(out_features, in_features))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew: base and scale as those of a linear layer, coefficients small and uniform."""
        for weight in (self.base_weight, self.spline_scale):
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
        bound = NOISE / (2 * self.intervals)
        nn.init.uniform_(self.spline_weight, -bound, bound)

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch outputs"]:
        """The outputs."""
        basis = bsplines.uniform_basis(x, self.intervals, self.degree, self.low, self.high)
        weight = (self.spline_weight * self.spline_scale[..., None]).flatten(1)
        return F.linear(F.silu(x), self.base_weight) + F.linear(basis.flatten(-2), weight)


class BSplineKAN(LayerStack):
    """Layers of B-splines.

    Args:
        widths: Width of the input, of each hidden layer, and of the output.
        intervals: Intervals of the grid.
        degree: Degree of the splines.
        low: Lower end of the grid.
        high: Upper end of the grid.
    """

    def __init__(
        self, widths: Sequence[int], intervals: int = 5, degree: int = 3, low: float = LOW, high: float = HIGH
    ) -> None:
        pairs = check_widths(widths)
        super().__init__(widths, (BSplineKANLinear(*pair, intervals, degree, low, high) for pair in pairs))
