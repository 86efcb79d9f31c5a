"""Reaction and diffusion on an insulated interval: the Fisher-KPP equation and its relatives."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks
from .time_steps import legs
from .transforms import cosine_functions

Coefficient = float | Float[Tensor, "n"]


@runtime_checkable
class Reaction(Protocol):
    """The ordinary differential equation `u' = f(u)` at each point."""

    def rate(self, u: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        """f(u)."""
        ...

    def advance(self, u: Float[Tensor, "n m"], dt: float) -> Float[Tensor, "n m"]:
        """The solution after a time dt that began with u."""
        ...


@dataclass(frozen=True, eq=False)
class Logistic:
    """`f(u) = a u (1 - u)`, Fisher's law; solved exactly. A negative u is not a number once it has left every bound.

    Attributes:
        a: Rate; one, or one for each sample.
    """

    a: Coefficient

    def rate(self, u: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        """f(u)."""
        return checks.spread("a", self.a, u) * u * (1 - u)

    def advance(self, u: Float[Tensor, "n m"], dt: float) -> Float[Tensor, "n m"]:
        """The solution after a time dt that began with u."""
        below = u + (1 - u) * torch.exp(-checks.spread("a", self.a, u) * dt)
        return u / torch.where(below > 0, below, torch.nan)


@dataclass(frozen=True, eq=False)
class Cubic:
    """`f(u) = a u (1 - u²)`, the Newell-Whitehead or Allen-Cahn law; solved exactly.

    Attributes:
        a: Rate; one, or one for each sample.
    """

    a: Coefficient

    def rate(self, u: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        """f(u)."""
        return checks.spread("a", self.a, u) * u * (1 - u.square())

    def advance(self, u: Float[Tensor, "n m"], dt: float) -> Float[Tensor, "n m"]:
        """The solution after a time dt that began with u."""
        decay = torch.exp(-2 * checks.spread("a", self.a, u) * dt)
        return u / (u.square() + (1 - u.square()) * decay).sqrt()


@dataclass(frozen=True, eq=False)
class Combustion:
    """`f(u) = a u (1 - u) exp(-b (1 - u))`, a law of combustion; solved by a Runge-Kutta step of fourth order.

    Attributes:
        a: Rate; one, or one for each sample.
        b: Activation; one, or one for each sample.
    """

    a: Coefficient
    b: Coefficient

    def rate(self, u: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        """f(u)."""
        return checks.spread("a", self.a, u) * u * (1 - u) * torch.exp(checks.spread("b", self.b, u) * (u - 1))

    def advance(self, u: Float[Tensor, "n m"], dt: float) -> Float[Tensor, "n m"]:
        """The solution after a time dt that began with u."""
        k1 = self.rate(u)
        k2 = self.rate(u + dt / 2 * k1)
        k3 = self.rate(u + dt / 2 * k2)
        k4 = self.rate(u + dt * k3)
        return u + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def solve_reaction_diffusion(
    u0: Float[Tensor, "n m"],
    times: Float[Tensor, "k"],
    reaction: Reaction,
    *,
    diffusivity: float = 0.01,
    length: float = 1.0,
    dt: float = 0.01,
) -> Float[Tensor, "n k m"]:
    """Solve `u_t = D u_xx + f(u)` without flux through the ends, by Strang splitting.

    Half a step of reaction, a step of diffusion, half a step of reaction: second order in dt. The diffusion is exact
    for the cosine interpolant of u, so the error in space falls faster than any power of the distance for smooth
    functions without slope at the ends.

    Args:
        u0: Initial functions at `x_i = i length/(m - 1)`.
        times: When the solution is wanted; increasing, from 0 or later.
        reaction: f: `Logistic`, `Cubic`, `Combustion`, or anything with `advance(u, dt)`.
        diffusivity: D; not negative.
        length: Of the interval.
        dt: The largest time step.

    Raises:
        ValueError: if D is negative, length or dt is not positive, times do not increase, u0 is not finite, or the
            solution leaves every bound.
    """
    checks.finite("u0", u0)
    checks.count("the number of points", u0.shape[1], 2)
    checks.not_negative("diffusivity", diffusivity)
    checks.positive("length", length)
    u = u0
    out = u0.new_empty(len(u0), len(times), u0.shape[1])
    for column, leg in enumerate(legs(times, dt)):
        diffusion = _heat_kernel(u0, diffusivity / length**2 * leg.dt)
        for _ in range(leg.n_steps):
            u = reaction.advance(reaction.advance(u, leg.dt / 2) @ diffusion, leg.dt / 2)
        out[:, column] = u
    checks.finite("the solution", out)
    return out


def _heat_kernel(u: Tensor, time: float) -> Tensor:
    """What heat flow on the insulated unit interval makes of values at its points, which it takes on the right."""
    m = u.shape[1]
    x = torch.linspace(0, 1, m, dtype=u.dtype, device=u.device)
    functions = cosine_functions(x, m)
    decay = torch.exp(-time * (math.pi * torch.arange(m, dtype=u.dtype, device=u.device)).square())
    return torch.linalg.solve(functions.T, (functions * decay).T)
