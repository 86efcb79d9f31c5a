"""Affine operations: exact under bound propagation, each with its adjoint."""

from collections.abc import Callable
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .graph import Interval, Operator, Shape


class Affine(Operator):
    """An operation that is affine in its inputs: f(x, y, ...) = L(x, y, ...) + c.

    `adjoint` takes coefficients of the output to coefficients of the inputs, for any leading dimension. By default it
    is found by automatic differentiation of `linear`, which is right for every affine operation; those of the hot path
    write their own.
    """

    linear: Callable[..., Tensor]
    """L: the operation without its constant."""

    def __init__(self, *input_shapes: Shape) -> None:
        super().__init__()
        self.input_shapes = tuple(tuple(shape) for shape in input_shapes)

    def absolute(self, *inputs: Any, **_: Any) -> Tensor:  # noqa: ANN401 - a subclass names its inputs
        """|L|: the operation with the absolute value of each of its coefficients."""
        return self.linear(*inputs)

    def constant(self) -> Tensor | None:
        """c, broadcastable to the output's shape (without batch), or `None` for zero."""
        return None

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """Coefficients (n, *output shape) of the output, as coefficients (n, *input shape) of each input."""
        n = coefficients.shape[0]
        with torch.enable_grad():
            at = [coefficients.new_zeros(n, *shape, requires_grad=True) for shape in self.input_shapes]
            value = self.linear(*at)
            gradients = torch.autograd.grad(value, at, coefficients, create_graph=coefficients.requires_grad)
        return tuple(gradients)

    def forward(self, *inputs: Tensor) -> Tensor:
        """L(x, ...) + c."""
        value, constant = self.linear(*inputs), self.constant()
        return value if constant is None else value + constant

    def interval(self, *inputs: Interval) -> Interval:
        """Centre and radius: c' = L c + b, r' = |L| r."""
        centre = self.forward(*((x.lower + x.upper) / 2 for x in inputs))
        radius = self.absolute(*((x.upper - x.lower) / 2 for x in inputs))
        if bool((centre.abs() + radius).isfinite().all()):
            return Interval(centre - radius, centre + radius)
        return self._unbounded_interval(*inputs)

    def _unbounded_interval(self, *inputs: Interval) -> Interval:
        """Interval arithmetic where bounds may be infinite: coefficients of zero take nothing from them."""
        lower, upper = ([torch.where(x[side].isinf(), 0.0, x[side]) for x in inputs] for side in (0, 1))
        open_below, open_above = ([x[side].isinf().to(x.lower.dtype) for x in inputs] for side in (0, 1))

        def split(values: list[Tensor]) -> tuple[Tensor, Tensor]:
            signed, size = self.linear(*values), self.absolute(*values)
            return size / 2 + signed / 2, size / 2 - signed / 2

        def pair(low: list[Tensor], high: list[Tensor]) -> tuple[Tensor, Tensor]:
            (low_positive, low_negative), (high_positive, high_negative) = split(low), split(high)
            return low_positive - high_negative, high_positive - low_negative

        least, most = pair(lower, upper)
        at_zero = self.forward(*(torch.zeros_like(x) for x in lower))
        (below_positive, below_negative), (above_positive, above_negative) = split(open_below), split(open_above)
        no_lower, no_upper = below_positive + above_negative > 0, above_positive + below_negative > 0
        # A sum that overflows says nothing.
        infinity = float("inf")
        return Interval(
            (least + at_zero).masked_fill(no_lower, -infinity).nan_to_num(-infinity, -infinity, -infinity),
            (most + at_zero).masked_fill(no_upper, infinity).nan_to_num(infinity, infinity, infinity),
        )


class Monotone(Affine):
    """An affine operation without negative coefficients: it moves, repeats or adds up elements."""

    def interval(self, *inputs: Interval) -> Interval:
        """End points go to end points."""
        return Interval(self.forward(*(x.lower for x in inputs)), self.forward(*(x.upper for x in inputs)))


class Dense(Affine):
    """x W^T + b on the last dimension: a fully connected layer.

    Args:
        weight: (outputs, inputs).
        bias: (outputs,) or `None`.
        input_shape: Shape of the input; its last dimension is `inputs`.
    """

    weight: Tensor
    bias: Tensor | None
    magnitude: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None, input_shape: Shape) -> None:
        super().__init__(input_shape)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.register_buffer("magnitude", weight.abs(), persistent=False)

    def linear(self, x: Tensor) -> Tensor:
        """The product, x W^T."""
        return F.linear(x, self.weight)

    def absolute(self, x: Tensor) -> Tensor:
        """With absolute weights, x |W|^T."""
        return F.linear(x, self.magnitude)

    def constant(self) -> Tensor | None:
        """The bias."""
        return self.bias

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """The product, a W."""
        return (coefficients @ self.weight,)


class Reshape(Monotone):
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


