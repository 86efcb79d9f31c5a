"""Problems by name."""

from typing import get_args

from deeponet.configs import ProblemConfig, ProblemName
from deeponet.spaces import make_space

from .advection import Advection1, Advection2, Advection3, Advection4, AdvectionDiffusion
from .base import OperatorProblem, SpaceTimeProblem
from .diffusion import DiffusionReaction
from .legendre import Legendre
from .ode import Antiderivative, NonlinearOde, OdeProblem, Pendulum
from .stochastic import RandomGrowth, RandomMedium

ODES: dict[ProblemName, type[OdeProblem]] = {
    "antiderivative": Antiderivative,
    "nonlinear-ode": NonlinearOde,
    "pendulum": Pendulum,
}
IN_SPACE_TIME: dict[ProblemName, type[SpaceTimeProblem]] = {
    "diffusion-reaction": DiffusionReaction,
    "advection-1": Advection1,
    "advection-2": Advection2,
    "advection-3": Advection3,
    "advection-4": Advection4,
    "advection-diffusion": AdvectionDiffusion,
}
STOCHASTIC = ("sode", "spde")


def make_problem(name: ProblemName, config: ProblemConfig = ProblemConfig()) -> OperatorProblem:  # noqa: B008 - immutable
    """A problem.

    Args:
        name: `antiderivative`, `nonlinear-ode`, `pendulum`, `diffusion-reaction`, `advection-1` to `advection-4`,
            `advection-diffusion`, `legendre`, `sode` or `spde`.
        config: Its settings and its input functions.

    Raises:
        ValueError: if there is no such problem, or a setting does not apply to it.
    """
    if name not in get_args(ProblemName):
        raise ValueError(f"there is no problem {name}; the problems are {', '.join(get_args(ProblemName))}")
    _check(name, config)
    if name in ODES:
        return ODES[name](make_space(config, config.length), config.n_sensors)
    if name in IN_SPACE_TIME:
        return IN_SPACE_TIME[name](make_space(config, 1), config.n_sensors, config.n_grid)
    if name == "legendre":
        return Legendre(make_space(config, 2), config.n_sensors)
    if name == "sode":
        return RandomGrowth(config.pathwise, config.n_grid)
    return RandomMedium(config.pathwise, config.n_grid, config.n_paths)


def _check(name: ProblemName, config: ProblemConfig) -> None:
    """Refuse settings that would change nothing."""
    of_functions = ("space", "kernel", "length_scale", "n_modes", "bound", "n_sensors")
    idle = {
        "length": name not in ODES,
        "n_grid": name in ODES or name == "legendre",
        "n_paths": name != "spde",
        "pathwise": name not in STOCHASTIC,
        **dict.fromkeys(of_functions, name in STOCHASTIC),
    }
    default = ProblemConfig()
    for setting, is_idle in idle.items():
        if is_idle and getattr(config, setting) != getattr(default, setting):
            raise ValueError(f"{setting} does not apply to the problem {name}")
