"""Powers."""

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Basis


class Monomial(Basis):
    """(tanh x)^i, i = 0 ... n - 1: the same span as Chebyshev's, in coordinates that are harder to train."""

    def forward(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The value of every power."""
        t = torch.tanh(x)
        return torch.stack([torch.ones_like(t), *(t**i for i in range(1, self.n))], -1)
