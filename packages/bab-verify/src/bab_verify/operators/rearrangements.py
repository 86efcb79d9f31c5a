"""Affine operations that move elements: reshaping, selecting, concatenating."""

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from bab_verify.graph import Shape
from bab_verify.intervals import Interval

from .affine import Monotone


class Rearrangement(Monotone):
    """A monotone operation that computes nothing: every element of the output is one of an input, or zero."""

    def interval(self, *inputs: Interval) -> Interval:
        """End points go to end points, without rounding."""
        return Interval(self.linear(*(x.lower for x in inputs)), self.linear(*(x.upper for x in inputs)))

    @property
    def n_terms(self) -> int:
        """One: nothing is added up."""
        return 1


class Reshape(Rearrangement):
    """The same elements in the same order, in another shape.

    Args:
        input_shape: Shape of the input.
        output_shape: Shape of the output.
    """

    def __init__(self, input_shape: Shape, output_shape: Shape) -> None:
        super().__init__(input_shape)
        self.output_shape = tuple(output_shape)

    def linear(self, x: Tensor) -> Tensor:
        """Reshape."""
        return x.reshape(x.shape[0], *self.output_shape)

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """Reshape back."""
        return (coefficients.reshape(coefficients.shape[0], *self.input_shapes[0]),)


class Select(Rearrangement):
    """Elements of the input, by their flat index: slices, gathers, transposes, repetitions, and zeros.

    Args:
        input_shape: Shape of the input.
        index: For each element of the output, the flat index of the element that it is, or -1 for zero.
    """

    index: Tensor

    def __init__(self, input_shape: Shape, index: Tensor) -> None:
        super().__init__(input_shape)
        flat = index.reshape(-1)
        self.output_shape = tuple(index.shape)
        self.size = prod(input_shape)
        self.register_buffer("index", torch.where(flat < 0, self.size, flat))
        self.padded = bool((flat < 0).any())
        kept = flat[flat >= 0]
        self.most_repeated = int(kept.bincount().amax()) if kept.numel() else 0

    @property
    def n_terms(self) -> int:
        """How often an element is taken, at most: the adjoint adds that many up."""
        return max(1, self.most_repeated)

    def linear(self, x: Tensor) -> Tensor:
        """Take the elements."""
        flat = x.flatten(1)
        if self.padded:
            flat = F.pad(flat, (0, 1))
        return flat[:, self.index].reshape(x.shape[0], *self.output_shape)

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """Put them back, adding up repetitions."""
        flat = coefficients.flatten(1)
        out = flat.new_zeros(flat.shape[0], self.size + 1).index_add(1, self.index, flat)
        return (out[:, : self.size].reshape(-1, *self.input_shapes[0]),)


class Concatenate(Rearrangement):
    """Inputs one after the other along a dimension.

    Args:
        input_shapes: Shape of each input.
        dim: The dimension, without the batch.
    """

    def __init__(self, input_shapes: tuple[Shape, ...], dim: int) -> None:
        super().__init__(*input_shapes)
        self.dim = dim % len(input_shapes[0]) + 1

    def linear(self, *inputs: Tensor) -> Tensor:
        """Concatenate."""
        return torch.cat(inputs, self.dim)

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """Split."""
        return tuple(coefficients.split([shape[self.dim - 1] for shape in self.input_shapes], self.dim))
