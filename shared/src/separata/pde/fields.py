"""Gaussian random fields on points of a line."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks


@runtime_checkable
class Kernel(Protocol):
    """A stationary covariance of unit variance as a function of the distance."""

    def __call__(self, distance: Float[Tensor, "*shape"]) -> Float[Tensor, "..."]:
        """The covariance at each distance."""
        ...


@dataclass(frozen=True, eq=False)
class RBF:
    """The squared-exponential kernel `exp(-d²/(2 l²))`, whose fields are smooth.

    Attributes:
        length_scale: l; one number, or a tensor of shape (fields,) for several fields at once, each with its own.
    """

    length_scale: float | Float[Tensor, "fields"]

    def __post_init__(self) -> None:
        checks.positive("length_scale", self.length_scale)

    def __call__(self, distance: Float[Tensor, "*shape"]) -> Float[Tensor, "..."]:
        """The covariance at each distance: of the distances' shape, after an axis of fields if there are several."""
        return torch.exp(-0.5 * _scaled(distance, self.length_scale).square())


@dataclass(frozen=True, eq=False)
class Matern12:
    """The Matérn kernel of smoothness 1/2, the absolute exponential `exp(-|d|/l)`: continuous, rough fields.

    Attributes:
        length_scale: l; one number, or a tensor of shape (fields,) for several fields at once, each with its own.
    """

    length_scale: float | Float[Tensor, "fields"]

    def __post_init__(self) -> None:
        checks.positive("length_scale", self.length_scale)

    def __call__(self, distance: Float[Tensor, "*shape"]) -> Float[Tensor, "..."]:
        """The covariance at each distance: of the distances' shape, after an axis of fields if there are several."""
        return torch.exp(-_scaled(distance, self.length_scale).abs())


@dataclass(frozen=True, eq=False)
class GaussianField:
    """A Gaussian field of zero mean, known at some points: `u ~ N(0, K)` with `K_ij = kernel(|x_i - x_j|)`.

    Samples are `L z` with `L L' = K` by eigen-decomposition, without the eigenvalues that are rounding errors.
    Unlike a Cholesky factor it needs no jitter, however smooth the kernel. It costs O(m³) once; above several thousand
    points use `interpolate` on fewer.

    Attributes:
        points: Where the field is wanted, in float64 for smooth kernels.
        kernel: `RBF`, `Matern12`, or any function of the distances.
    """

    points: Float[Tensor, "m"]
    kernel: Kernel

    def __post_init__(self) -> None:
        checks.count("the number of points", self.points.numel())
        checks.finite("points", self.points)

    @functools.cached_property
    def covariance(self) -> Float[Tensor, "*fields m m"]:
        """K; with a leading axis for a kernel of several length scales."""
        return self.kernel((self.points[:, None] - self.points).abs())

    @functools.cached_property
    def factor(self) -> Float[Tensor, "*fields m rank"]:
        """L with `L L' = K`, of as many columns as there are eigenvalues above rounding."""
        eigenvalues, vectors = torch.linalg.eigh(self.covariance)
        above = eigenvalues > 100 * torch.finfo(eigenvalues.dtype).eps * eigenvalues.amax(-1, keepdim=True)
        rank = int(above.sum(-1).max())
        return vectors[..., -rank:] * eigenvalues[..., None, -rank:].clamp(min=0).sqrt()

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "*fields n m"]:
        """Draw n functions; for a kernel of several length scales, n of each.

        Args:
            n: How many.
            generator: Source of randomness, on any device.

        Raises:
            ValueError: if n is not positive.
        """
        checks.count("n", n)
        factor = self.factor
        noise = normal((*factor.shape[:-2], n, factor.shape[-1]), generator, like=self.points)
        return noise @ factor.mT


