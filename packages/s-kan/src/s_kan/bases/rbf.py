"""Gaussian radial basis functions."""

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Basis


class RBF(Basis):
    """exp(-((x - c) / h)²) at centers c that are uniform on [-1, 1], h apart.

    Args:
        n: Number of functions, at least two.

    Raises:
        ValueError: if there are fewer.
    """

    least = 2
    centers: Tensor

    def __init__(self, n: int = 8) -> None:
        super().__init__(n)
        self.register_buffer("centers", torch.linspace(-1, 1, n), persistent=False)

    def forward(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The value of every Gaussian."""
        return torch.exp(-(((x[..., None] - self.centers) * (0.5 * (self.n - 1))).square()))
