"""Functions to fit: the suite of the authors' code and two laws of physics, or a formula of the user's own."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from separata import formulas

from .configs import DataShape
from .samples import DataSplits, Samples

SUITE: Mapping[str, str] = {
    "damped-oscillation": "exp(-4*x**2) * sin(6*pi*x)",
    "chirp": "sin(4*pi*x**2) * cos(2*pi*x)",
    "anisotropic": "sin(3*pi*x1**2) * cos(3*pi*x2)",
    "feynman-iii-17-37": "beta * (1 + alpha*cos(theta))",
    "feynman-i-13-4": "0.5 * m * (v**2 + u**2 + w**2)",
    "fast-oscillation": "sin(20*pi*x1) * cos(18*pi*x2)",
    "sharp-step": "tanh(50*(x1 - x2 + 0.5*x3 - 0.5))",
}
"""Formulas by name; their variables are uniform in [0, 1]."""
TRAIN, TEST = range(2)
VALIDATION_SHARE = 0.1


def parse_function(text: str) -> formulas.Formula:
    """A function of the suite by its name, or a formula; nothing of it is ever run as code.

    Raises:
        ValueError: if it is neither, or has no variable.
    """
    return formulas.parse(SUITE.get(text, text))


def sample_function(
    formula: formulas.Formula, n_train: int, n_test: int, *, seed: int = 0, low: float = 0.0, high: float = 1.0
) -> DataSplits:
    """Points drawn uniformly, with the values of a formula; a tenth of those for training is for validation.

    Args:
        formula: The formula.
        n_train: Points for training and validation, at least 10.
        n_test: Points for testing.
        seed: Draws the points.
        low: Lower end of the range of each variable.
        high: Upper end of the range of each variable.

    Raises:
        ValueError: if there are too few points, the range is empty, or the formula has no finite value somewhere.
    """
    if n_train < 10 or n_test < 1:
        raise ValueError(f"at least 10 points are needed for training and 1 for testing, not {n_train} and {n_test}")
    if not low < high:
        raise ValueError(f"the range must begin below its end, not at {low} and {high}")
    n_held = round(VALIDATION_SHARE * n_train)
    points = [_points(len(formula.variables), n, seed, stream, low, high) for stream, n in enumerate((n_train, n_test))]
    whole, test = (_valued(formula, x) for x in points)
    held, rest = torch.arange(n_held), torch.arange(n_held, n_train)
    return DataSplits(whole.subset(rest), whole.subset(held), test)


def _points(n_variables: int, n: int, seed: int, stream: int, low: float, high: float) -> Float[Tensor, "n variables"]:
    generator = torch.Generator().manual_seed(2 * seed + stream)
    return low + (high - low) * torch.rand(n, n_variables, generator=generator)


def _valued(formula: formulas.Formula, x: Float[Tensor, "n variables"]) -> Samples:
    y = formula(x.double()).float()
    if not bool(y.isfinite().all()):
        at = x[~y.isfinite()][0].tolist()
        told = ", ".join(f"{name} = {value:.4g}" for name, value in zip(formula.variables, at, strict=True))
        raise ValueError(f"the formula {formula.text} has no finite value at {told}; choose another range")
    return Samples(x, y, DataShape((len(formula.variables),), target=formula.text))
