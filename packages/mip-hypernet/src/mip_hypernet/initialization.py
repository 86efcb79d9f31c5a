"""How a hypernetwork begins: magnitudes of what it predicts."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Initialization = Literal["slices", "hyperfan", "default"]
INITIALIZATIONS: tuple[Initialization, ...] = ("slices", "hyperfan", "default")


def initialize_hidden(
    layers: Sequence[nn.Linear], initialization: Initialization, generator: torch.Generator | None = None
) -> None:
    """Draw the weights of the hidden layers; biases begin at 0, except with `default`.

    - `slices` and `hyperfan`: normal with variance 2 / fan-out, which keeps the norm of the input while layers widen
      towards the enormous last one. A step of the optimizer changes θ in proportion to the norm of the last hidden
      layer (of its square with SGD), so that the two differ in nothing there.
    - `default`: as PyTorch, uniform weights and biases.
    """
    for layer in layers:
        if initialization == "default":
            bound = 1 / math.sqrt(layer.in_features)
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
            continue
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="leaky_relu", generator=generator)
        nn.init.zeros_(layer.bias)


def output_stds(
    initialization: Initialization,
    shapes: Mapping[str, Sequence[int]],
    reference: Float[Tensor, "h"],
    base: Mapping[str, Tensor] | None = None,
) -> dict[str, float]:
    """Standard deviation of the last layer's weights for each predicted tensor.

    - `slices`, that of MIP: √(2 / size of the tensor), as if each were a layer by itself, so that a change of a tensor
      has the norm √2 ‖z‖ whatever its size; 0 for biases.
    - `hyperfan` (hyperfan-in, Chang et al. 2020): the predicted weights have variance 2 / fan-in, that of He et al.
      (2015), at the reference input. Tensors of one dimension, of which He et al. say nothing, get the mean square of
      their own initial values, and 0 where these are not known.
    - `default`: that of PyTorch's uniform weights, 1 / √(3 h).

    Args:
        initialization: Which of them.
        shapes: Shapes of the predicted tensors.
        reference: Last hidden layer z at an input of norm 1, or at the constant norm of an encoding.
        base: Initial values of the tensors, where there are some.
    """
    stds = {}
    norm = float(reference.norm())
    for name, shape in shapes.items():
        if initialization == "slices":
            stds[name] = 0.0 if is_bias(name) else math.sqrt(2 / math.prod(shape))
        elif initialization == "default":
            stds[name] = 1 / math.sqrt(3 * len(reference))
        elif len(shape) > 1:
            stds[name] = math.sqrt(2 / math.prod(shape[1:])) / norm
        else:
            own = None if base is None else base.get(name)
            stds[name] = 0.0 if own is None else float(own.detach().double().square().mean().sqrt()) / norm
    return stds


def is_bias(name: str) -> bool:
    """Whether a parameter is called as biases are."""
    return name.rpartition(".")[2].endswith("bias")
