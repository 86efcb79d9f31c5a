"""Losses of binary units to measure estimators on: random ones, and a user's own."""

import importlib
import re
import sys
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from separata import formulas

from .exact import Function, states

FUNCTIONS = ("linear", "quadratic", "multilinear", "mlp")
"""Random functions by name."""


def make_function(name: str, n: int, generator: torch.Generator) -> Function:
    """A random loss of n units, which can be differentiated between its binary arguments, too.

    Args:
        name: `"linear"`, sum c_i h_i; `"quadratic"`, c'h + h'Ch; `"multilinear"`, a random number for each state,
            interpolated; or `"mlp"`, a network of 16 tanh units.
        n: Number of units.
        generator: Draws the coefficients.

    Raises:
        ValueError: if there is no such function, or a multilinear one of more than 16 units is asked for.
    """

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    if name == "linear":
        c = normal(n)
        return lambda h: h @ c.to(h)
    if name == "quadratic":
        c, matrix = normal(n), normal(n, n) / n**0.5
        return lambda h: h @ c.to(h) + ((h @ matrix.to(h)) * h).sum(1)
    if name == "multilinear":
        bits, values = states(n), normal(2**n)
        return lambda h: _interpolate(h, bits.to(h), values.to(h))
    if name == "mlp":
        w, b, v = normal(n, 16), normal(16), normal(16)
        return lambda h: (h @ w.to(h) + b.to(h)).tanh() @ v.to(h)
    raise ValueError(f"there is no function {name!r}; there are {', '.join(FUNCTIONS)}")


def _interpolate(
    h: Float[Tensor, "samples units"], bits: Float[Tensor, "states units"], values: Float[Tensor, "states"]
) -> Float[Tensor, "samples"]:
    """Linear in each unit, and the given value in each state; one unit after another is summed out."""
    table = values.expand(len(h), -1)
    for i in range(bits.shape[1]):
        # The first unit is the fastest index of the states.
        pairs = table.view(len(h), -1, 2)
        table = pairs[..., 0] + h[:, i, None] * (pairs[..., 1] - pairs[..., 0])
    return table[:, 0]


def function_from(text: str, n: int, generator: torch.Generator) -> Function:
    """A loss by the name of a random one, as a formula, or as the user's own Python function.

    Args:
        text: A name of `FUNCTIONS`; a formula in the units, h1, h2, ..., such as `h1*h2 - 2*h3`, in which
            `sum(h)` is the sum of all; or `module:function`,
            a function of a tensor (samples, units) that is imported from the current folder or from what is installed.
        n: Number of units.
        generator: Draws the coefficients of a random one.

    Raises:
        ValueError: if it is none of these, or the formula has units that are not there.
    """
    if text in FUNCTIONS:
        return make_function(text, n, generator)
    if ":" in text:
        return _imported(text)
    everything = "+".join(f"h{i + 1}" for i in range(n))
    formula = formulas.parse(re.sub(r"\bsum\(\s*h\s*\)", f"({everything})", text))
    columns = []
    for name in formula.variables:
        if not (name.startswith("h") and name[1:].isdecimal() and 1 <= int(name[1:]) <= n):
            raise ValueError(f"the units of a formula are h1 to h{n}, not {name}; or name {', '.join(FUNCTIONS)}")
        columns.append(int(name[1:]) - 1)
    if not columns:
        raise ValueError(f"the formula {text} has none of the units h1 to h{n}")
    return lambda h: formula(h[:, columns])


def _imported(text: str) -> Function:
    module, _, name = text.partition(":")
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        found = getattr(importlib.import_module(module.removesuffix(".py")), name)
    except Exception as error:
        raise ValueError(f"{text} cannot be imported from {folder}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    if not callable(found):
        raise ValueError(f"{text} is no function")

    def loss(h: Tensor) -> Tensor:
        try:
            return found(h)
        except Exception as error:
            shape = tuple(h.shape)
            raise ValueError(f"{text} fails on units of shape {shape}: {type(error).__name__}: {error}") from error

    return loss
