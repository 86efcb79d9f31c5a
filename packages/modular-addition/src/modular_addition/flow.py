"""Gradient flow of a neuron and a frequency, early in training, where all classes are equally likely."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .configs import check_odd
from .fourier import wrap

SAFETY = 0.04
"""Step of `crossing_time`, in units of the fastest rate."""
MOST_STEPS = 4000


@dataclass(frozen=True)
class FlowTrajectory:
    """Magnitudes and phases over time.

    Attributes:
        time: Times; learning rate times steps.
        alpha: Input magnitudes, at each time.
        beta: Output magnitudes.
        phi: Input phases.
        psi: Output phases.
    """

    time: Float[Tensor, "times"]
    alpha: Float[Tensor, "times *states"]
    beta: Float[Tensor, "times *states"]
    phi: Float[Tensor, "times *states"]
    psi: Float[Tensor, "times *states"]

    @property
    def misalignment(self) -> Float[Tensor, "times *states"]:
        """D = 2φ - ψ in (-π, π]."""
        return wrap(2 * self.phi - self.psi)

    @property
    def invariants(self) -> tuple[Float[Tensor, "times *states"], Float[Tensor, "times *states"]]:
        """α² - 2β² and α² β sin D, which the flow keeps."""
        return invariants(self.alpha, self.beta, self.misalignment)


def invariants(
    alpha: Float[Tensor, "*states"], beta: Float[Tensor, "*states"], misalignment: Float[Tensor, "*states"]
) -> tuple[Float[Tensor, "*states"], Float[Tensor, "*states"]]:
    """α² - 2β² and α² β sin D, which the flow keeps."""
    return alpha.square() - 2 * beta.square(), alpha.square() * beta * misalignment.sin()


def flow_rates(state: Float[Tensor, "4 *states"], p: int) -> Float[Tensor, "4 *states"]:
    """Time derivatives of α, β, φ and ψ under the gradient flow of the mean loss, with squares.

    α' = (2/p) α β cos D, β' = (1/p) α² cos D, φ' = -(2/p) β sin D, ψ' = (1/p) (α² / β) sin D with D = 2φ - ψ, so
    that D' = -(1/p) (4β + α² / β) sin D: alignment, D = 0, attracts, and D = π repels.
    """
    alpha, beta, phi, psi = state
    sine, cosine = torch.sin(2 * phi - psi), torch.cos(2 * phi - psi)
    return (
        torch.stack(
            [2 * alpha * beta * cosine, alpha.square() * cosine, -2 * beta * sine, alpha.square() / beta * sine]
        )
        / p
    )


def decoupled_flow(
    alpha: float | Float[Tensor, "*states"],
    beta: float | Float[Tensor, "*states"],
    phi: float | Float[Tensor, "*states"],
    psi: float | Float[Tensor, "*states"],
    p: int,
    t: float | Float[Tensor, "times"],
    dt: float = 1.0,
) -> FlowTrajectory:
    """Integrate the flow of neurons and frequencies, each by itself, by the classical Runge-Kutta method.

    For small weights, the square as activation, and plain gradient descent of the mean loss, with t the learning rate
    times the steps. Not for adaptive optimizers, nor for what follows once a class is more likely than others. Its
    solutions blow up in finite time: see `crossing_time`.

    Args:
        alpha: Input magnitudes at time 0; positive.
        beta: Output magnitudes; positive.
        phi: Input phases.
        psi: Output phases.
        p: Size of the group; odd.
        t: Times to give the states at, rising; or one time.
        dt: Longest step.

    Raises:
        ValueError: if p is even, a magnitude or the step is not positive, or times fall or are negative.
    """
    check_odd(p)
    given = [torch.as_tensor(one, dtype=torch.double) for one in (alpha, beta, phi, psi)]
    state = torch.stack(torch.broadcast_tensors(*given))
    times = torch.atleast_1d(torch.as_tensor(t, dtype=torch.double))
    if not (state[:2] > 0).all():
        raise ValueError("magnitudes must be positive")
    if dt <= 0 or times[0] < 0 or (times.diff() < 0).any():
        raise ValueError("times must be 0 or later and rise, and the step must be positive")
    now, found = 0.0, []
    for end in times.tolist():
        n_steps = int(np.ceil((end - now) / dt - 1e-9))
        for _ in range(n_steps):
            state = _runge_kutta(state, (end - now) / n_steps, p)
        now = end
        found.append(state)
    return FlowTrajectory(times, *torch.stack(found, dim=1))


def _runge_kutta(state: Tensor, dt: "float | Tensor", p: int) -> Tensor:
    first = flow_rates(state, p)
    second = flow_rates(state + dt / 2 * first, p)
    third = flow_rates(state + dt / 2 * second, p)
    fourth = flow_rates(state + dt * third, p)
    return state + dt / 6 * (first + 2 * second + 2 * third + fourth)


def scipy_flow(
    alpha: float, beta: float, phi: float, psi: float, p: int, t: Float[Tensor, "times"], rtol: float = 1e-11
) -> FlowTrajectory:
    """The flow of one neuron and frequency by SciPy's DOP853: a check of `decoupled_flow`.

    Raises:
        ValueError: if SciPy cannot integrate as far, as where the solution blows up before.
    """
    from scipy.integrate import solve_ivp

    def rates(_: float, state: Any) -> Any:  # noqa: ANN401 - arrays
        return flow_rates(torch.as_tensor(state), p).numpy()

    times = t.double().numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        solved = solve_ivp(
            rates, (0.0, times[-1]), [alpha, beta, phi, psi], "DOP853", times, rtol=rtol, atol=1e-3 * rtol
        )
    if not solved.success:
        raise ValueError(f"the flow cannot be integrated up to {times[-1]:g}: {solved.message}")
    return FlowTrajectory(t.double(), *torch.from_numpy(solved.y))


def crossing_time(
    alpha: Float[Tensor, "..."],
    beta: Float[Tensor, "..."],
    misalignment: Float[Tensor, "..."],
    p: int,
    threshold: float,
) -> Float[Tensor, "..."]:
    """The first time at which the input magnitude reaches a threshold; infinite if that does not happen.

    α, β and D make a system of their own. All states are integrated at once, each with steps of its own that shrink as
    its solution blows up. The three are broadcast against each other.

    Raises:
        ValueError: if p is even, or a magnitude or the threshold is not positive.
    """
    check_odd(p)
    a, b, d = (one.double().flatten().clone() for one in torch.broadcast_tensors(alpha, beta, misalignment))
    if not ((a > 0).all() and (b > 0).all() and threshold > 0):
        raise ValueError("magnitudes and the threshold must be positive")
    # The flow has no scale: magnitudes in units of the threshold, times in units of its inverse, lose no digits.
    a, b = a / threshold, b / threshold
    clock = torch.zeros_like(a)
    crossed = torch.where(a >= 1, 0.0, torch.inf).double()
    active = torch.isinf(crossed).nonzero()[:, 0]
    for _ in range(MOST_STEPS):
        if not len(active):
            break
        state = torch.stack([a[active], b[active], d[active] / 2, torch.zeros_like(d[active])])
        dt = SAFETY * p / (state[0] + 4 * state[1] + state[0].square() / state[1])
        after = _runge_kutta(state, dt, p)
        reached = after[0] >= 1
        # The logarithm of a magnitude is nearly straight over a step.
        part = -state[0].log() / (after[0] / state[0]).log()
        crossed[active[reached]] = (clock[active] + part * dt)[reached]
        clock[active] += dt
        a[active], b[active], d[active] = after[0], after[1], 2 * after[2] - after[3]
        active = active[~reached]
    return (crossed / threshold).reshape(torch.broadcast_shapes(alpha.shape, beta.shape, misalignment.shape))
