"""Fully connected networks: the parts of a DeepONet, and the baseline that it is compared with."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .configs import Activation

ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "silu": F.silu,
    "elu": F.elu,
    "sin": torch.sin,
}


def activation_function(name: Activation) -> Callable[[Tensor], Tensor]:
    """The activation function of a name.

    Raises:
        ValueError: if there is none.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"the activation must be one of {', '.join(ACTIVATIONS)}, not '{name}'")
    return ACTIVATIONS[name]


def check_sizes(sizes: Sequence[int]) -> None:
    """See that sizes are those of a network: its input, its layers, its output.

    Raises:
        ValueError: if there are fewer than two, or one is not positive.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"a network needs two or more positive sizes, input first and output last, not {list(sizes)}")


def check_points(y: Tensor, *, own: bool) -> None:
    """See that points are a matrix of coordinates, or, of functions with points of their own, also one for each.

    Raises:
        ValueError: if they have another shape.
    """
    if y.ndim == 2 or (own and y.ndim == 3):
        return
    shapes = "(functions, d) or (functions, points, d)" if own else "(points, d)"
    raise ValueError(f"y must be {shapes}, not of shape {tuple(y.shape)}")


def mismatch(u: Tensor, y: Tensor) -> str:
    """What is wrong where functions and points differ in number."""
    return (
        f"there are {u.shape[0]} functions and points for {y.shape[0]}: give each function its own, or use grid() for "
        "all functions at all points"
    )


def linear(n_in: int, n_out: int, *, bias: bool = True) -> nn.Linear:
    """An affine layer with weights from Glorot's normal distribution and biases of zero."""
    layer = nn.Linear(n_in, n_out, bias=bias)
    nn.init.xavier_normal_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


class FNN(nn.Module):
    """Affine layers with an activation after each; after the last one only if asked.

    Args:
        sizes: Width of the input, of each hidden layer, and of the output.
        activation: Name of the activation.
        activates_last: Whether the output is activated, too, as a trunk's is.

    Raises:
        ValueError: if the sizes are fewer than two or not positive, or there is no such activation.
    """

    def __init__(self, sizes: Sequence[int], activation: Activation = "relu", *, activates_last: bool = False) -> None:
        super().__init__()
        check_sizes(sizes)
        self.activation, self.activates_last = activation_function(activation), activates_last
        self.layers = nn.ModuleList(linear(n_in, n_out) for n_in, n_out in pairwise(sizes))

    @property
    def n_in(self) -> int:
        """Width of the input."""
        return self.layers[0].in_features  # type: ignore[return-value] # of a linear layer

    @property
    def n_out(self) -> int:
        """Width of the output."""
        return self.layers[-1].out_features  # type: ignore[return-value] # of a linear layer

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """The output for each vector."""
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        x = self.layers[-1](x)
        return self.activation(x) if self.activates_last else x


class JoinedNet(nn.Module):
    """A network on the joined values of u and y: the baseline without a branch and a trunk.

    The first layer is affine, so that W (u, y) = W_u u + W_y y: its part of u is computed once for each function,
    however many points there are, and u is never repeated.

    Args:
        n_sensors: Values of each input function.
        n_coordinates: Coordinates of a point.
        sizes: Widths of the hidden layers and of the output.
        activation: Name of the activation.

    Raises:
        ValueError: if a size is not positive, or there is no such activation.
    """

    def __init__(
        self, n_sensors: int, n_coordinates: int, sizes: Sequence[int], activation: Activation = "relu"
    ) -> None:
        super().__init__()
        check_sizes((n_sensors, n_coordinates, *sizes))
        self.first = linear(n_sensors + n_coordinates, sizes[0])
        self.n_sensors, self.n_coordinates = n_sensors, n_coordinates
        self.sizes, self.n_outputs = tuple(sizes), sizes[-1]
        self.activation_name, self.activation = activation, activation_function(activation)
        self.rest = self._rest(sizes, activation)

    def _rest(self, sizes: Sequence[int], activation: Activation) -> nn.Module:
        """What follows the first layer and its activation."""
        return FNN(sizes, activation)

    def forward(
        self, u: Float[Tensor, "batch sensors"], y: Float[Tensor, "n *points coordinates"]
    ) -> Float[Tensor, "batch ..."]:
        """G(u)(y) for each function at its own points, as `DeepONet.forward`.

        Raises:
            ValueError: if u or y has other sizes than the network, or they differ in number.
        """
        check_points(y, own=True)
        if u.shape[0] != y.shape[0]:
            raise ValueError(mismatch(u, y))
        values = self._values(self._of_u(u).view(u.shape[0], *(1,) * (y.ndim - 2), -1), y)
        return _without_last(values, self.n_outputs) if y.ndim > 2 else values

    def grid(
        self, u: Float[Tensor, "batch sensors"], y: Float[Tensor, "points coordinates"]
    ) -> Float[Tensor, "batch points ..."]:
        """G(u)(y) of every function at every point, as `DeepONet.grid`.

        Raises:
            ValueError: if u or y has other sizes than the network.
        """
        check_points(y, own=False)
        return _without_last(self._values(self._of_u(u)[:, None], y), self.n_outputs)

    def _of_u(self, u: Tensor) -> Tensor:
        if u.ndim != 2 or u.shape[1] != self.n_sensors:
            given = u.shape[1] if u.ndim == 2 else f"the shape {tuple(u.shape)}"
            raise ValueError(f"the network expects m={self.n_sensors} sensor values, got {given}")
        return F.linear(u, self.first.weight[:, : self.n_sensors], self.first.bias)

    def _values(self, of_u: Tensor, y: Tensor) -> Tensor:
        if y.shape[-1] != self.n_coordinates:
            raise ValueError(f"the network expects points of d={self.n_coordinates} coordinates, got {y.shape[-1]}")
        return self.rest(self.activation(of_u + F.linear(y, self.first.weight[:, self.n_sensors :])))


def _without_last(values: Tensor, n_outputs: int) -> Tensor:
    """One output is no axis of its own."""
    return values.squeeze(-1) if n_outputs == 1 else values
