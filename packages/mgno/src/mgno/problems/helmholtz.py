"""Acoustic waves in the unit square: from the speed of sound to the pressure."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from separata.pde import neumann_field, solve_helmholtz

from .base import PairProblem


@dataclass(frozen=True)
class Helmholtz(PairProblem):
    """`-Δu - (ω/c)² u = 0`, flux 1 into the middle of the top and none elsewhere, `c = 20 + tanh z`.

    z is a Gaussian field, `N(0, (-Δ + 9)^(-2))` with Neumann conditions.

    Args:
        resolution: Points along each side of the square.
        refinement: How many times finer the grid is on which the equation is solved.
        frequency: ω.
    """

    frequency: float = 1000.0

    def draw(self, n: int, generator: torch.Generator) -> Float[Tensor, "n fine fine"]:
        """The speeds of sound."""
        size = (self.n_fine, self.n_fine)
        return 20 + neumann_field(n, size, alpha=2, tau=3, sigma=1.0, generator=generator).tanh()

    def solve(self, functions: Float[Tensor, "n fine fine"]) -> Float[Tensor, "n coarse coarse"]:
        """The pressures; rows go from the bottom to the top."""
        return self._coarse(solve_helmholtz(functions, frequency=self.frequency))
