"""The acoustic Helmholtz equation in a square with a source on its top."""

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks
from .direct_solvers import solve_sparse
from .finite_volumes import FiniteVolumes, assemble

WINDOW = (0.35, 0.65)
"""Where the flux is one by default."""


def solve_helmholtz(
    speed: Float[Tensor, "n h w"],
    *,
    frequency: float = 1000.0,
    flux: Float[Tensor, "w"] | Float[Tensor, "n w"] | None = None,
) -> Float[Tensor, "n h w"]:
    """Solve `-Δu - (ω/c)² u = 0` on the unit square with the outward slope `∂u/∂n = flux` on top and 0 elsewhere.

    Five-point finite volumes, second order: the error of the phase is `(k h)²/24` of it, `k = ω/c`, some percent with
    ten points to a wavelength. The matrix is indefinite, and the problem has no solution where ω is a resonance of the
    square; near one, u is large and every error with it. Solved by SciPy's sparse LU on the CPU, whatever the device.

    Args:
        speed: c at the nodes `(y, x) = (i/(h - 1), j/(w - 1))`: rows go from the bottom, y = 0, to the top.
        frequency: ω.
        flux: At the nodes of the top, for all samples or for each; by default 1 on 0.35 <= x <= 0.65 and 0 elsewhere.

    Raises:
        ValueError: if c or ω is not positive, shapes do not fit, values are not finite, or there is no solution.
    """
    checks.positive("speed", speed)
    checks.positive("frequency", frequency)
    h, w = speed.shape[1:]
    checks.count("the number of nodes along each side", min(h, w), 3)
    ones = torch.ones_like(speed)
    every = torch.ones(1, h, w, dtype=torch.bool, device=speed.device)
    spacing, insulated = (1 / (h - 1), 1 / (w - 1)), [(None, None)] * 2
    laplace = assemble(ones, every, torch.ones_like(ones[:1]), spacing, insulated, zero_outside=True)
    volume = laplace.right
    right = torch.zeros_like(speed)
    right[:, -1] = _top(flux, speed) * volume[:, -1] * 2 / spacing[0]
    diagonal = laplace.diagonal - (frequency / speed).square() * volume
    system = FiniteVolumes(laplace.couplings, diagonal, laplace.leak, right, laplace.unknown)
    try:
        u = solve_sparse(system, definite=False)
    except RuntimeError as error:
        raise ValueError(f"there is no solution: {frequency:g} is a resonance of the square") from error
    checks.finite("the solution", u)
    return u


def _top(flux: Tensor | None, speed: Tensor) -> Tensor:
    n, _, w = speed.shape
    if flux is None:
        # Of the jump's neighbors, each takes the part of its volume that lies within.
        x = torch.linspace(0, 1, w, dtype=speed.dtype, device=speed.device)
        half = 0.5 / (w - 1)
        within = (x + half).clamp(max=WINDOW[1]) - (x - half).clamp(min=WINDOW[0])
        return (within / (2 * half)).clamp(0, 1)
    checks.finite("flux", flux)
    if flux.shape not in {(w,), (n, w)}:
        raise ValueError(f"flux must have the shape ({w},) or ({n}, {w}), not {tuple(flux.shape)}")
    return flux.to(speed)
