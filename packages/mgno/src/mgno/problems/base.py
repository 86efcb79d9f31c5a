"""What every problem has: random functions, and solutions for them on a grid."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from mgno.grids import GridDataset, TrajectoryDataset

Track = Callable[[Iterable[int], str], Iterable[int]]
"""Wraps a loop to show its progress."""
CHUNK = 1 << 20
"""Points that are solved for at once."""
D = TypeVar("D", GridDataset, TrajectoryDataset)


@dataclass(frozen=True)
class Problem(ABC, Generic[D]):
    """An operator that is known.

    Args:
        resolution: Points along each side of the square.
        refinement: How many times finer the grid is on which the equation is solved.
    """

    resolution: int = 64
    refinement: int = 1

    @property
    def n_fine(self) -> int:
        """Points along each side of the solver's grid, which has those of the coarse one, both ends among them."""
        return (self.resolution - 1) * self.refinement + 1

    def sample(self, n: int, generator: torch.Generator, track: Track | None = None) -> D:
        """Draw functions and solve for them.

        Args:
            n: Number of samples.
            generator: Source of randomness, on the CPU.
            track: Shows progress over parts.

        Returns:
            Samples in double precision.

        Raises:
            ValueError: if n is not positive.
        """
        if n < 1:
            raise ValueError(f"the number of samples must be at least 1, not {n}")
        size = max(1, CHUNK // self.n_fine**2)
        # Drawn before they are solved for, so that the parts make no difference to the samples.
        starts: Iterable[int] = range(0, n, size)
        functions = self.draw(n, generator)
        parts = [self.solve(functions[start : start + size]) for start in (track(starts, "parts") if track else starts)]
        return self._joined(functions, parts)

    @abstractmethod
    def draw(self, n: int, generator: torch.Generator) -> Float[Tensor, "n fine fine"]:
        """Random functions on the solver's grid."""

    @abstractmethod
    def solve(self, functions: Float[Tensor, "n fine fine"]) -> Float[Tensor, "n ..."]:
        """Their solutions on the coarse grid."""

    @abstractmethod
    def _joined(self, functions: Tensor, parts: list[Tensor]) -> D:
        """The data of functions and their solutions."""

    def _coarse(self, fine: Float[Tensor, "*n fine fine2"]) -> Float[Tensor, "*n coarse coarse2"]:
        return fine[..., :: self.refinement, :: self.refinement].contiguous()


class PairProblem(Problem[GridDataset]):
    """A problem from one function to another."""

    def _joined(self, functions: Tensor, parts: list[Tensor]) -> GridDataset:
        return GridDataset(self._coarse(functions), torch.cat(parts))
