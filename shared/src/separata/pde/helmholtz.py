"""The acoustic Helmholtz equation in a square with a source on its top."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csc_matrix

WINDOW = (0.35, 0.65)
"""Where the flux is one by default."""


def solve_helmholtz(
    speed: Float[Tensor, "n h w"],
    *,
    frequency: float = 1000.0,
    flux: Float[Tensor, "w"] | Float[Tensor, "n w"] | None = None,
) -> Float[Tensor, "n h w"]:
    """Solve `-Δu - (ω/c)² u = 0` on the unit square with the outward slope `∂u/∂n = flux` on top and 0 elsewhere.

    The compact scheme of nine points: with `K = (ω/c)²`, second differences δ_x², δ_y² and the nodes' distances,
    `(δ_x² + δ_y² + (dx² + dy²)/12 δ_x² δ_y²) u + (1 + dx²/12 δ_x² + dy²/12 δ_y²)(K u) = 0`. Fourth order where u is
    smooth and c has no slope across the boundary, second order otherwise; a scheme of second order would lose the phase
    over a few wavelengths (2π c/ω). The matrix is indefinite, and the problem has no solution where ω is a resonance of
    the square; near one, u is large and so is its error. Solved by SciPy's sparse LU on the CPU, whatever the device.

    Args:
        speed: c at the nodes `(y, x) = (i/(h - 1), j/(w - 1))`: rows go from the bottom, y = 0, to the top.
        frequency: ω.
        flux: At the nodes of the top, for all samples or for each; by default 1 on 0.35 <= x <= 0.65 and 0 elsewhere.

    Raises:
        ValueError: if c or ω is not positive, shapes do not fit, values are not finite, or there is no solution.
    """
    from scipy.sparse import diags
    from scipy.sparse.linalg import splu

    checks.positive("speed", speed)
    checks.positive("frequency", frequency)
    h, w = speed.shape[1:]
    checks.count("the number of nodes along each side", min(h, w), 3)
    squared = (frequency / speed.detach().double().cpu().numpy()) ** 2
    slopes = _top(flux, speed).detach().double().cpu().numpy()
    differences, average = _stencils(h, w)
    out = torch.empty(speed.shape, dtype=torch.float64)
    for i, (k2, slope) in enumerate(zip(squared, slopes, strict=True)):
        matrix = (differences + average @ diags(k2.ravel())).tocsc()
        right = k2 * 0
        right[-1] = -_inflow(slope, k2[-1], h)
        try:
            solution = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.1).solve(right.ravel())
        except RuntimeError as error:
            raise ValueError(f"sample {i} has no solution: {frequency:g} is a resonance of the square") from error
        out[i] = torch.from_numpy(solution).reshape(h, w)
    checks.finite("the solution", out)
    return out.to(speed)


def _second_difference(m: int) -> "csc_matrix":
    """On m nodes of the unit interval, for functions that are even about both ends."""
    import numpy as np
    from scipy.sparse import diags

    beside = np.ones(m - 1)
    upper, lower = beside.copy(), beside.copy()
    upper[0] = lower[-1] = 2
    return diags([lower, np.full(m, -2.0), upper], offsets=[-1, 0, 1]).tocsc() * (m - 1) ** 2


def _stencils(h: int, w: int) -> tuple["csc_matrix", "csc_matrix"]:
    """What the scheme does to u and to `K u`."""
    from scipy.sparse import identity, kron

    dy, dx = _second_difference(h), _second_difference(w)
    across, along = kron(dy, identity(w)), kron(identity(h), dx)
    h2, w2 = 1 / (h - 1) ** 2 / 12, 1 / (w - 1) ** 2 / 12
    differences = across + along + (h2 + w2) * kron(dy, dx)
    return differences.tocsc(), (identity(h * w) + h2 * across + w2 * along).tocsc()


def _inflow(slope: "np.ndarray", k2: "np.ndarray", h: int) -> "np.ndarray":
    """What the scheme takes at the top from the layer of nodes beyond it, which is not the mirror image of that below.

    The difference of the two layers is `2 dy g + dy³/3 u_yyy`, and `u_yyy = -K g - g_xx` where K has no slope.
    """
    dx, dy = _second_difference(len(slope)), 1 / (h - 1)
    excess = 2 * dy * slope - dy**3 / 3 * (k2 * slope + dx @ slope)
    cross = (dy**2 + 1 / (len(slope) - 1) ** 2) / 12
    return (excess + cross * (dx @ excess)) / dy**2 + dy / 6 * k2 * slope


def _top(flux: Tensor | None, speed: Tensor) -> Tensor:
    """The slope at the nodes of the top, for each sample."""
    n, _, w = speed.shape
    if flux is None:
        # A node at the edge of the window has the part of its cell that lies within.
        x = torch.linspace(0, 1, w, dtype=speed.dtype, device=speed.device)
        half = 0.5 / (w - 1)
        within = (x + half).clamp(max=WINDOW[1]) - (x - half).clamp(min=WINDOW[0])
        flux = (within / (2 * half)).clamp(0, 1)
    checks.finite("flux", flux)
    if flux.shape not in {(w,), (n, w)}:
        raise ValueError(f"flux must have the shape ({w},) or ({n}, {w}), not {tuple(flux.shape)}")
    return flux.expand(n, w)
