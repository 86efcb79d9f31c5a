"""The law of sensors: how the error of an operator depends on the number of sensors of its input, without a network.

With u_m the piecewise linear interpolant of u at m sensors, max |u - u_m| <= kappa(m, V) for all u in V; for Gaussian
fields of correlation length l, kappa is of the order of 1 / (m^2 l^2). For s' = g(s, u, x) with a Lipschitz constant c
of g on [a, b], a network of the m values reaches every eps > c (b - a) kappa(m, V) exp(c (b - a)).
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from separata import pde

from .problems.ode import OdeProblem
from .spaces import FunctionSpace

N_FINE = 2000
"""Points on which functions are compared."""


def interpolant(
    space: FunctionSpace, features: Float[Tensor, "n features"], n_sensors: int, x: Float[Tensor, "k"]
) -> Float[Tensor, "n k"]:
    """u_m, the piecewise linear interpolants of functions at equally spaced sensors, at points.

    Raises:
        ValueError: if there are fewer than two sensors.
    """
    if n_sensors < 2:
        raise ValueError(f"an interpolant needs at least 2 sensors, not {n_sensors}")
    sensors = torch.linspace(0, space.length, n_sensors, dtype=torch.float64)
    return pde.interpolate(sensors, space.evaluate(features, sensors), x, "linear")


def interpolation_errors(
    space: FunctionSpace, n_sensors: Sequence[int], n: int, generator: torch.Generator
) -> list[float]:
    """Max |u - u_m|, the mean over n functions, for each number of sensors."""
    features = space.sample(n, generator)
    x = torch.linspace(0, space.length, N_FINE, dtype=torch.float64)
    u = space.evaluate(features, x)
    return [float((interpolant(space, features, m, x) - u).abs().amax(1).mean()) for m in n_sensors]


def solution_errors(problem: OdeProblem, n_sensors: Sequence[int], n: int, generator: torch.Generator) -> list[float]:
    """Max |G(u) - G(u_m)|, the mean over n functions, for each number of sensors."""
    space, times = problem.space, problem.times
    features = space.sample(n, generator)
    s = problem.solve(space.evaluate(features, times))
    return [float((problem.solve(interpolant(space, features, m, times)) - s).abs().amax(1).mean()) for m in n_sensors]


def sufficient_error(kappa: float, lipschitz: float, length: float) -> float:
    """The error c (b - a) kappa e^(c (b - a)) that a network of the sensors' values can reach in s' = g(s, u, x).

    Args:
        kappa: max |u - u_m| over the functions.
        lipschitz: c, of g in s and u.
        length: b - a.
    """
    return lipschitz * length * kappa * math.exp(lipschitz * length)


def log_slope(x: Sequence[float], y: Sequence[float], *, log_x: bool = True) -> tuple[float, float]:
    """Slope and r^2 of the least-squares line through log y, in log x or, for an exponential, in x.

    Raises:
        ValueError: if there are fewer than two points, or a value has no logarithm.
    """
    if len(x) != len(y) or len(x) < 2:
        raise ValueError(f"a line needs two or more points, not {len(x)} and {len(y)} values")
    if min(y) <= 0 or (log_x and min(x) <= 0):
        raise ValueError("only positive values have a logarithm")
    a = torch.tensor(x, dtype=torch.float64)
    a = a.log() if log_x else a
    b = torch.tensor(y, dtype=torch.float64).log()
    a, b = a - a.mean(), b - b.mean()
    slope = float(a @ b / (a @ a))
    total = float(b @ b)
    return slope, 1.0 if total == 0 else 1 - float((b - slope * a).square().sum()) / total
