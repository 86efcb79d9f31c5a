"""Losses of binary units to measure estimators on: random ones, and a user's own."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

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
        values = normal(len(states(n)))
        return lambda h: _interpolate(h, values.to(h))
    if name == "mlp":
        w, b, v = normal(n, 16), normal(16), normal(16)
        return lambda h: (h @ w.to(h) + b.to(h)).tanh() @ v.to(h)
    raise ValueError(f"there is no function {name!r}; there are {', '.join(FUNCTIONS)}")


def _interpolate(h: Float[Tensor, "samples units"], values: Float[Tensor, "states"]) -> Float[Tensor, "samples"]:
    """Linear in each unit, and the given value in each state.

    The weight of a state is a product over units; those of both halves of the units are kept apart, since all weights
    of each sample would take gigabytes with 16 units.
    """
    half = h.shape[1] // 2
    lower, upper = _weights(h[:, :half]), _weights(h[:, half:])
    return ((upper @ values.view(upper.shape[1], lower.shape[1])) * lower).sum(1)


def _weights(h: Float[Tensor, "samples units"]) -> Float[Tensor, "samples states"]:
    """Of all states of some units, the first of which is the fastest index."""
    found = h.new_ones(len(h), 1)
    for one in h.split(1, dim=1):
        found = torch.cat([found * (1 - one), found * one], 1)
    return found


def function_from(text: str, n: int, generator: torch.Generator) -> Function:
    """A loss by the name of a random one, as a formula, or as the user's own Python function.

    Args:
        text: A name of `FUNCTIONS`; a formula in the units, h1, h2, ..., such as `h1*h2 - 2*h3`, in which
            `sum(h)` is the sum of all; or `file.py:function`
            or `module:function`, the user's own function of a tensor (samples, units), from a file, or imported from
            the current folder or from what is installed.
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
    source, _, name = text.rpartition(":")
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        module = _run(Path(source)) if source.endswith(".py") else importlib.import_module(source)
        found = getattr(module, name)
    except Exception as error:
        raise ValueError(f"{text} cannot be imported from {folder}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    if not callable(found):
        raise ValueError(f"{text} is not a function")
    return found


def _run(path: Path) -> ModuleType:
    """A user's file as a module, whatever other modules are called."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no Python file {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
