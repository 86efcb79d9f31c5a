"""Waves of the first frequencies."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Basis


class Fourier(Basis):
    """cos(π m x), then sin(π m x), m = 1 ... n/2; periodic on [-1, 1].

    Args:
        n: Number of functions, even.

    Raises:
        ValueError: if it is odd, or less than two.
    """

    least = 2
    frequencies: Tensor
    phases: Tensor

    def __init__(self, n: int = 8) -> None:
        super().__init__(n)
        if n % 2:
            raise ValueError(f"the basis fourier needs an even number of functions, a cosine for each sine, not {n}")
        half = n // 2
        self.register_buffer("frequencies", torch.arange(1.0, half + 1).repeat(2), persistent=False)
        self.register_buffer("phases", torch.tensor([0.5, 0.0]).repeat_interleave(half), persistent=False)

    def forward(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The value of every wave; a cosine is a shifted sine."""
        return torch.sin(math.pi * (x[..., None] * self.frequencies + self.phases))
