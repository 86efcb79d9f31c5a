"""Heat flow in a square under the three boundary conditions, exactly, by sums of eigenfunctions."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mgno.grids import GridDataset
from mgno.transfers import PaddingMode

MODES = 8
"""Eigenfunctions along each axis from which temperatures are drawn."""


@dataclass(frozen=True)
class HeatFlow:
    """`u_t = Δu`, from u at time 0 to u at a later time: a linear operator that differs with the boundary condition.

    The grid is the one on which the padding is exact: without the boundary (zeros), without the second end (circular),
    or with both ends (reflect).

    Args:
        padding_mode: zeros (u = 0), circular (periodic) or reflect (insulated).
        resolution: Points along each side of the unit square.
        time: When u is wanted.
    """

    padding_mode: PaddingMode
    resolution: int = 16
    time: float = 0.01

    def sample(self, n: int, generator: torch.Generator) -> GridDataset:
        """Temperatures with independent normal coefficients, of mean square one at time 0.

        Args:
            n: Number of samples.
            generator: Source of randomness, on the CPU.

        Returns:
            Samples in double precision.
        """
        functions, rates = self._eigenfunctions()
        k = len(rates)
        coefficients = torch.randn(n, k, k, generator=generator, dtype=torch.float64) / k
        decay = torch.exp(-self.time * (rates[:, None] + rates))
        x, y = (functions.T @ c @ functions for c in (coefficients, coefficients * decay))
        return GridDataset(x, y)

    def _eigenfunctions(self) -> tuple[Float[Tensor, "k points"], Float[Tensor, "k"]]:
        """Those of `-d²/dx²`, of mean square one, and its eigenvalues."""
        index = torch.arange(self.resolution, dtype=torch.float64)
        if self.padding_mode == "zeros":
            k = torch.arange(1, MODES + 1, dtype=torch.float64)
            x = (index + 1) / (self.resolution + 1)
            return math.sqrt(2) * torch.sin(math.pi * k[:, None] * x), (math.pi * k) ** 2
        if self.padding_mode == "reflect":
            k = torch.arange(MODES, dtype=torch.float64)
            x = index / (self.resolution - 1)
            scale = torch.where(k == 0, 1.0, math.sqrt(2))
            return scale[:, None] * torch.cos(math.pi * k[:, None] * x), (math.pi * k) ** 2
        k = torch.arange(1, MODES // 2 + 1, dtype=torch.float64)
        phase = 2 * math.pi * k[:, None] * index / self.resolution
        waves = math.sqrt(2) * torch.cat([torch.sin(phase), torch.cos(phase)])
        return waves, ((2 * math.pi * k) ** 2).repeat(2)