def sample_product(axes: Sequence[GaussianField], n: int, generator: torch.Generator) -> Float[Tensor, "n ..."]:
    """Draw fields on a rectangular grid whose covariance is the product of the axes' covariances.

    With RBF kernels of one length scale it is the isotropic RBF field in that many dimensions; with Matérn kernels it
    is separable, and not isotropic. It never builds the covariance of all pairs of grid points.

    Args:
        axes: A field for each axis of the grid.
        n: How many.
        generator: Source of randomness, on any device.

    Returns:
        Samples of shape (n, m_1, ..., m_d).

    Raises:
        ValueError: if n is not positive, there is no axis, or one of them is a batch of fields.
    """
    checks.count("n", n)
    checks.count("the number of axes", len(axes))
    factors = [axis.factor for axis in axes]
    if any(factor.ndim != 2 for factor in factors):
        raise ValueError("the kernel of an axis must have one length scale")
    field = normal((n, *(factor.shape[1] for factor in factors)), generator, like=axes[0].points)
    for dim, factor in enumerate(factors, 1):
        field = torch.tensordot(field, factor, dims=([dim], [1])).movedim(-1, dim)
    return field.contiguous()


def karhunen_loeve(
    points: Float[Tensor, "m"], kernel: Kernel, n_modes: int
) -> tuple[Float[Tensor, "*fields modes"], Float[Tensor, "*fields m modes"]]:
    """The leading eigenpairs of the covariance operator `(C φ)(x) = ∫ k(x, y) φ(y) dy` on the points' interval.

    The integral is the trapezoid rule on the points (Nyström's method). A field is `Σ_j sqrt(λ_j) ξ_j φ_j(x)` with
    independent standard normal ξ. All eigenvalues of a kernel of unit variance sum to the length of the interval.

    Args:
        points: Increasing; the first and the last are the ends of the interval.
        kernel: The covariance; with several length scales the results have a leading axis for them.
        n_modes: How many pairs, largest eigenvalue first.

    Returns:
        The eigenvalues, and the eigenfunctions at the points: of unit norm in L2, the first value that is not zero
        being positive.

    Raises:
        ValueError: if the points do not increase or there are fewer of them than modes.
    """
    checks.increasing("points", points)
    checks.count("n_modes", n_modes)
    checks.count("the number of points", len(points), n_modes)
    root = _trapezoid(points).sqrt()
    covariance = kernel((points[:, None] - points).abs())
    eigenvalues, vectors = torch.linalg.eigh(root[:, None] * covariance * root)
    functions = vectors[..., -n_modes:].flip(-1) / root[:, None]
    largest = functions.abs().amax(-2, keepdim=True)
    first = (functions.abs() > 1e-6 * largest).to(torch.uint8).argmax(-2, keepdim=True)
    return eigenvalues[..., -n_modes:].flip(-1).clamp(min=0), functions * functions.gather(-2, first).sign()


def wasserstein2(a: GaussianField, b: GaussianField) -> Float[Tensor, ""]:
    """The 2-Wasserstein distance of two fields on the same points, per point.

    `sqrt(tr(K_a + K_b - 2 (K_a K_b)^(1/2)) / m)`; the trace of the root is the sum of the singular values of `L_a'
    L_b`.

    Raises:
        ValueError: if the points are not the same, or a kernel has several length scales.
    """
    if a.points.shape != b.points.shape or not torch.equal(a.points, b.points):
        raise ValueError("both fields must be given at the same points")
    if a.factor.ndim != 2 or b.factor.ndim != 2:
        raise ValueError("each of the two kernels must have one length scale")
    cross = torch.linalg.svdvals(a.factor.mT @ b.factor).sum()
    squared = a.factor.square().sum() + b.factor.square().sum() - 2 * cross
    return (squared.clamp(min=0) / len(a.points)).sqrt()


def normal(shape: Sequence[int], generator: torch.Generator, *, like: Tensor) -> Tensor:
    """Standard normal numbers, drawn on the generator's device in the tensor's type and brought to its device."""
    noise = torch.randn(*shape, generator=generator, dtype=like.dtype, device=generator.device)
    return noise.to(like.device)


def _scaled(distance: Tensor, length_scale: float | Tensor) -> Tensor:
    if not isinstance(length_scale, Tensor) or length_scale.ndim == 0:
        return distance / length_scale
    return distance / length_scale.to(distance).reshape(-1, *[1] * distance.ndim)


def _trapezoid(points: Tensor) -> Tensor:
    gaps = torch.nn.functional.pad(points.diff(), (1, 1))
    return (gaps[:-1] + gaps[1:]) / 2
