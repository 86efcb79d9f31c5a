"""Means and paths of two stochastic problems: exponential growth at a random rate, diffusion in a random medium."""

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks
from .antiderivatives import antiderivative
from .fields import RBF, GaussianField


def growth_mean(length_scale: Float[Tensor, "n"], t: Float[Tensor, "k"]) -> Float[Tensor, "n k"]:
    """The mean of y in `dy = k(t) y dt`, `y(0) = 1`, k being a Gaussian process with the kernel `Matern12(l)`.

    In closed form: `exp(σ²/2)`, `σ²(t) = 2 l t + 2 l² (exp(-t/l) - 1)` being the variance of `∫ k`.

    Args:
        length_scale: l of each process.
        t: Times, not negative.

    Raises:
        ValueError: if a length scale is not positive or a time is negative.
    """
    checks.positive("length_scale", length_scale)
    checks.not_negative("t", t)
    length = length_scale[:, None]
    variance = 2 * length * t + 2 * length.square() * torch.expm1(-t / length)
    return torch.exp(variance / 2)


def growth_paths(k: Float[Tensor, "n m"], dt: float) -> Float[Tensor, "n m"]:
    """The solutions of `dy = k(t) y dt`, `y(0) = 1`, for given rates: `exp(∫ k)`.

    Args:
        k: Rates at equispaced times from 0; at least four.
        dt: Distance of the times.

    Raises:
        ValueError: if there are fewer than four times, dt is not positive or a rate is not finite.
    """
    return antiderivative(k, dt).exp()


def elliptic_paths(b: Float[Tensor, "n m"], forcing: float = 10.0) -> Float[Tensor, "n m"]:
    """The solutions of `-(exp(b(x)) s')' = f` on [0, 1], s = 0 at both ends, for given media b.

    By quadrature of `s' = exp(-b) (C - f x)`, C making the last value zero: fourth order for smooth b, and without a
    linear system.

    Args:
        b: The logarithm of the medium at the points `x_i = i/(m - 1)`; at least four.
        forcing: f, a constant.

    Raises:
        ValueError: if there are fewer than four points or a value is not finite.
    """
    checks.count("the number of points", b.shape[1], 4)
    checks.finite("forcing", forcing)
    m = b.shape[1]
    x = torch.linspace(0, 1, m, dtype=b.dtype, device=b.device)
    resistance = (-b).exp()
    whole = antiderivative(torch.stack([resistance, resistance * x]), 1 / (m - 1))
    zeroth, first = whole.unbind()
    return forcing * (first[:, -1:] / zeroth[:, -1:] * zeroth - first)


def elliptic_mean(
    length_scale: Float[Tensor, "n"],
    n_points: int,
    *,
    amplitude: float = 0.1,
    forcing: float = 10.0,
    n_paths: int = 20_000,
    generator: torch.Generator,
) -> Float[Tensor, "n m"]:
    """The mean of s in `-(exp(b) s')' = f`, b being `amplitude` times a Gaussian process with the kernel `RBF(l)`.

    A mean over paths, half of them drawn and half their negatives, which removes the part of the error that is odd in
    b.

    Args:
        length_scale: l of each process.
        n_points: At `x_i = i/(n_points - 1)`; at least four.
        amplitude: Standard deviation of b.
        forcing: f, a constant.
        n_paths: Paths of each process, an even number.
        generator: Source of randomness.

    Raises:
        ValueError: if a length scale is not positive, the amplitude is negative, n_paths is not even and positive, or
            there are fewer than four points.
    """
    checks.count("n_points", n_points, 4)
    checks.not_negative("amplitude", amplitude)
    if n_paths < 2 or n_paths % 2:
        raise ValueError(f"n_paths must be a positive even number, not {n_paths}")
    x = torch.linspace(0, 1, n_points, dtype=length_scale.dtype, device=length_scale.device)
    means = []
    for length in length_scale.tolist():
        b = amplitude * GaussianField(x, RBF(length)).sample(n_paths // 2, generator)
        means.append((elliptic_paths(b, forcing).mean(0) + elliptic_paths(-b, forcing).mean(0)) / 2)
    return torch.stack(means)
