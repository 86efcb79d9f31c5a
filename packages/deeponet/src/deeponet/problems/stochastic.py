"""Stochastic problems: the input is a random process, given by its Karhunen-Loeve modes."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from deeponet.spaces import KarhunenLoeveField
from deeponet.triples import TripleDataset
from separata import pde

from .base import OperatorProblem


@dataclass(frozen=True)
class ProcessProblem(OperatorProblem):
    """A process on [0, 1] whose correlation length is drawn for each sample; the input is its scaled leading modes.

    The network takes sqrt(lambda_j) phi_j(x_i), n_places values of each of n_modes modes. It predicts the mean of the
    output at a point y, or, pathwise, the output at (y, xi_1, xi_2, ...) on the path with the random variables xi.

    Args:
        pathwise: Whether paths are predicted instead of their mean.
        n_grid: Points of [0, 1], ends included, at which paths are computed.
    """

    pathwise: bool = False
    n_grid: int = 100

    n_places: ClassVar[int]
    n_modes: ClassVar[int]
    lengths: ClassVar[tuple[float, float]]
    """Between which the correlation length is uniform."""

    @property
    def values_per_function(self) -> int:
        """Those of a path."""
        return 100 * self.n_grid

    @abstractmethod
    def process(self, length_scale: float) -> KarhunenLoeveField:
        """The process, cut off after its leading modes."""

    @abstractmethod
    def mean(
        self, lengths: Float[Tensor, "n"], x: Float[Tensor, "k"], generator: torch.Generator
    ) -> Float[Tensor, "n k"]:
        """The means of the outputs."""

    @abstractmethod
    def paths(self, inputs: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """The outputs for paths of the input."""

    def modes(self, lengths: Float[Tensor, "n"], x: Float[Tensor, "k"]) -> Float[Tensor, "n modes k"]:
        """The scaled modes at points."""
        return torch.stack([self.process(length).basis(x) for length in lengths.tolist()])

    def _draw(self, n: int, generator: torch.Generator, n_points: int) -> TripleDataset:
        low, high = self.lengths
        lengths = low + (high - low) * torch.rand(n, generator=generator, dtype=torch.float64)
        places, x = (torch.linspace(0, 1, k, dtype=torch.float64) for k in (self.n_places, self.n_grid))
        u = self.modes(lengths, places).mT.flatten(1)
        if n_points == 0 and self.pathwise:
            raise ValueError("paths differ in their random variables, so their points have no grid: give their number")
        if n_points == 0:
            return TripleDataset(u, x[:, None], self.mean(lengths, x, generator))
        y = torch.rand(n, n_points, generator=generator, dtype=torch.float64)
        if not self.pathwise:
            return TripleDataset(u, y[..., None], pde.interpolate(x, self.mean(lengths, x, generator), y, "cubic"))
        xi = torch.randn(n, n_points, self.n_modes, generator=generator, dtype=torch.float64)
        inputs = (xi @ self.modes(lengths, x)).flatten(0, 1)
        values = pde.interpolate(x, self.paths(inputs), y.reshape(-1, 1), "cubic")
        return TripleDataset(u, torch.cat([y[..., None], xi], -1), values.view(n, n_points))


@dataclass(frozen=True)
class RandomGrowth(ProcessProblem):
    """dy = k(t) y dt, y(0) = 1, with a Gaussian process k of covariance exp(-|t - t'| / l), l in [1, 2].

    The mean is exp(sigma^2 / 2) with sigma^2 = 2 l t + 2 l^2 (e^(-t/l) - 1).
    """

    n_places: ClassVar[int] = 20
    n_modes: ClassVar[int] = 5
    lengths: ClassVar[tuple[float, float]] = (1.0, 2.0)

    def process(self, length_scale: float) -> KarhunenLoeveField:
        """The rate k, cut off."""
        return KarhunenLoeveField(length_scale, self.n_modes, kernel="matern12")

    def mean(
        self, lengths: Float[Tensor, "n"], x: Float[Tensor, "k"], generator: torch.Generator
    ) -> Float[Tensor, "n k"]:
        """In closed form."""
        del generator
        return pde.growth_mean(lengths, x)

    def paths(self, inputs: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """The exponential of the integral of k."""
        return pde.growth_paths(inputs, 1 / (inputs.shape[1] - 1))


@dataclass(frozen=True)
class RandomMedium(ProcessProblem):
    """-(e^b s')' = 10, s(0) = s(1) = 0, with b 0.1 times a Gaussian process of covariance exp(-d^2/(2 l^2)).

    l is in [0.2, 2]. The mean is one over paths of the whole process.

    Args:
        pathwise: Whether paths are predicted instead of their mean.
        n_grid: Points of [0, 1], ends included, at which paths are computed.
        n_paths: Paths of a mean.
    """

    n_paths: int = 20_000

    n_places: ClassVar[int] = 30
    n_modes: ClassVar[int] = 8
    lengths: ClassVar[tuple[float, float]] = (0.2, 2.0)
    amplitude: ClassVar[float] = 0.1
    forcing: ClassVar[float] = 10.0

    def process(self, length_scale: float) -> KarhunenLoeveField:
        """The logarithm b of the medium over 0.1, cut off."""
        return KarhunenLoeveField(length_scale, self.n_modes)

    def mean(
        self, lengths: Float[Tensor, "n"], x: Float[Tensor, "k"], generator: torch.Generator
    ) -> Float[Tensor, "n k"]:
        """Over paths."""
        return pde.elliptic_mean(
            lengths,
            len(x),
            amplitude=self.amplitude,
            forcing=self.forcing,
            n_paths=self.n_paths,
            generator=generator,
        )

    def paths(self, inputs: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """The solution for each medium."""
        return pde.elliptic_paths(self.amplitude * inputs, self.forcing)
