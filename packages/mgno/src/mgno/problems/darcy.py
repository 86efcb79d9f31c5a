"""Darcy flow, `-div(a grad u) = 1` in the unit square with u = 0 on its boundary: from a to u."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from separata.pde import neumann_field, solve_darcy

from .base import PairProblem

N_SCALES = 6
"""Scales of the multiscale coefficient."""


class _Darcy(PairProblem):
    def solve(self, functions: Float[Tensor, "n fine fine"]) -> Float[Tensor, "n coarse coarse"]:
        """U at the nodes, those on the boundary among them."""
        return self._coarse(solve_darcy(functions))


@dataclass(frozen=True)
class TwoPhaseDarcy(_Darcy):
    """Two materials: a is `high` where a Gaussian field `z ~ N(0, (-Δ + tau²)^(-2))` is not negative, else `low`.

    Args:
        resolution: Points along each side of the square.
        refinement: How many times finer the grid is on which the equation is solved.
        tau2: Inverse square of the field's length scale: 9 ("smooth") or 20 ("rough").
        high: Larger coefficient.
        low: Smaller coefficient.
    """

    tau2: float = 9.0
    high: float = 12.0
    low: float = 3.0

    def draw(self, n: int, generator: torch.Generator) -> Float[Tensor, "n fine fine"]:
        """The coefficients."""
        field = neumann_field(n, (self.n_fine, self.n_fine), alpha=2, tau=math.sqrt(self.tau2), generator=generator)
        return torch.where(field >= 0, self.high, self.low).to(field)


class MultiscaleDarcy(_Darcy):
    """A product of waves of six scales.

    `a = Π (1 + cos(a_k π (x + y))/2)(1 + sin(a_k π (y - 3x))/2)`, k = 1 to 6, a_k uniform in [2^(k-1), 1.5 2^(k-1)].
    """

    def draw(self, n: int, generator: torch.Generator) -> Float[Tensor, "n fine fine"]:
        """The coefficients."""
        x = torch.linspace(0, 1, self.n_fine, dtype=torch.float64)
        along, across = x[:, None] + x, x - 3 * x[:, None]
        scales = 2.0 ** torch.arange(N_SCALES, dtype=torch.float64)
        waves = scales * (1 + torch.rand(n, N_SCALES, generator=generator, dtype=torch.float64) / 2)
        a = torch.ones(n, self.n_fine, self.n_fine, dtype=torch.float64)
        for wave in (math.pi * waves).T[:, :, None, None]:
            a *= (1 + torch.cos(wave * along) / 2) * (1 + torch.sin(wave * across) / 2)
        return a
