"""Two-dimensional flow on the torus: from the vorticity at one time to that one unit of time later."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mgno.grids import TrajectoryDataset
from separata.pde import periodic_field, solve_navier_stokes

from .base import Problem

DT = 1 / 64
"""Time step where the grid has 64 points; it shrinks with the cells."""


@dataclass(frozen=True)
class NavierStokes(Problem[TrajectoryDataset]):
    """`w_t + v·∇w = ν Δw + f` from `w ~ N(0, 7^(3/2) (-Δ + 49)^(-5/2))`, with `f = 0.1 (sin + cos)(2π (x + y))`.

    The forcing is tied to places: without it the operator commutes with shifts, with it it does not.

    Args:
        resolution: Points along each side of the period.
        refinement: How many times finer the grid is on which the equation is solved.
        viscosity: ν.
        is_forced: Whether there is a forcing.
        n_frames: Times, one unit apart, the first among them.
    """

    viscosity: float = 1e-5
    is_forced: bool = True
    n_frames: int = 11

    @property
    def n_fine(self) -> int:
        """Points of the solver's grid: a period has no second end."""
        return self.resolution * self.refinement

    def draw(self, n: int, generator: torch.Generator) -> Float[Tensor, "n fine fine"]:
        """Vorticities at time 0."""
        size = (self.n_fine, self.n_fine)
        return periodic_field(n, size, alpha=2.5, tau=7, sigma=7**0.75, generator=generator)

    def solve(self, functions: Float[Tensor, "n fine fine"]) -> Float[Tensor, "n frames coarse coarse"]:
        """The later vorticities."""
        x = torch.arange(self.n_fine, dtype=functions.dtype) / self.n_fine
        phase = 2 * math.pi * (x[:, None] + x)
        frames = solve_navier_stokes(
            functions,
            viscosity=self.viscosity,
            forcing=0.1 * (phase.sin() + phase.cos()) if self.is_forced else 0.0,
            times=torch.arange(1, self.n_frames, dtype=functions.dtype),
            dt=DT * min(1.0, 64 / self.n_fine),
        )
        return self._coarse(frames)

    def _joined(self, functions: Tensor, parts: list[Tensor]) -> TrajectoryDataset:
        return TrajectoryDataset(torch.cat([self._coarse(functions)[:, None], torch.cat(parts)], 1))
