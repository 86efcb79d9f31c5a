"""Powers."""

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Basis


class Monomial(Basis):
    """(tanh x)^i, i = 0 ... n - 1: the same span as Chebyshev's, in coordinates that are harder to train."""

    exponents: Tensor

    def __init__(self, n: int = 8) -> None:
        super().__init__(n)
        self.register_buffer("exponents", torch.arange(n), persistent=False)

    def forward(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The value of every power."""
        return torch.tanh(x)[..., None] ** self.exponents
