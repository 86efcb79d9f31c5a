"""Problems by name."""

from dataclasses import replace
from typing import get_args

from mgno.configs import ProblemConfig, ProblemName

from .darcy import MultiscaleDarcy, TwoPhaseDarcy
from .helmholtz import Helmholtz
from .navier_stokes import NavierStokes

ROUGH = {"tau2": 20.0, "high": 12.0, "low": 2.0}
"""Shorter interfaces and more contrast than by default."""
OF_FLOWS = ("viscosity", "unforced", "n_frames")


def make_problem(
    name: ProblemName,
    resolution: int | None = None,
    config: ProblemConfig = ProblemConfig(),  # noqa: B008 - immutable
) -> TwoPhaseDarcy | MultiscaleDarcy | NavierStokes | Helmholtz:
    """A problem.

    Args:
        name: `darcy`, `darcy-rough`, `darcy-multiscale`, `navier-stokes` or `helmholtz`.
        resolution: Points along each side, instead of the configuration's.
        config: Its grid and its settings.

    Raises:
        ValueError: if there is no such problem, or a setting does not apply to it.
    """
    if name not in get_args(ProblemName):
        raise ValueError(f"there is no problem {name}; the problems are {', '.join(get_args(ProblemName))}")
    config = config if resolution is None else replace(config, resolution=resolution)
    _check(name, config)
    n, finer = config.resolution, config.refinement or (4 if name == "darcy-multiscale" else 1)
    if name == "darcy":
        return TwoPhaseDarcy(n, finer)
    if name == "darcy-rough":
        return TwoPhaseDarcy(n, finer, **ROUGH)
    if name == "darcy-multiscale":
        return MultiscaleDarcy(n, finer)
    if name == "helmholtz":
        return Helmholtz(n, finer, config.frequency)
    return NavierStokes(n, finer, config.viscosity, not config.unforced, config.n_frames)


def _check(name: ProblemName, config: ProblemConfig) -> None:
    """Refuse settings that would change nothing."""
    idle = {**dict.fromkeys(OF_FLOWS, name != "navier-stokes"), "frequency": name != "helmholtz"}
    default = ProblemConfig()
    for setting, is_idle in idle.items():
        if is_idle and getattr(config, setting) != getattr(default, setting):
            raise ValueError(f"{setting} does not apply to the problem {name}")
