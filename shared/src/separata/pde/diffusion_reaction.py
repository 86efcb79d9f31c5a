"""Advection, diffusion and reaction on an interval whose ends are held at zero."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks
from .time_steps import legs
from .tridiagonal import solve_tridiagonal

NEWTON_STEPS = 25
"""More are a sign that the time step is too long for the reaction."""


def solve_diffusion_reaction(
    source: Float[Tensor, "n m"],
    times: Float[Tensor, "k"],
    *,
    diffusivity: float | Float[Tensor, "n"] = 0.01,
    reaction: float | Float[Tensor, "n"] = 0.01,
    length: float = 1.0,
    dt: float = 0.01,
) -> Float[Tensor, "n k m"]:
    """Solve `u_t = D u_xx + k u² + f(x)`, zero at first and at both ends.

    Second order in the distance of the points and in dt; see `solve_advection_diffusion_reaction`.

    Args:
        source: f at the points `x_i = i length/(m - 1)`.
        times: When the solution is wanted; increasing, from 0 or later.
        diffusivity: D; one, or one for each sample; positive.
        reaction: k; one, or one for each sample.
        length: Of the interval.
        dt: The largest time step.

    Raises:
        ValueError: if D, length or dt is not positive, times do not increase, values are not finite, or the solution
            leaves every bound.
    """
    checks.finite("reaction", reaction)
    checks.positive("diffusivity", diffusivity)
    k = checks.spread("reaction", reaction, source)
    d = checks.spread("diffusivity", diffusivity, source)
    return solve_advection_diffusion_reaction(
        torch.zeros_like(source),
        times,
        diffusivity=d.expand_as(source) if d.ndim else d,
        reaction=lambda u: k * u.square(),
        source=source,
        length=length,
        dt=dt,
    )


def solve_advection_diffusion_reaction(
    initial: Float[Tensor, "n m"],
    times: Float[Tensor, "k"],
    *,
    diffusivity: float | Float[Tensor, ""] | Float[Tensor, "m"] | Float[Tensor, "n m"],
    velocity: float | Float[Tensor, "m"] | Float[Tensor, "n m"] = 0.0,
    reaction: Callable[[Tensor], Tensor] | None = None,
    source: Float[Tensor, "n m"] | Callable[[float], Tensor] | None = None,
    length: float = 1.0,
    dt: float = 0.01,
) -> Float[Tensor, "n k m"]:
    """Solve `u_t = (k(x) u_x)_x - v(x) u_x + g(u) + f(x, t)`, zero at both ends.

    Central differences in space, k at the middle of an interval being the mean of its ends; Crank-Nicolson in time,
    each step by Newton's method on a tridiagonal system: second order in both. Where v dx exceeds 2 k the solution may
    oscillate. The advection is v u_x, not (v u)_x.

    Args:
        initial: u at time 0 at the points `x_i = i length/(m - 1)`; its ends are taken as zero.
        times: When the solution is wanted; increasing, from 0 or later.
        diffusivity: k: a number, or values at the points for all samples or each; positive.
        velocity: v, likewise; of any sign.
        reaction: g, acting on each value by itself, of functions (n, m - 2) at the inner points; differentiated by
            `torch.func`.
        source: f at the points: constant in time, or a function of the time that gives (m,) or (n, m).
        length: Of the interval.
        dt: The largest time step.

    Raises:
        ValueError: if k, length or dt is not positive, times do not increase, shapes do not fit, values are not finite,
            or Newton's method does not converge.
    """
    n, m = initial.shape
    checks.count("the number of points", m, 3)
    checks.positive("length", length)
    checks.positive("diffusivity", diffusivity)
    for name, value in (("initial", initial), ("velocity", velocity)):
        checks.finite(name, value)
    lower, main, upper = _operator(initial, diffusivity, velocity, length / (m - 1))

    def rate(u: Tensor, time: float) -> Tensor:
        change = main * u + _forcing(source, time, initial)[..., 1:-1]
        change[:, 1:] += lower[..., 1:] * u[:, :-1]
        change[:, :-1] += upper[..., :-1] * u[:, 1:]
        return change if reaction is None else change + reaction(u)

    def step(u: Tensor, time: float, tau: float) -> Tensor:
        known = u + tau / 2 * rate(u, time)
        found = u
        for _ in range(NEWTON_STEPS):
            slope = 0 if reaction is None else torch.func.grad(lambda u: reaction(u).sum())(found)
            change = solve_tridiagonal(
                -tau / 2 * lower[..., 1:],
                1 - tau / 2 * (main + slope),
                -tau / 2 * upper[..., :-1],
                known + tau / 2 * rate(found, time + tau) - found,
            )
            found = found + change
            # The error of a step of Newton's method is the square of the one before.
            if change.abs().max().item() <= torch.finfo(u.dtype).eps ** 0.5 * (1 + found.abs().max().item()):
                return found
        raise ValueError(f"the solution grows without bound, or dt = {tau:g} is too long, near t = {time:g}")

    u = initial[:, 1:-1].clone()
    out = initial.new_zeros(n, len(times), m)
    for column, leg in enumerate(legs(times, dt)):
        for i in range(leg.n_steps):
            u = step(u, leg.start + i * leg.dt, leg.dt)
        out[:, column, 1:-1] = u
    return out


def _operator(
    u: Tensor, diffusivity: float | Tensor, velocity: float | Tensor, dx: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The three diagonals of the rows of `(k u_x)_x - v u_x`, one entry for each inner point in each."""
    k, v = (_at_points(name, value, u) for name, value in (("diffusivity", diffusivity), ("velocity", velocity)))
    left, right = (k[:, 1:-1] + k[:, :-2]) / (2 * dx**2), (k[:, 1:-1] + k[:, 2:]) / (2 * dx**2)
    drift = v[:, 1:-1] / (2 * dx)
    return left + drift, -(left + right), right - drift


def _at_points(name: str, value: float | Tensor, u: Tensor) -> Tensor:
    values = torch.as_tensor(value, dtype=u.dtype, device=u.device)
    if values.ndim and values.shape not in {u.shape, u.shape[1:]}:
        raise ValueError(f"{name} must be a number or values of shape {tuple(u.shape)}, not {tuple(values.shape)}")
    return values.expand(1, u.shape[1]) if values.ndim < 2 else values


def _forcing(source: Tensor | Callable[[float], Tensor] | None, time: float, u: Tensor) -> Tensor:
    if source is None:
        return u.new_zeros(u.shape[1])
    values = source if isinstance(source, Tensor) else source(time)
    checks.finite("source", values)
    return _at_points("source", values, u)