class Select(Monotone):
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
        self.injective = kept.unique().numel() == kept.numel()

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


class Scale(Affine):
    """x times a constant, element by element.

    Args:
        factor: Broadcastable to the input's shape.
        input_shape: Shape of the input, and of the output.
    """

    factor: Tensor

    def __init__(self, factor: Tensor, input_shape: Shape) -> None:
        super().__init__(input_shape)
        self.register_buffer("factor", factor)

    def linear(self, x: Tensor) -> Tensor:
        """Times the factor."""
        return x * self.factor

    def absolute(self, x: Tensor) -> Tensor:
        """Times its absolute value."""
        return x * self.factor.abs()

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """Times the factor."""
        return (coefficients * self.factor,)


class Shift(Monotone):
    """x plus a constant.

    Args:
        offset: Broadcastable to the input's shape.
        input_shape: Shape of the input, and of the output.
    """

    offset: Tensor

    def __init__(self, offset: Tensor, input_shape: Shape) -> None:
        super().__init__(input_shape)
        self.register_buffer("offset", offset)

    def linear(self, x: Tensor) -> Tensor:
        """The same."""
        return x

    def constant(self) -> Tensor:
        """The offset, in the output's shape."""
        return self.offset.expand(self.input_shapes[0])

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """The same."""
        return (coefficients,)


class Add(Affine):
    """s_1 x_1 + s_2 x_2 + ... of inputs of one shape, with signs.

    Args:
        input_shape: Shape of every input, and of the output.
        signs: 1 or -1 for each input.
    """

    def __init__(self, input_shape: Shape, signs: tuple[int, ...]) -> None:
        super().__init__(*(input_shape for _ in signs))
        self.signs = tuple(signs)

    def linear(self, *inputs: Tensor) -> Tensor:
        """The signed sum."""
        terms = [x if sign > 0 else -x for sign, x in zip(self.signs, inputs, strict=True)]
        return sum(terms[1:], terms[0])

    def absolute(self, *inputs: Tensor) -> Tensor:
        """The sum."""
        return sum(inputs[1:], inputs[0])

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """The coefficients, with each sign."""
        return tuple(coefficients if sign > 0 else -coefficients for sign in self.signs)


class Concatenate(Monotone):
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


class Sum(Monotone):
    """Sum over dimensions, kept with size 1.

    Args:
        input_shape: Shape of the input.
        dims: The dimensions, without the batch.
    """

    def __init__(self, input_shape: Shape, dims: tuple[int, ...]) -> None:
        super().__init__(input_shape)
        self.dims = tuple(dim % len(input_shape) + 1 for dim in dims)

    def linear(self, x: Tensor) -> Tensor:
        """Sum."""
        return x.sum(self.dims, keepdim=True)

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """Repeat."""
        return (coefficients.expand(-1, *self.input_shapes[0]),)


class Convolution(Affine):
    """A convolution, of one to three dimensions.

    Args:
        weight: (channels out, channels in / groups, *kernel).
        bias: (channels out,) or `None`.
        input_shape: (1, channels, *size).
        stride: For each dimension.
        padding: For each dimension, the same at both ends.
        dilation: For each dimension.
        groups: Groups of channels.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        input_shape: Shape,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int = 1,
    ) -> None:
        super().__init__(input_shape)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        d = weight.ndim - 2
        self._convolve = (F.conv1d, F.conv2d, F.conv3d)[d - 1]
        self._transpose = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[d - 1]
        self._excess = tuple(
            (size + 2 * p - reach * (kernel - 1) - 1) % step
            for size, p, reach, kernel, step in zip(
                input_shape[2:], padding, dilation, weight.shape[2:], stride, strict=True
            )
        )

    def _apply_weight(self, x: Tensor, weight: Tensor) -> Tensor:
        shape = (x.shape[0], *self.input_shapes[0])
        flat = x.reshape(shape[0] * shape[1], *shape[2:])
        y = self._convolve(flat, weight, None, self.stride, self.padding, self.dilation, self.groups)
        return y.reshape(shape[0], shape[1], *y.shape[1:])

    def linear(self, x: Tensor) -> Tensor:
        """The convolution without its bias."""
        return self._apply_weight(x, self.weight)

    def absolute(self, x: Tensor) -> Tensor:
        """With the weights' absolute values."""
        return self._apply_weight(x, self.weight.abs())

    def constant(self) -> Tensor | None:
        """The bias, (channels, 1, ...)."""
        return None if self.bias is None else self.bias.reshape(1, -1, *([1] * (self.weight.ndim - 2)))

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """The transposed convolution."""
        n, one = coefficients.shape[:2]
        flat = coefficients.reshape(n * one, *coefficients.shape[2:])
        x = self._transpose(
            flat, self.weight, None, self.stride, self.padding, self._excess, self.groups, self.dilation
        )
        return (x.reshape(n, one, *x.shape[1:]),)
