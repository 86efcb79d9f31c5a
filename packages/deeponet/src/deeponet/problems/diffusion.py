"""Diffusion and reaction driven by a source."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from separata import pde

from .base import SpaceTimeProblem


@dataclass(frozen=True)
class DiffusionReaction(SpaceTimeProblem):
    """s_t = D s_xx + k s^2 + u(x), zero at first and at both ends.

    Args:
        space: The sources.
        n_sensors: Sensors of the sources.
        n_grid: Points in space, and in time.
        diffusivity: D.
        reaction: k.
    """

    diffusivity: float = 0.01
    reaction: float = 0.01

    def solution(self, features: Float[Tensor, "n features"]) -> Float[Tensor, "n times places"]:
        """The solutions on the grid."""
        x = self.grid
        return pde.solve_diffusion_reaction(
            self.space.evaluate(features, x),
            x,
            diffusivity=self.diffusivity,
            reaction=self.reaction,
            dt=float(x[1]),
        )
