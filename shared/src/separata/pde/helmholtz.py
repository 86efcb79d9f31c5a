"""The acoustic Helmholtz equation in a square that radiates through a part of its top."""

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks


def solve_helmholtz(
    speed: Float[Tensor, "n h w"],
    *,
    frequency: float = 1000.0,
    flux: Float[Tensor, "w"] | Float[Tensor, "n w"] | None = None,
) -> Float[Tensor, "n h w"]:
    """Solve `-Δu - (ω/c)² u = 0` on the unit square with the outward slope `∂u/∂n = flux` on top and 0 elsewhere.

    Vertex-centered finite volumes of five points: second order, so that ten points a wavelength (2π c/ω) give an error
    of phase of some percent over a few of them. The matrix is indefinite, and the problem has no solution where ω is a
    resonance of the square.

    Args:
        speed: c at the nodes `(y, x) = (i/(h - 1), j/(w - 1))`: rows go from the bottom, y = 0, to the top.
        frequency: ω.
        flux: At the nodes of the top, for all samples or for each; by default 1 on 0.35 <= x <= 0.65 and 0 elsewhere.

    Raises:
        ValueError: if c or ω is not positive, shapes do not fit or values are not finite.
    """
    raise NotImplementedError


def window_flux(x: Float[Tensor, "w"], low: float = 0.35, high: float = 0.65) -> Float[Tensor, "w"]:
    """One between two places and zero elsewhere.

    Raises:
        ValueError: if there is no place between them.
    """
    checks.positive("high - low", high - low)
    return ((x >= low - 1e-9) & (x <= high + 1e-9)).to(torch.float64)
