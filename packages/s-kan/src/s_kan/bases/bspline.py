"""B-splines on uniform knots."""

import torch
from jaxtyping import Float
from torch import Tensor

from separata import bsplines

from .base import Basis

CUBIC = 3


class BSpline(Basis):
    """B-splines of a degree on n - degree equal intervals of [-1, 1], extended by as many knots on each side.

    Smooth, local, and a partition of one on [-1, 1]; all of them vanish far outside. Cubic ones are computed as
    (relu(2 - z)³ - 4 relu(1 - z)³) / 6 with the distance z to the middle in intervals: a few operations, which other
    programs can bound.

    Args:
        n: Number of functions, more than the degree.
        degree: Degree of the piecewise polynomials.

    Raises:
        ValueError: if there are not more functions than the degree.
    """

    middles: Tensor

    def __init__(self, n: int = 8, degree: int = CUBIC) -> None:
        super().__init__(n)
        if n <= degree:
            raise ValueError(f"B-splines of degree {degree} need at least {degree + 1} functions, not {n}")
        self.degree, self.per_unit = degree, 0.5 * (n - degree)
        self.register_buffer("middles", torch.arange(n) - 0.5 * (degree - 1), persistent=False)

    def forward(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The value of every B-spline."""
        if self.degree != CUBIC:
            return bsplines.uniform_basis(x, self.n - self.degree, self.degree)
        z = (((x + 1) * self.per_unit)[..., None] - self.middles).abs()
        return (torch.relu(2 - z) ** 3 - 4 * torch.relu(1 - z) ** 3) / 6
