"""Several networks of one shape, computed as one: the stacked branch, and independent networks of several outputs."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .configs import Activation
from .fnn import activation_function, check_sizes


class StackedMLP(nn.Module):
    """Fully connected networks side by side, each with weights of its own.

    A layer's weights are one tensor (networks, in, out), and a layer of all networks is one batched product.

    Args:
        n_networks: Number of networks.
        sizes: Width of the input, of each hidden layer, and of the output of each network.
        activation: Name of the activation.
        activates_last: Whether the output is activated, too.
        has_last_bias: Whether the last layer has biases.

    Raises:
        ValueError: if a size is not positive, or there is no such activation.
    """

    def __init__(
        self,
        n_networks: int,
        sizes: Sequence[int],
        activation: Activation = "relu",
        *,
        activates_last: bool = False,
        has_last_bias: bool = True,
    ) -> None:
        super().__init__()
        check_sizes((n_networks, *sizes))
        check_sizes(sizes)
        self.activation, self.activates_last = activation_function(activation), activates_last
        shapes = list(pairwise(sizes))
        self.weights = nn.ParameterList(glorot_normal(n_networks, n_in, n_out) for n_in, n_out in shapes)
        with_bias = shapes if has_last_bias else shapes[:-1]
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(n_networks, 1, n_out)) for _, n_out in with_bias)

    @property
    def n_in(self) -> int:
        """Width of the input."""
        return self.weights[0].shape[1]

    @property
    def n_out(self) -> int:
        """Numbers in the output, over all networks."""
        return self.weights[0].shape[0] * self.weights[-1].shape[2]

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """The outputs of the networks one after another, for each vector."""
        batch = x.shape[:-1]
        h = x.reshape(-1, x.shape[-1])
        for number, weight in enumerate(self.weights):
            # The first layer of all networks has the same input.
            h = torch.einsum("kbi,kio->kbo" if number else "bi,kio->kbo", h, weight)
            if number < len(self.biases):
                h = h + self.biases[number]
            if self.activates_last or number < len(self.weights) - 1:
                h = self.activation(h)
        return h.transpose(0, 1).reshape(*batch, self.n_out)


class StackedBranch(StackedMLP):
    """The p branch networks of a stacked DeepONet, each from the m sensor values to one number.

    Args:
        sizes: m, the widths of the hidden layers, and p.
        activation: Name of the activation.
        has_last_bias: Whether the last layer has biases.

    Raises:
        ValueError: if a size is not positive, or there is no such activation.
    """

    def __init__(self, sizes: Sequence[int], activation: Activation = "relu", *, has_last_bias: bool = True) -> None:
        super().__init__(sizes[-1], [*sizes[:-1], 1], activation, has_last_bias=has_last_bias)


def glorot_normal(n_networks: int, n_in: int, n_out: int) -> nn.Parameter:
    """Weights (networks, in, out) from Glorot's normal distribution, of variance 2 / (in + out) in every network."""
    return nn.Parameter(torch.randn(n_networks, n_in, n_out) * (2 / (n_in + n_out)) ** 0.5)
