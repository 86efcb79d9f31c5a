"""Spaces of input functions: Gaussian fields, Karhunen-Loeve expansions, power series and Chebyshev series."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from separata import pde
from separata.configs import check_positive

from .configs import KernelName, ProblemConfig

PER_LENGTH = 1000
"""Most points per unit length on which Gaussian fields are drawn."""
PER_SCALE = 40
"""Points per correlation length of a smooth field, between which cubic splines are exact to 1e-8."""
ROUNDING = 1e-16
"""Share of the largest variance below which a mode is a rounding error."""


@runtime_checkable
class FunctionSpace(Protocol):
    """What input functions are drawn from."""

    @property
    def length(self) -> float:
        """The functions live on [0, length]."""
        ...

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n features"]:
        """Features of n functions, from which they can be evaluated anywhere."""
        ...

    def evaluate(self, features: Float[Tensor, "n features"], x: Float[Tensor, "k"]) -> Float[Tensor, "n k"]:
        """The functions at points, the same for all."""
        ...


class Expansion(ABC):
    """Functions that are sums u(x) = sum_i a_i phi_i(x), with random a_i: their features."""

    length: float

    @abstractmethod
    def basis(self, x: Float[Tensor, "k"]) -> Float[Tensor, "features k"]:
        """The functions phi_i at points."""

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n features"]:
        """The a_i of n functions."""

    def evaluate(self, features: Float[Tensor, "n features"], x: Float[Tensor, "k"]) -> Float[Tensor, "n k"]:
        """The functions at points in [0, length], the same for all.

        Raises:
            ValueError: if a point is outside.
        """
        if not bool(((x >= 0) & (x <= self.length)).all()):
            raise ValueError(f"the functions are known on [0, {self.length:g}], not from {x.min():g} to {x.max():g}")
        # In single precision the end of the interval may lie a rounding error beyond it.
        return features @ self.basis(x.double().clamp(0, self.length)).to(features)


@dataclass(frozen=True)
class GaussianRandomField(Expansion):
    """Gaussian fields of mean zero and unit variance, drawn on a fine grid and interpolated by cubic splines.

    The grid has 1000 points per unit length; of a smooth field, no more than 40 per correlation length. The modes of
    its covariance whose variance is no rounding error carry the standard normal features, so that an evaluation costs
    as much as the field has modes: some 30 for smooth ones.

    Args:
        length_scale: Correlation length l.
        length: Length of the interval.
        kernel: `rbf`, exp(-d^2 / (2 l^2)), or `matern12`, exp(-d / l).

    Raises:
        ValueError: if a length is not positive, or there is no such kernel.
    """

    length_scale: float = 0.2
    length: float = 1.0
    kernel: KernelName = "rbf"

    def __post_init__(self) -> None:
        check_positive(length_scale=self.length_scale, length=self.length)
        _covariance(self.kernel)

    @property
    def points(self) -> Float[Tensor, "m"]:
        """The fine grid."""
        n = PER_LENGTH * self.length
        if self.kernel == "rbf":
            n = min(n, PER_SCALE * self.length / self.length_scale)
        return torch.linspace(0, self.length, max(8, math.ceil(n)) + 1, dtype=torch.float64)

    @property
    def field(self) -> pde.GaussianField:
        """The field on the fine grid."""
        return pde.GaussianField(self.points, _covariance(self.kernel)(self.length_scale))

    @cached_property
    def modes(self) -> Float[Tensor, "features m"]:
        """The modes that matter, on the fine grid, scaled by their standard deviations."""
        columns = self.field.factor.mT
        variance = columns.square().sum(1)
        return columns[variance > ROUNDING * variance.max()].contiguous()

    def basis(self, x: Float[Tensor, "k"]) -> Float[Tensor, "features k"]:
        """The scaled modes at points."""
        return pde.interpolate(self.points, self.modes, x.double(), "cubic")

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n features"]:
        """Standard normal coefficients of n functions."""
        return _normal(n, len(self.modes), generator)


@dataclass(frozen=True)
class KarhunenLoeveField(Expansion):
    """Gaussian fields cut off after the leading modes of their Karhunen-Loeve expansion.

    Args:
        length_scale: Correlation length l.
        n_modes: Number of modes.
        length: Length of the interval.
        kernel: `rbf` or `matern12`.
        n_grid: Points at which the modes are computed, by Nystrom's method; between them are cubic splines.

    Raises:
        ValueError: if a length is not positive, there are fewer points than modes, or there is no such kernel.
    """

    length_scale: float = 0.2
    n_modes: int = 10
    length: float = 1.0
    kernel: KernelName = "rbf"
    n_grid: int = 100

    def __post_init__(self) -> None:
        check_positive(length_scale=self.length_scale, length=self.length, n_modes=self.n_modes)
        _covariance(self.kernel)
        if self.n_grid < max(4, self.n_modes):
            raise ValueError(f"{self.n_modes} modes need at least as many points, and 4, not {self.n_grid}")

    @cached_property
    def eigenpairs(self) -> tuple[Float[Tensor, "modes"], Float[Tensor, "m modes"]]:
        """Eigenvalues and eigenfunctions of the covariance, on the points of the grid."""
        x = torch.linspace(0, self.length, self.n_grid, dtype=torch.float64)
        return pde.karhunen_loeve(x, _covariance(self.kernel)(self.length_scale), self.n_modes)

    def basis(self, x: Float[Tensor, "k"]) -> Float[Tensor, "features k"]:
        """Eigenfunctions times the roots of their eigenvalues, at points."""
        eigenvalues, functions = self.eigenpairs
        grid = torch.linspace(0, self.length, self.n_grid, dtype=torch.float64)
        return pde.interpolate(grid, (functions * eigenvalues.sqrt()).mT.contiguous(), x.double(), "cubic")

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n features"]:
        """Standard normal coefficients of n functions."""
        return _normal(n, self.n_modes, generator)


@dataclass(frozen=True)
class RandomSeries(Expansion):
    """Series sum_i a_i phi_i(x / length) with a_i uniform on [-bound, bound]; what phi_i is, a subclass says.

    Args:
        n_terms: Number of terms.
        bound: Largest coefficient.
        length: Length of the interval; the series is one in x / length.

    Raises:
        ValueError: if a number is not positive.
    """

    n_terms: int
    bound: float = 1.0
    length: float = 1.0

    def __post_init__(self) -> None:
        check_positive(n_terms=self.n_terms, bound=self.bound, length=self.length)

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n features"]:
        """Coefficients of n functions."""
        return (2 * torch.rand(n, self.n_terms, generator=generator, dtype=torch.float64) - 1) * self.bound


@dataclass(frozen=True)
class PowerSeries(RandomSeries):
    """Random polynomials in powers: phi_i(z) = z^i, 100 terms if not given otherwise; see `RandomSeries`."""

    n_terms: int = 100

    def basis(self, x: Float[Tensor, "k"]) -> Float[Tensor, "features k"]:
        """Powers 0, 1, ... of x / length."""
        return (x.double() / self.length) ** torch.arange(self.n_terms, dtype=torch.float64)[:, None]


@dataclass(frozen=True)
class ChebyshevSeries(RandomSeries):
    """Random polynomials phi_i(z) = T_i(2z - 1), 20 terms if not given otherwise; see `RandomSeries`."""

    n_terms: int = 20

    def basis(self, x: Float[Tensor, "k"]) -> Float[Tensor, "features k"]:
        """T_i(2 x / length - 1) = cos(i arccos(2 x / length - 1))."""
        angle = (2 * x.double() / self.length - 1).clamp(-1, 1).arccos()
        return (torch.arange(self.n_terms, dtype=torch.float64)[:, None] * angle).cos()


def wasserstein2(a: GaussianRandomField, b: GaussianRandomField) -> float:
    """The 2-Wasserstein distance of two Gaussian fields, the root mean square over the points of their fine grid.

    Raises:
        ValueError: if their intervals differ.
    """
    return float(pde.wasserstein2(a.field, b.field))


def make_space(config: ProblemConfig, length: float) -> Expansion:
    """The space of input functions that a configuration names, on [0, length]."""
    if config.space == "grf":
        return GaussianRandomField(config.length_scale, length, config.kernel)
    if config.space == "kl":
        return KarhunenLoeveField(config.length_scale, config.n_modes or 10, length, config.kernel)
    if config.space == "power":
        return PowerSeries(config.n_modes or 100, config.bound, length)
    return ChebyshevSeries(config.n_modes or 20, config.bound, length)


def _covariance(name: str) -> type[pde.RBF] | type[pde.Matern12]:
    if name not in get_args(KernelName):
        raise ValueError(f"the kernel must be one of {', '.join(get_args(KernelName))}, not '{name}'")
    return pde.RBF if name == "rbf" else pde.Matern12


def _normal(n: int, n_features: int, generator: torch.Generator) -> Float[Tensor, "n features"]:
    return torch.randn(n, n_features, generator=generator, dtype=torch.float64)
