"""Layers one after another: what AF-KAN and the networks that it is compared with have in common."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from jaxtyping import Shaped
from torch import Tensor, nn


def check_widths(widths: Sequence[int]) -> list[tuple[int, int]]:
    """The widths of each layer's input and output.

    Raises:
        ValueError: if there are fewer than two, or one is not positive.
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(
            f"a network needs two or more positive widths, input first and output last, not {list(widths)}"
        )
    return list(pairwise(widths))


class LayerStack(nn.Module):
    """A network of layers, none of which needs an activation function behind it.

    Args:
        widths: Width of the input, of each hidden layer, and of the output.
        layers: The layers.
    """

    def __init__(self, widths: Sequence[int], layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.layers = nn.ModuleList(layers)

    @property
    def in_features(self) -> int:
        """Width of the input."""
        return self.widths[0]

    def forward(self, x: Shaped[Tensor, "*batch features"]) -> Shaped[Tensor, "*samples outputs"]:
        """The outputs for (..., in_features), or for samples of any shape with as many numbers, such as images."""
        x = self.as_rows(x)
        for layer in self.layers:
            x = layer(x)
        return x

    def as_rows(self, x: Shaped[Tensor, "*batch features"]) -> Shaped[Tensor, "*rows in_features"]:
        """The samples with their numbers along the last axis."""
        if x.ndim > 2 and x.shape[-1] != self.in_features and math.prod(x.shape[1:]) == self.in_features:
            return x.flatten(1)
        return x
