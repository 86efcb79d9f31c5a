"""Legendre polynomials."""

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Basis


class Legendre(Basis):
    """P_i(tanh x), i = 0 ... n - 1, by (i + 1) P_{i+1} = (2i + 1) t P_i - i P_{i-1}."""

    def forward(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The value of every polynomial."""
        t = torch.tanh(x)
        values = [torch.ones_like(t), t]
        for i in range(1, self.n - 1):
            values.append(((2 * i + 1) * t * values[i] - i * values[i - 1]) / (i + 1))
        return torch.stack(values[: self.n], -1)
