"""Nonlinearities of dendrites, with their derivatives."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from .configs import Activation, check_choice

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
}


def make_activation(name: Activation) -> Callable[[Tensor], Tensor]:
    """The nonlinearity of a name.

    Raises:
        ValueError: if there is none of this name.
    """
    check_choice("activation", name, Activation)
    return ACTIVATIONS[name]


def slope(name: Activation, v: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The derivative f'(z), of the value v = f(z): v(1 - v), 1 - v² or [v > 0]."""
    check_choice("activation", name, Activation)
    if name == "sigmoid":
        return v * (1 - v)
    return 1 - v.square() if name == "tanh" else (v > 0).to(v)
