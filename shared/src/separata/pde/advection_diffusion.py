"""Periodic advection and diffusion with constant coefficients."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks


def solve_advection_diffusion(
    u0: Float[Tensor, "n m"],
    times: Float[Tensor, "k"],
    *,
    speed: float | Float[Tensor, "n"] = 1.0,
    diffusivity: float | Float[Tensor, "n"] = 0.1,
    length: float = 1.0,
) -> Float[Tensor, "n k m"]:
    """Solve `u_t + c u_x - D u_xx = 0` with periodic conditions: exact in Fourier space.

    Each mode of the trigonometric interpolant of u0 is multiplied by `exp(-(D κ² + i c κ) t)`, `κ = 2π k/length`; there
    are no time steps. Of the mode of half the points, whose phase a grid does not show, the part seen on it is kept.

    Args:
        u0: Initial functions at `x_i = i length/m`.
        times: When the solution is wanted; increasing.
        speed: c; one, or one for each sample.
        diffusivity: D; one, or one for each sample; not negative.
        length: Of the period.

    Raises:
        ValueError: if times do not increase, D is negative, length is not positive, or values are not finite.
    """
    checks.finite("u0", u0)
    checks.increasing("times", times, least=1)
    checks.positive("length", length)
    checks.finite("speed", speed)
    checks.not_negative("diffusivity", diffusivity)
    n, m = u0.shape
    c, d = (checks.spread(name, value, u0) for name, value in (("speed", speed), ("diffusivity", diffusivity)))
    kappa = 2 * math.pi / length * torch.arange(m // 2 + 1, dtype=u0.dtype, device=u0.device)
    rate = torch.complex((-d * kappa.square()).expand(n, -1), (-c * kappa).expand(n, -1))
    spectrum = torch.fft.rfft(u0)[:, None] * torch.exp(rate[:, None] * times.to(u0)[:, None])
    return torch.fft.irfft(spectrum, n=m)
