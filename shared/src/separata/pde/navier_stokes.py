"""Two-dimensional incompressible flow on the torus, in the vorticity."""

from jaxtyping import Float
from torch import Tensor


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
    as the flow keeps it, that of f counts.

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
    raise NotImplementedError
