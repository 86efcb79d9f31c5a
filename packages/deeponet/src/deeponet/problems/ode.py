"""Dynamic systems: ordinary differential equations driven by the input function, s(0) = 0."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from deeponet.triples import TripleDataset
from separata import pde

from .base import LineProblem

PER_LENGTH = 500
"""Steps of a solver per unit length."""
N_SHOWN = 100
"""Intervals of the grid at which all functions are known, both ends of the whole among its points."""
MOST_DRAWS = 20
"""Of a function whose solution is finite."""


@dataclass(frozen=True)
class OdeProblem(LineProblem):
    """An ordinary differential equation on [0, T], with y uniform in it: T is the length of the functions' interval."""

    @property
    def times(self) -> Float[Tensor, "k"]:
        """Times at which it is solved."""
        length = self.space.length
        return torch.linspace(0, length, max(4, round(PER_LENGTH * length)) + 1, dtype=torch.float64)

    @property
    def values_per_function(self) -> int:
        """Those at the times, and between them."""
        return 2 * len(self.times)

    @abstractmethod
    def solve(self, u: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """The solutions at the times, for inputs at the times."""

    def _draw(self, n: int, generator: torch.Generator, n_points: int) -> TripleDataset:
        times = self.times
        features, s = self._bounded(n, generator)
        u = self.space.evaluate(features, self.sensors)
        if n_points == 0:
            shown = torch.linspace(0, len(times) - 1, min(N_SHOWN + 1, len(times))).round().long()
            return TripleDataset(u, times[shown, None], s[:, shown])
        y = self.space.length * torch.rand(n, n_points, generator=generator, dtype=torch.float64)
        return TripleDataset(u, y[..., None], pde.interpolate(times, s, y, "cubic"))

    def _bounded(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Functions whose solutions are finite, and these."""
        features = self.space.sample(n, generator)
        s = self.solve(self.space.evaluate(features, self.times))
        for _ in range(MOST_DRAWS):
            missing = (~s.isfinite().all(1)).nonzero()[:, 0]
            if not len(missing):
                return features, s
            features[missing] = self.space.sample(len(missing), generator)
            s[missing] = self.solve(self.space.evaluate(features[missing], self.times))
        raise ValueError("most solutions leave every bound; choose a shorter interval or smaller functions")


@dataclass(frozen=True)
class Antiderivative(OdeProblem):
    """s'(x) = u(x), s(0) = 0."""

    def solve(self, u: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """The integrals from 0."""
        return pde.antiderivative(u, self.space.length / (u.shape[1] - 1))


@dataclass(frozen=True)
class NonlinearOde(OdeProblem):
    """s'(x) = -s(x)^2 + u(x), s(0) = 0.

    A solution under a strongly negative input leaves every bound; with fields of unit variance on [0, 1], hardly any
    does. Its function is drawn again.
    """

    def solve(self, u: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """The solutions."""
        return pde.nonlinear_ode(u, self.times)


@dataclass(frozen=True)
class Pendulum(OdeProblem):
    """The gravity pendulum: s1' = s2, s2' = -k sin s1 + u(t), s(0) = 0; the output is s1.

    Args:
        space: The forces.
        n_sensors: Sensors of the forces.
        k: Gravity over length.
    """

    k: float = 1.0

    def solve(self, u: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """The angles."""
        return pde.pendulum(u, self.times, k=self.k)[..., 0]
