"""The Fisher equation `u_t = D u_xx + f(u)` on an insulated interval, with several reaction laws f."""

import torch
from jaxtyping import Float
from torch import Tensor

from mt_deeponet.configs import FAMILIES, ProblemConfig, names
from mt_deeponet.data import MultiTaskData, make_task
from mt_deeponet.sources import DEGREE, PolynomialSource, make_reaction
from separata.pde import RBF, GaussianField, solve_reaction_diffusion

RANGES = {"a": (0.1, 1.0), "b": (0.5, 2.0)}
"""Of the parameters of the laws; each has ten values."""
N_VALUES = 10
DT = 0.02
"""Longest step in time of the solver."""


def fisher_points(n_times: int, n_space: int) -> Float[Tensor, "points 2"]:
    """Times and places (t, x) in the unit square, ends included, time by time."""
    t, x = (torch.linspace(0, 1, n, dtype=torch.float64) for n in (n_times, n_space))
    return torch.cartesian_prod(t, x)


def sample_fisher(n: int, generator: torch.Generator, config: ProblemConfig = ProblemConfig()) -> MultiTaskData:  # noqa: B008 - immutable
    """Draw initial functions and parameters, and solve with the exact laws.

    Initial values are Gaussian fields, mapped to (0, 1) by the normal distribution function. The codes are the
    coefficients of the laws' polynomials.

    Args:
        n: Samples of each law.
        generator: Source of randomness.
        config: Its families, resolution, n_times, diffusivity and length_scale count.

    Returns:
        Functions u(x, 0), points (t, x) and values u(x, t), one task for each law.

    Raises:
        ValueError: if n is not positive, or there is no such law.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    families = names(config.families)
    if unknown := [name for name in families if name not in FAMILIES]:
        raise ValueError(f"the families are {', '.join(FAMILIES)}, not {unknown[0]}")
    x = torch.linspace(0, 1, config.resolution, dtype=torch.float64)
    field = GaussianField(x, RBF(config.length_scale))
    points = fisher_points(config.n_times, config.resolution)
    return MultiTaskData.concat([_family(name, field, points, n, generator, config) for name in families])


def _family(
    name: str, field: GaussianField, points: Tensor, n: int, generator: torch.Generator, config: ProblemConfig
) -> MultiTaskData:
    u0 = torch.special.ndtr(field.sample(n, generator))
    params = {key: _draw(key, n, generator) for key in FAMILIES[name]}
    codes = [
        PolynomialSource.encode(name, DEGREE, **dict(zip(params, map(float, values), strict=True))).coefficients
        for values in zip(*params.values(), strict=True)
    ]
    times = torch.linspace(0, 1, config.n_times, dtype=torch.float64)
    later = solve_reaction_diffusion(
        u0, times[1:], make_reaction(name, **params), diffusivity=config.diffusivity, dt=DT
    )
    values = torch.cat([u0[:, None], later], 1).flatten(1)
    return make_task(name, u0, points, values, codes=torch.stack(codes))


def _draw(key: str, n: int, generator: torch.Generator) -> Tensor:
    low, high = RANGES[key]
    values = torch.linspace(low, high, N_VALUES, dtype=torch.float64)
    return values[torch.randint(N_VALUES, (n,), generator=generator)]
