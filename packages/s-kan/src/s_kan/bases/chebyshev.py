"""Chebyshev polynomials of the first kind."""

import torch
from jaxtyping import Float
from torch import Tensor

from .base import Basis


class Chebyshev(Basis):
    """T_i(tanh x), i = 0 ... n - 1.

    Computed from T_{m+j} = 2 T_m T_j - T_{m-j}, which doubles the number of polynomials in each step. cos(i arccos t)
    would be the same, but its derivative is infinite at the ends.
    """

    def forward(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The value of every polynomial."""
        t = torch.tanh(x)[..., None]
        values = torch.cat([torch.ones_like(t), t], -1)
        while (known := values.shape[-1]) < self.n:
            last = known - 1
            more = min(last, self.n - known)
            lower = values[..., last - more : last].flip(-1)
            values = torch.cat([values, 2 * values[..., last:] * values[..., 1 : more + 1] - lower], -1)
        return values[..., : self.n]
