"""Ordinary differential equations, many at once."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks
from .interpolation import hermite, interpolate

RightHandSide = Callable[[Tensor, Tensor], Tensor]
"""Maps the time, a scalar tensor, and the states (n, d) to their derivatives (n, d)."""


def solve_ode(
    rhs: RightHandSide, s0: Float[Tensor, "n d"], t: Float[Tensor, "k"], n_steps: int = 1000
) -> Float[Tensor, "n k d"]:
    """Solve `s' = rhs(t, s)` for n initial states by the classical Runge-Kutta method of fourth order.

    All samples take the same equal steps from t[0] to t[-1]; between them the solution is the cubic that has the right
    values and derivatives, of fourth order too. Not for stiff problems: an unstable step gives values that are not
    finite, as does a solution that itself goes to infinity.

    Args:
        rhs: The right-hand side, on all samples at once.
        s0: The states at t[0].
        t: Increasing times at which the solution is wanted.
        n_steps: Number of steps.

    Returns:
        The states at the times; those at t[0] are s0.

    Raises:
        ValueError: if the times do not increase, n_steps is not positive or s0 is not finite.
    """
    checks.increasing("t", t)
    checks.count("n_steps", n_steps)
    checks.finite("s0", s0)
    grid = torch.linspace(t[0].item(), t[-1].item(), n_steps + 1, dtype=t.dtype, device=t.device)
    step_of = (torch.searchsorted(grid, t, right=True) - 1).clamp(0, n_steps - 1).tolist()
    out = s0.new_empty(len(s0), len(t), *s0.shape[1:])
    s, slope, column = s0, rhs(grid[0], s0), 0
    for i in range(n_steps):
        h = grid[i + 1] - grid[i]
        following = _runge_kutta(rhs, (grid[i] + h / 2, grid[i + 1]), h, s, slope)
        next_slope = rhs(grid[i + 1], following)
        while column < len(t) and step_of[column] == i:
            out[:, column] = hermite((t[column] - grid[i]) / h, s, following, h * slope, h * next_slope)
            column += 1
        s, slope = following, next_slope
    return out


def pendulum(
    u: Float[Tensor, "n m"], t: Float[Tensor, "m"], *, k: float = 1.0, substeps: int = 1
) -> Float[Tensor, "n m 2"]:
    """The gravity pendulum under the torque u: `s1' = s2`, `s2' = -k sin(s1) + u(t)`, at rest at first.

    Fourth order in the distance of the points, and for many substeps limited by the interpolation of u.

    Args:
        u: Torques at the times; between them the not-a-knot cubic spline.
        t: Equispaced times, at least four.
        k: Gravity over length.
        substeps: Runge-Kutta steps in each interval.

    Returns:
        Angle and angular velocity at the times.

    Raises:
        ValueError: if the times are not equispaced or too few, u is not finite or the shapes do not fit.
    """
    checks.finite("k", k)

    def rhs(torque: Tensor, s: Tensor) -> Tensor:
        return torch.stack([s[:, 1], torque - k * s[:, 0].sin()], 1)

    return _solve_driven(rhs, u, t, 2, substeps)


def nonlinear_ode(u: Float[Tensor, "n m"], t: Float[Tensor, "m"], *, substeps: int = 1) -> Float[Tensor, "n m"]:
    """The solution of `s' = -s² + u(t)`, `s(t_0) = 0`; under an input that is very negative it goes to minus infinity.

    Args:
        u: Inputs at the times; between them the not-a-knot cubic spline.
        t: Equispaced times, at least four.
        substeps: Runge-Kutta steps in each interval.

    Returns:
        s at the times; not finite from where the solution leaves every bound.

    Raises:
        ValueError: if the times are not equispaced or too few, u is not finite or the shapes do not fit.
    """

    def rhs(forcing: Tensor, s: Tensor) -> Tensor:
        return forcing[:, None] - s.square()

    return _solve_driven(rhs, u, t, 1, substeps)[..., 0]


def _runge_kutta(rhs: RightHandSide, times: tuple[Tensor, Tensor], h: Tensor, s: Tensor, slope: Tensor) -> Tensor:
    """A step, given the times at its middle and end and the derivative at its start."""
    middle, end = times
    k2 = rhs(middle, s + h / 2 * slope)
    k3 = rhs(middle, s + h / 2 * k2)
    return s + h / 6 * (slope + 2 * k2 + 2 * k3 + rhs(end, s + h * k3))


def _solve_driven(rhs: RightHandSide, u: Tensor, t: Tensor, d: int, substeps: int) -> Tensor:
    """Integrate from rest where `rhs` takes the inputs (n,) at a time in place of the time."""
    checks.increasing("t", t, least=4)
    checks.count("substeps", substeps)
    gaps = t.diff()
    if not torch.allclose(gaps, gaps.mean(), rtol=1e-5, atol=0):
        raise ValueError("t must be equispaced")
    halves = 2 * substeps
    fine = torch.linspace(t[0].item(), t[-1].item(), halves * (len(t) - 1) + 1, dtype=u.dtype, device=u.device)
    inputs = interpolate(t.to(u), u, fine.clamp(t[0].item(), t[-1].item()), "cubic").T.contiguous()
    h = gaps.mean().to(u) / substeps
    s = u.new_zeros(len(u), d)
    out = [s]
    for i in range(0, len(fine) - 1, 2):
        s = _runge_kutta(rhs, (inputs[i + 1], inputs[i + 2]), h, s, rhs(inputs[i], s))
        if (i + 2) % halves == 0:
            out.append(s)
    return torch.stack(out, 1)
