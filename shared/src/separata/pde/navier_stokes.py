"""Two-dimensional incompressible flow on the torus, in the vorticity."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks
from .time_steps import legs


def solve_navier_stokes(
    w0: Float[Tensor, "n s s"],
    *,
    viscosity: float | Float[Tensor, "n"],
    forcing: float | Float[Tensor, "s s"] | Float[Tensor, "n s s"] = 0.0,
    times: Float[Tensor, "k"],
    dt: float = 1e-3,
    length: float = 1.0,
) -> Float[Tensor, "n k s s"]:
    """Solve `w_t + v·∇w = ν Δw + f` with `v = (ψ_y, -ψ_x)`, `-Δψ = w` and periodic conditions.

    Pseudo-spectral, the product dealiased by the 2/3 rule; Crank-Nicolson for the diffusion and Heun's method for
    advection and forcing: second order in dt. The first axis of a field is x and the second y. The mean of w is kept,
    as the flow keeps it; that of f counts.

    Args:
        w0: The vorticity at time 0 at `(i length/s, j length/s)`.
        viscosity: ν; one, or one for each sample; not negative.
        forcing: f, constant in time; a number, or values at the points for all samples or for each.
        times: When the vorticity is wanted; increasing, from 0 or later.
        dt: The largest time step; the fastest flow should not cross a cell in one.
        length: Of the period in both directions.

    Raises:
        ValueError: if viscosity is negative, dt or length is not positive, times do not increase, shapes do not fit,
            values are not finite, or the flow becomes unstable because dt is too long.
    """
    checks.finite("w0", w0)
    checks.count("the number of points along each side", w0.shape[-1], 4)
    if w0.shape[1] != w0.shape[2]:
        raise ValueError(f"w0 must be given on as many points in both directions, not {w0.shape[1]} and {w0.shape[2]}")
    checks.not_negative("viscosity", viscosity)
    checks.positive("length", length)
    kx, ky = _wavenumbers(w0, length)
    rate = -checks.spread("viscosity", viscosity, w0) * (kx.square() + ky.square())
    force = _forcing(forcing, w0)
    advection = _advection(w0.shape[-1], kx, ky)

    def step(w: Tensor, dt: float) -> Tensor:
        now = advection(w) + force
        known, factor = (1 + dt / 2 * rate) * w, 1 / (1 - dt / 2 * rate)
        guess = factor * (known + dt * now)
        return factor * (known + dt / 2 * (now + advection(guess) + force))

    w = torch.fft.rfft2(w0)
    out = w0.new_empty(len(w0), len(times), *w0.shape[1:])
    for column, leg in enumerate(legs(times, dt)):
        for _ in range(leg.n_steps):
            w = step(w, leg.dt)
        out[:, column] = torch.fft.irfft2(w, s=w0.shape[1:])
        if not bool(out[:, column].isfinite().all()):
            raise ValueError(f"the flow is unstable before t = {times[column].item():g}: dt = {dt:g} is too long")
    return out


def _wavenumbers(w0: Tensor, length: float) -> tuple[Tensor, Tensor]:
    s = w0.shape[-1]
    unit = 2 * math.pi / length
    kx = unit * torch.fft.fftfreq(s, 1 / s, dtype=w0.dtype, device=w0.device)
    ky = unit * torch.fft.rfftfreq(s, 1 / s, dtype=w0.dtype, device=w0.device)
    return kx[:, None], ky


def _advection(s: int, kx: Tensor, ky: Tensor) -> Callable[[Tensor], Tensor]:
    """The function that takes the spectrum of w to that of `-v·∇w`, without the modes above two thirds."""
    k2 = kx.square() + ky.square()
    inverse = torch.where(k2 > 0, 1 / k2, 0.0)
    index = torch.fft.fftfreq(s, 1 / s, device=kx.device).abs()
    kept = (index[:, None] < s / 3) & (index[: s // 2 + 1] < s / 3)
    # The two velocities and the two slopes, which are transformed together.
    factors = torch.stack([1j * ky * inverse, -1j * kx * inverse, 1j * kx + 0 * ky, 1j * ky + 0 * kx]) * kept

    def advection(w: Tensor) -> Tensor:
        u, v, wx, wy = torch.fft.irfft2(factors * w[:, None], s=(s, s)).unbind(1)
        return kept * -torch.fft.rfft2(u * wx + v * wy)

    return advection


def _forcing(forcing: float | Tensor, w0: Tensor) -> Tensor:
    checks.finite("forcing", forcing)
    values = torch.as_tensor(forcing, dtype=w0.dtype, device=w0.device)
    if values.ndim and values.shape not in {w0.shape, w0.shape[1:]}:
        raise ValueError(
            f"forcing must be a number or values of shape {tuple(w0.shape[1:])} or {tuple(w0.shape)}, "
            f"not {tuple(values.shape)}"
        )
    return torch.fft.rfft2(values.expand(1, *w0.shape[1:]) if values.ndim < 3 else values)
