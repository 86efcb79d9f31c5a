"""Residual networks on the joined values of u and y: a baseline."""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from .configs import Activation
from .fnn import JoinedNet, activation_function, linear


class ResidualBlock(nn.Module):
    """x + W2 act(W1 x), of one width.

    Args:
        width: Width of its input, hidden layer and output.
        activation: The activation function.
    """

    def __init__(self, width: int, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = linear(width, width), linear(width, width)
        self.activation = activation

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """The block's output."""
        return x + self.second(self.activation(self.first(x)))


class ResNet(JoinedNet):
    """A residual network on the joined values of u and y.

    Args:
        n_sensors: Values of each input function.
        n_coordinates: Coordinates of a point.
        n_outputs: Values at a point.
        width: Width of the blocks.
        n_blocks: Blocks of two layers each.
        activation: Name of the activation.

    Raises:
        ValueError: if a size is not positive, or there is no such activation.
    """

    def __init__(
        self,
        n_sensors: int,
        n_coordinates: int = 1,
        n_outputs: int = 1,
        *,
        width: int = 128,
        n_blocks: int = 2,
        activation: Activation = "relu",
    ) -> None:
        if n_blocks < 1:
            raise ValueError(f"a residual network needs at least one block, not {n_blocks}")
        super().__init__(n_sensors, n_coordinates, [*[width] * n_blocks, n_outputs], activation)

    def _rest(self, sizes: Sequence[int], activation: Activation) -> nn.Module:
        blocks = [ResidualBlock(width, activation_function(activation)) for width in sizes[:-1]]
        return nn.Sequential(*blocks, linear(sizes[-2], sizes[-1]))
