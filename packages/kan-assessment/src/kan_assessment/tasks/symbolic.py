"""Functions to be found again from their values: SciPy's special functions, and formulas."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from separata import formulas

from .task import Metric, Samples, Task

N_TRAIN, N_VALIDATION, N_TEST = 1000, 250, 1000
"""Points of each part; those for validation are drawn besides the 1,000 for training."""

Array = Float[np.ndarray, "n"]
Square = ((0.0, 1.0), (0.0, 1.0))


@dataclass(frozen=True)
class Function:
    """A function on a box.

    Args:
        of: Maps the columns of the points to values; or a formula in x, y or x0, x1, ...
        box: Ends of each variable.
        metric: What models are compared by; the median error for functions that blow up at an end of the box.
    """

    of: Callable[..., Array] | str
    box: tuple[tuple[float, float], ...] = Square
    metric: Metric = "rmse"

    def __call__(self, points: Float[Tensor, "n variables"]) -> Float[Tensor, "n"]:
        """The values at points of the box."""
        if isinstance(self.of, str):
            return formulas.parse(self.of)(points)
        return torch.from_numpy(np.asarray(self.of(*points.double().numpy().T)))


def _special(name: str, *first: int) -> Callable[[Array, Array], Array]:
    def values(v: Array, z: Array) -> Array:
        from scipy import special

        return np.asarray(getattr(special, name)(*first, v, z), dtype=float)

    return values


def _spherical(n: int) -> Callable[[Array, Array], Array]:
    def values(azimuth: Array, polar: Array) -> Array:
        from scipy import special

        return np.real(special.sph_harm_y(n, 0, polar, azimuth))

    return values


def _poisson(x: Array) -> Array:
    """The terms of exp(2), 2^k / k!, for k from 0 to 8 between whole numbers, too."""
    from scipy import special

    return np.exp2(x + 4) / special.gamma(x + 5)


def _gelu(x: Array) -> Array:
    from scipy import special

    return x * special.ndtr(x)


AWAY_FROM_0 = ((0.0, 1.0), (0.1, 1.0))
"""Derivatives of Bessel functions are unbounded where their argument is 0."""
LINE = ((-4.0, 4.0),)
BALL = ((-1.0, 1.0), (-1.0, 1.0))

FUNCTIONS: dict[str, Function] = {
    "ellipkinc": Function(_special("ellipkinc")),
    "ellipeinc": Function(_special("ellipeinc")),
    "lpmv0": Function(_special("lpmv", 0)),
    "lpmv1": Function(_special("lpmv", 1)),
    "lpmv2": Function(_special("lpmv", 2)),
    "sphharm01": Function(_spherical(1)),
    "sphharm02": Function(_spherical(2)),
    "jvp": Function(_special("jvp"), AWAY_FROM_0, "median error"),
    "ivp": Function(_special("ivp"), AWAY_FROM_0, "median error"),
    "yvp": Function(_special("yvp"), AWAY_FROM_0, "median error"),
    "kvp": Function(_special("kvp"), AWAY_FROM_0, "median error"),
    "poisson": Function(_poisson, LINE),
    "gelu": Function(_gelu, LINE),
    "j0-20x": Function("j0(20*x)", ((0.0, 1.0),)),
    "exp-sin": Function("exp(sin(pi*x) + y**2)", BALL),
    "product": Function("x*y", BALL),
    "feynman-I.6.2": Function("exp(-(x/y)**2/2)/sqrt(2*pi*y**2)", ((-1.0, 1.0), (0.5, 2.0))),
    "feynman-I.12.11": Function("1 + x*sin(y)", ((-1.0, 1.0), (-3.0, 3.0))),
    "feynman-I.26.2": Function("asin(x*sin(y))", ((-0.9, 0.9), (-1.5, 1.5))),
    "feynman-I.27.6": Function("1/(1 + x*y)", ((0.0, 2.0), (0.0, 2.0))),
    "feynman-I.29.16": Function("sqrt(1 + x**2 - 2*x*cos(y))", ((0.0, 2.0), (-3.0, 3.0))),
    "feynman-I.40.1": Function("x*exp(-y)", ((0.0, 2.0), (0.0, 2.0))),
    "feynman-II.6.15a": Function("z/(4*pi)*sqrt(x**2 + y**2)", ((0.0, 1.0), (0.0, 1.0), (0.0, 1.0))),
}
"""Functions by name: those of the published comparison, examples of the KAN paper, and dimensionless forms of some of
Feynman's equations."""

SUITE = ("ellipkinc", "ellipeinc", "lpmv0", "lpmv1", "lpmv2", "sphharm01", "sphharm02", "poisson", "gelu", "j0-20x")
"""Functions that are averaged over: bounded, and not among the derivatives of Bessel functions."""
FORMULA = "formula:"


def load_symbolic(
    name: str, *, n_train: int = N_TRAIN, n_test: int = N_TEST, budget: int = 300, epochs: int = 200
) -> Task:
    """A function to be found again from its values at random points.

    Points are uniform in its box, drawn anew for each seed, and given to the models scaled to [-1, 1].

    Args:
        name: One of `FUNCTIONS`; or `formula:` and a formula in x, y, z or x0, x1, ..., each in [-1, 1].
        n_train: Points for training.
        n_test: Points for testing.
        budget: Trainable parameters that are proposed.
        epochs: Epochs that are proposed.

    Raises:
        ValueError: if there is no such function, the formula cannot be read, or is not finite somewhere in its box.
    """
    if name.startswith(FORMULA):
        text = name.removeprefix(FORMULA)
        function = Function(text, ((-1.0, 1.0),) * len(formulas.parse(text).variables))
    elif name in FUNCTIONS:
        function = FUNCTIONS[name]
    else:
        raise ValueError(f"there is no function {name}; there are {', '.join(FUNCTIONS)}, and {FORMULA}<formula>")
    if not function.box:
        raise ValueError(f"the formula {name.removeprefix(FORMULA)} has no variable")
    n_validation = max(1, n_train // 4)

    def draw(seed: int) -> Samples:
        return sample(function, (n_train, n_validation, n_test), seed)

    if not draw(0).y.isfinite().all():
        raise ValueError(f"{name} is not finite everywhere between -1 and 1")
    return Task(
        name,
        "symbolic",
        function.metric,
        len(function.box),
        1,
        draw,
        budget,
        epochs,
        is_standardized=False,
    )


def sample(function: Function, sizes: tuple[int, int, int], seed: int) -> Samples:
    """Points for training, validation and testing with their values.

    Args:
        function: The function.
        sizes: Numbers of points.
        seed: Draws them.
    """
    low, high = torch.tensor(function.box, dtype=torch.float64).T
    generator = torch.Generator().manual_seed(seed)
    unit = torch.rand(sum(sizes), len(low), generator=generator, dtype=torch.float64)
    y = function(low + (high - low) * unit).float()
    train, validation, test = torch.arange(sum(sizes)).split(sizes)
    return Samples((2 * unit - 1).float(), y, (train,), validation, test)
