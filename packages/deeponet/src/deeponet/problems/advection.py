"""Transport on the unit interval: four problems of advection, and one of advection and diffusion."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from separata import pde

from .base import SpaceTimeProblem


def folded(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """sin^2(pi x), which makes any function of it periodic, with a continuous slope, and symmetric about 1/2."""
    return (math.pi * x).sin().square().clamp(0, 1)


@dataclass(frozen=True)
class FoldedProblem(SpaceTimeProblem):
    """A periodic problem, whose input V(sin^2(pi x)) is seen at the sensors."""

    def seen(self, features: Float[Tensor, "n features"], x: Float[Tensor, "k"]) -> Float[Tensor, "n k"]:
        """V(sin^2(pi x))."""
        return self.space.evaluate(features, folded(x))


@dataclass(frozen=True)
class Advection1(FoldedProblem):
    """s_t + s_x = 0, s(x, 0) = V(sin^2(pi x)), periodic: the initial function, shifted."""

    def solution(self, features: Float[Tensor, "n features"]) -> Float[Tensor, "n times places"]:
        """V(sin^2(pi (x - t))), exactly."""
        x = self.grid
        shifted = (x - x[:, None]).flatten()
        return self.seen(features, shifted).unflatten(1, (len(x), len(x)))


@dataclass(frozen=True)
class Advection2(SpaceTimeProblem):
    """s_t + s_x = 0, s(x, 0) = x V(x), s(0, t) = 0: the initial function, shifted to the right."""

    def solution(self, features: Float[Tensor, "n features"]) -> Float[Tensor, "n times places"]:
        """The function x V(x) at x - t, and zero where that is negative, exactly."""
        x = self.grid
        shifted = (x - x[:, None]).flatten()
        inside = shifted.clamp(min=0)
        return (inside * self.space.evaluate(features, inside)).unflatten(1, (len(x), len(x)))


@dataclass(frozen=True)
class Advection3(SpaceTimeProblem):
    """s_t + (1 + 0.1 V(x)) s_x = 0, s(x, 0) = x^2, s(0, t) = sin(pi t), by Wendroff's scheme."""

    def solution(self, features: Float[Tensor, "n features"]) -> Float[Tensor, "n times places"]:
        """The solutions on the grid."""
        x = self.grid
        speed = 1 + 0.1 * self.space.evaluate(features, x)
        return pde.wendroff(speed, x.square(), (math.pi * x).sin(), len(x) - 1)


@dataclass(frozen=True)
class Advection4(SpaceTimeProblem):
    """s_t + (1 + 0.1 (V(x) + V(1 - x)) / 2) s_x = 0, s(x, 0) = sin(2 pi x), periodic, by Wendroff's scheme."""

    def seen(self, features: Float[Tensor, "n features"], x: Float[Tensor, "k"]) -> Float[Tensor, "n k"]:
        """(V(x) + V(1 - x)) / 2."""
        mirrored = (1 - x).clamp(0, 1)
        return (self.space.evaluate(features, x) + self.space.evaluate(features, mirrored)) / 2

    def solution(self, features: Float[Tensor, "n features"]) -> Float[Tensor, "n times places"]:
        """The solutions on the grid, whose last point is its first."""
        x = self.grid
        speed = 1 + 0.1 * self.seen(features, x[:-1])
        values = pde.wendroff_periodic(speed, (2 * math.pi * x[:-1]).sin(), len(x) - 1)
        return torch.cat([values, values[..., :1]], -1)


@dataclass(frozen=True)
class AdvectionDiffusion(FoldedProblem):
    """s_t + s_x - 0.1 s_xx = 0, s(x, 0) = V(sin^2(pi x)), periodic.

    Args:
        space: V.
        n_sensors: Sensors of the initial function.
        n_grid: Points in space, and in time.
        diffusivity: D.
    """

    diffusivity: float = 0.1

    def solution(self, features: Float[Tensor, "n features"]) -> Float[Tensor, "n times places"]:
        """The solutions on the grid, exact for the trigonometric polynomial through the initial values."""
        x = self.grid
        initial = self.seen(features, x[:-1])
        values = pde.solve_advection_diffusion(initial, x, diffusivity=self.diffusivity)
        return torch.cat([values, values[..., :1]], -1)
