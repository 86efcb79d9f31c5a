"""The activation functions a(t) of which basis functions are made, and their slopes a'(t)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from af_kan.configs import Activation, check_name

LEAK = 0.01
"""Slope of `leaky_relu` below zero."""
SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


@dataclass(frozen=True)
class _Function:
    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor, Tensor], Tensor]
    """Of t and a(t)."""


def _silu_slope(t: Tensor, y: Tensor) -> Tensor:
    sigmoid = t.sigmoid()
    return torch.addcmul(sigmoid, y, 1 - sigmoid)


def _gelu_slope(t: Tensor, y: Tensor) -> Tensor:  # noqa: ARG001 - all slopes are called alike
    density = torch.exp(-0.5 * t * t).mul_(1 / math.sqrt(2 * math.pi))
    return torch.addcmul(0.5 * (1 + torch.erf(t / math.sqrt(2))), t, density)


def _above_zero(t: Tensor) -> Tensor:
    return (t > 0).to(t.dtype)


FUNCTIONS: Mapping[Activation, _Function] = {
    "softplus": _Function(F.softplus, lambda t, _: t.sigmoid()),
    "sigmoid": _Function(torch.sigmoid, lambda _, y: y * (1 - y)),
    "silu": _Function(F.silu, _silu_slope),
    "relu": _Function(F.relu, lambda t, _: _above_zero(t)),
    "leaky_relu": _Function(lambda t: F.leaky_relu(t, LEAK), lambda t, _: LEAK + (1 - LEAK) * _above_zero(t)),
    "elu": _Function(F.elu, lambda t, y: torch.where(t > 0, 1.0, y + 1)),
    "gelu": _Function(F.gelu, _gelu_slope),
    "selu": _Function(F.selu, lambda t, y: torch.where(t > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA)),
    "tanh": _Function(torch.tanh, lambda _, y: 1 - y * y),
    "identity": _Function(lambda t: t, lambda t, _: torch.ones_like(t)),
}


def activate(name: Activation, t: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """a(t), element by element; GELU is the exact one, and LeakyReLU has the slope 0.01.

    Raises:
        ValueError: if there is no such activation.
    """
    check_name("activation", name, tuple(FUNCTIONS))
    return FUNCTIONS[name].value(t)


def slope(name: Activation, t: Float[Tensor, "*shape"], y: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """a'(t), element by element, given y = a(t); at a kink what PyTorch's autograd gives.

    Raises:
        ValueError: if there is no such activation.
    """
    check_name("activation", name, tuple(FUNCTIONS))
    return FUNCTIONS[name].slope(t, y)
