"""Cubic B-splines on uniform knots."""

from jaxtyping import Float
from torch import Tensor

from separata import bsplines

from .base import Basis


class BSpline(Basis):
    """B-splines of a degree on n - degree equal intervals of [-1, 1], extended by as many knots on each side.

    Smooth, local, and a partition of one on [-1, 1]; all of them vanish far outside.

    Args:
        n: Number of functions, more than the degree.
        degree: Degree of the piecewise polynomials.

    Raises:
        ValueError: if there are not more functions than the degree.
    """

    def __init__(self, n: int = 8, degree: int = 3) -> None:
        super().__init__(n)
        if n <= degree:
            raise ValueError(f"B-splines of degree {degree} need at least {degree + 1} functions, not {n}")
        self.degree = degree

    def forward(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The value of every B-spline."""
        return bsplines.uniform_basis(x, self.n - self.degree, self.degree)
