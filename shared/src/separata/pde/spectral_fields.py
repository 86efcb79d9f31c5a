"""Gaussian fields with the covariance `sigma² (-Δ + tau²)^(-alpha)`."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks
from .transforms import cosine_functions


def periodic_field(
    n: int,
    size: int | tuple[int, int],
    *,
    alpha: float,
    tau: float,
    sigma: float | None = None,
    length: float = 1.0,
    generator: torch.Generator,
) -> Float[Tensor, "n ..."]:
    """Draw periodic fields `u ~ N(0, sigma² (-Δ + tau²)^(-alpha))` on a line or a square, of mean zero.

    A sum of Fourier modes with independent normal coefficients of standard deviation
    `sigma (4π² |k|²/length² + tau²)^(-alpha/2)` for functions of unit L2 norm; the constant is left out.

    Args:
        n: How many.
        size: Points of the line, or rows and columns, at `x_i = i length/size`.
        alpha: Smoothness; above half the dimension for a field of finite variance.
        tau: Inverse length scale.
        sigma: Amplitude; by default `tau^(alpha - d/2)`, which makes the variance independent of tau's size.
        length: Of the period.
        generator: Source of randomness; its device is the result's.

    Returns:
        Float64 samples of shape (n, size) or (n, rows, columns).

    Raises:
        ValueError: if n, a size, alpha, tau or length is not positive, or sigma is negative.
    """
    sizes = (size,) if isinstance(size, int) else size
    dims = len(sizes)
    scale = _amplitude(n, sizes, alpha, tau, sigma)
    checks.positive("length", length)
    device = generator.device
    k2 = torch.zeros((), dtype=torch.float64, device=device)
    for points in sizes:
        k = torch.fft.fftfreq(points, 1 / points, dtype=torch.float64, device=device)
        k2 = k2[..., None] + k.square()
    roots = scale * ((2 * math.pi / length) ** 2 * k2 + tau**2).pow(-alpha / 2)
    roots[(0,) * dims] = 0
    noise = torch.randn(n, *sizes, generator=generator, dtype=torch.float64, device=device)
    axes = tuple(range(1, dims + 1))
    # The transform of real white noise has independent coefficients with the symmetry of a real function.
    spectrum = torch.fft.rfftn(noise, dim=axes, norm="ortho")
    values = torch.fft.irfftn(spectrum * roots[..., : spectrum.shape[-1]], s=sizes, dim=axes, norm="ortho")
    return values * math.sqrt(math.prod(sizes) / length**dims)


def neumann_field(
    n: int,
    size: int | tuple[int, int],
    *,
    alpha: float,
    tau: float,
    sigma: float | None = None,
    n_modes: int | None = None,
    generator: torch.Generator,
) -> Float[Tensor, "n ..."]:
    """Draw fields `u ~ N(0, sigma² (-Δ + tau²)^(-alpha))` with Neumann conditions on the unit interval or square.

    A sum of cosines, orthonormal in L2, with independent normal coefficients of standard deviation
    `sigma (π² |k|² + tau²)^(-alpha/2)`; the constant is left out. With the same seed and the same n_modes, grids of any
    size show the same functions.

    Args:
        n: How many.
        size: Points of the line, or rows and columns, at `x_i = i/(size - 1)`: both ends are among them.
        alpha: Smoothness; above half the dimension for a field of finite variance.
        tau: Inverse length scale.
        sigma: Amplitude; by default `tau^(alpha - d/2)`.
        n_modes: Cosines along each axis; by default as many as points along the longest.
        generator: Source of randomness; its device is the result's.

    Returns:
        Float64 samples of shape (n, size) or (n, rows, columns).

    Raises:
        ValueError: if n, a size, alpha or tau is not positive, sigma is negative, or n_modes is less than two.
    """
    sizes = (size,) if isinstance(size, int) else size
    dims = len(sizes)
    scale = _amplitude(n, sizes, alpha, tau, sigma)
    modes = max(sizes) if n_modes is None else n_modes
    checks.count("n_modes", modes, 2)
    device = generator.device
    k2 = torch.zeros((), dtype=torch.float64, device=device)
    for _ in sizes:
        k2 = k2[..., None] + torch.arange(modes, dtype=torch.float64, device=device).square()
    roots = scale * (math.pi**2 * k2 + tau**2).pow(-alpha / 2)
    roots[(0,) * dims] = 0
    field = roots * torch.randn(n, *[modes] * dims, generator=generator, dtype=torch.float64, device=device)
    for axis, points in enumerate(sizes, 1):
        x = torch.linspace(0, 1, points, dtype=torch.float64, device=device)
        field = torch.tensordot(field, cosine_functions(x, modes), dims=([axis], [1])).movedim(-1, axis)
    return field.contiguous()


def _amplitude(n: int, sizes: Sequence[int], alpha: float, tau: float, sigma: float | None) -> float:
    checks.count("n", n)
    if len(sizes) not in {1, 2}:
        raise ValueError(f"size must be a number of points, or of rows and columns, not {tuple(sizes)}")
    for points in sizes:
        checks.count("size", points, 2)
    checks.positive("alpha", alpha)
    checks.positive("tau", tau)
    if sigma is None:
        return tau ** (alpha - len(sizes) / 2)
    checks.not_negative("sigma", sigma)
    return sigma
