"""An integral transform."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from deeponet.triples import TripleDataset
from separata import pde

from .base import LineProblem

N_FINE = 1000
"""Points at which a function is given to the quadrature."""


@dataclass(frozen=True)
class Legendre(LineProblem):
    """The Legendre transform J_n{f}, the integral over [-1, 1] of P_n f; a point is the number n.

    Functions are drawn on [0, 2] and moved to [-1, 1].

    Args:
        space: The functions, on an interval of length 2.
        n_sensors: Sensors of the functions.
        n_modes: Numbers n, from 0.

    Raises:
        ValueError: if the functions are on another interval, or there are too few sensors.
    """

    n_modes: int = 20
    n_points: ClassVar[int] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.space.length != 2:
            raise ValueError(f"the Legendre transform is over an interval of length 2, not {self.space.length:g}")

    @property
    def values_per_function(self) -> int:
        """Those that the quadrature takes."""
        return N_FINE

    def transform(self, f: Float[Tensor, "n k"]) -> Float[Tensor, "n modes"]:
        """The transforms of functions that are given at equally spaced points of the interval, ends included."""
        return pde.legendre_transform(f, self.n_modes)

    def _draw(self, n: int, generator: torch.Generator, n_points: int) -> TripleDataset:
        features = self.space.sample(n, generator)
        fine = torch.linspace(0, 2, N_FINE, dtype=torch.float64)
        values = self.transform(self.space.evaluate(features, fine))
        modes = torch.arange(self.n_modes, dtype=torch.float64)[:, None]
        u = self.space.evaluate(features, self.sensors)
        if n_points == 0:
            return TripleDataset(u, modes, values)
        index = torch.randint(self.n_modes, (n, n_points), generator=generator)
        return TripleDataset(u, modes[index], values.gather(1, index))
