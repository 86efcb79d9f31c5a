"""Squared products of two ReLUs."""

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Basis

ORDER = 3


class ReLUKAN(Basis):
    """16 (relu(e_i - x) relu(x - s_i))² / (e_i - s_i)⁴, the bumps of ReLU-KAN.

    A bump spans four of the n - 3 equal intervals of [-1, 1], as a cubic B-spline does, and is one at its middle.

    Args:
        n: Number of functions, at least four.

    Raises:
        ValueError: if there are fewer.
    """

    least = ORDER + 1
    starts: Tensor

    def __init__(self, n: int = 8) -> None:
        super().__init__(n)
        self.step = 2 / (n - ORDER)
        self.register_buffer("starts", -1 + self.step * torch.arange(-ORDER, n - ORDER), persistent=False)

    def forward(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The value of every bump."""
        width = (ORDER + 1) * self.step
        from_start = x[..., None] - self.starts
        return (torch.relu(width - from_start) * torch.relu(from_start) * (4 / width**2)).square()
