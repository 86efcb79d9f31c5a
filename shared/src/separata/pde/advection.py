"""Linear advection `u_t + a(x) u_x = 0`."""

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks
from .advection_diffusion import solve_advection_diffusion


def advect_periodic(
    u0: Float[Tensor, "n m"], speed: float | Float[Tensor, "n"], times: Float[Tensor, "k"], *, length: float = 1.0
) -> Float[Tensor, "n k m"]:
    """Solve `u_t + a u_x = 0` with a constant speed and periodic conditions: exact in Fourier space.

    The solution is the trigonometric interpolant of u0, shifted. For a function that has jumps, shift the function
    itself.

    Args:
        u0: Initial functions at `x_i = i length/m`.
        speed: a; one, or one for each sample.
        times: When the solution is wanted; increasing.
        length: Of the period.

    Raises:
        ValueError: if times do not increase, length is not positive, or values are not finite.
    """
    return solve_advection_diffusion(u0, times, speed=speed, diffusivity=0.0, length=length)


def wendroff(
    speed: Float[Tensor, "n m"],
    initial: Float[Tensor, "n m"] | Float[Tensor, "m"],
    inflow: float | Float[Tensor, "steps"] | Float[Tensor, "n steps"],
    n_steps: int,
    *,
    final_time: float = 1.0,
    length: float = 1.0,
) -> Float[Tensor, "n {n_steps}+1 m"]:
    """Solve `u_t + a(x) u_x = 0`, a > 0, with given inflow at the left end, by Wendroff's implicit box scheme.

    `u_(i+1)^(j+1) = u_i^j + (1 - r)/(1 + r) (u_(i+1)^j - u_i^(j+1))` with `r = a dt/dx`, a being the mean of both ends
    of an interval: second order in dx and dt, stable for every step. Each antidiagonal of the (time, space) grid
    follows from the two before it, so all of its points are computed at once. Waves shorter than a few points disperse.

    Args:
        speed: a at the points `x_i = i length/(m - 1)`; positive.
        initial: u at time 0, for all samples or for each.
        inflow: u at x = 0 at the times `t_j = j final_time/n_steps`, j = 0 to n_steps: a constant, or values for all
            samples or for each. The first is not used: the corner has the initial value.
        n_steps: Time steps.
        final_time: The last time.
        length: Of the interval.

    Returns:
        The solution at all n_steps + 1 times, the initial one first.

    Raises:
        ValueError: if a speed is not positive, values are not finite or shapes do not fit.
    """
    n, m = speed.shape
    checks.count("the number of points", m, 2)
    between = 0.5 * (speed[:, 1:] + speed[:, :-1])
    ratio = _ratio(between, speed, final_time / _steps(n_steps), length / (m - 1))
    out = speed.new_empty(n, n_steps + 1, m)
    out[:, :, 0] = _values("inflow", inflow, n_steps + 1, speed)
    out[:, 0] = _values("initial", initial, m, speed)
    flat = out.view(n, -1)

    def diagonal(time: int, place: int, count: int) -> Tensor:
        """Points (time, place), (time + 1, place - 1), ... of the grid, as a view."""
        start = time * m + place
        return flat[:, start : start + (count - 1) * (m - 1) + 1 : m - 1] if count > 1 else flat[:, start : start + 1]

    for total in range(2, n_steps + m):
        time = max(1, total - m + 1)
        place = total - time
        count = min(n_steps - time + 1, place)
        here, before = diagonal(time, place, count), diagonal(time - 1, place, count)
        factor = ratio[:, place - count : place].flip(1)
        corner, left = diagonal(time - 1, place - 1, count), diagonal(time, place - 1, count)
        here.copy_(corner + factor * (before - left))
    return out


def wendroff_periodic(
    speed: Float[Tensor, "n m"],
    initial: Float[Tensor, "n m"] | Float[Tensor, "m"],
    n_steps: int,
    *,
    final_time: float = 1.0,
    length: float = 1.0,
) -> Float[Tensor, "n {n_steps}+1 m"]:
    """Solve `u_t + a(x) u_x = 0`, a > 0, with periodic conditions by Wendroff's implicit box scheme.

    Second order in dx and dt; see `wendroff`. Each step solves a cyclic bidiagonal system.

    Args:
        speed: a at the points `x_i = i length/m`; positive.
        initial: u at time 0, for all samples or for each.
        n_steps: Time steps.
        final_time: The last time.
        length: Of the period.

    Returns:
        The solution at the times `t_j = j final_time/n_steps`, the initial one first.

    Raises:
        ValueError: if a speed is not positive, values are not finite or shapes do not fit.
    """
    n, m = speed.shape
    checks.count("the number of points", m, 2)
    between = 0.5 * (speed + speed.roll(-1, 1))
    ratio = _ratio(between, speed, final_time / _steps(n_steps), length / m).T.contiguous()
    start = _values("initial", initial, m, speed).expand(n, m)
    out = speed.new_empty(n_steps + 1, m, n)
    out[0] = start.T
    # What one at the first point of a row makes of the others; a whole turn comes back smaller.
    turn = (-ratio).prod(0)
    for j in range(n_steps):
        old = out[j]
        given = old + ratio * old.roll(-1, 0)
        around = torch.zeros_like(turn)
        for i in range(m):
            around = given[i] - ratio[i] * around
        value = around / (1 - turn)
        for i in range(m):
            out[j + 1, i] = value
            value = given[i] - ratio[i] * value
    return out.permute(2, 0, 1).contiguous()


def _steps(n_steps: int) -> int:
    checks.count("n_steps", n_steps)
    return n_steps


def _ratio(between: Tensor, speed: Tensor, dt: float, dx: float) -> Tensor:
    """The scheme's factor `(1 - r)/(1 + r)` in each interval."""
    checks.positive("speed", speed)
    checks.positive("final_time", dt)
    checks.positive("length", dx)
    r = between * (dt / dx)
    return (1 - r) / (1 + r)


def _values(name: str, given: float | Tensor, length: int, like: Tensor) -> Tensor:
    checks.finite(name, given)
    values = torch.as_tensor(given, dtype=like.dtype, device=like.device)
    if values.ndim and values.shape not in {(length,), (len(like), length)}:
        wanted = f"one value, {length} values or {length} for each of {len(like)} samples"
        raise ValueError(f"{name} must be {wanted}, not of shape {tuple(values.shape)}")
    return values
