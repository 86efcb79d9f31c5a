"""Affine operations: exact under bound propagation, each with its adjoint."""

from collections.abc import Callable
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from .graph import STEPS, Interval, Operator, Shape


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

    def least(self, lower: tuple[Tensor, ...], upper: tuple[Tensor, ...]) -> Tensor:
        """L+ lower + L- upper, with the positive and the negative coefficients of L: its least value over a box.

        Args:
            lower: Lower bounds of each input, (batch, *shape).
            upper: Upper bounds of each input.
        """
        raise NotImplementedError

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
        """The range over a box, rounded outward: every term is moved by what rounding may change the sum by."""
        wide = [x.widened(STEPS / 2) for x in inputs]
        lower, upper = tuple(x.lower for x in wide), tuple(x.upper for x in wide)
        if not all(bool(x.isfinite().all()) for x in (*lower, *upper)):
            return self._unbounded_interval(lower, upper)
        return self._shifted(self.least(lower, upper), self.least(upper, lower))

    def _shifted(self, lower: Tensor, upper: Tensor) -> Interval:
        """Bounds of L(x, ...), as those of L(x, ...) + c."""
        constant = self.constant()
        if constant is not None:
            offset = Interval(constant, constant).widened(STEPS / 2)
            lower, upper = lower + offset.lower, upper + offset.upper
        return Interval(lower, upper).defined()

    def _unbounded_interval(self, lower: tuple[Tensor, ...], upper: tuple[Tensor, ...]) -> Interval:
        """The range where bounds may be infinite: coefficients of zero take nothing from them."""
        low, high = (tuple(torch.where(x.isinf(), 0.0, x) for x in ends) for ends in (lower, upper))
        below, above = (tuple(x.isinf().to(x.dtype) for x in ends) for ends in (lower, upper))
        no_lower = self.least(tuple(-x for x in below), above) < 0
        no_upper = self.least(above, tuple(-x for x in below)) > 0
        found = self._shifted(self.least(low, high), self.least(high, low))
        infinity = float("inf")
        return Interval(found.lower.masked_fill(no_lower, -infinity), found.upper.masked_fill(no_upper, infinity))


class Monotone(Affine):
    """An affine operation without negative coefficients: it moves, repeats or adds up elements."""

    def least(self, lower: tuple[Tensor, ...], upper: tuple[Tensor, ...]) -> Tensor:
        """Lower ends go to lower ends."""
        del upper
        return self.linear(*lower)


class Rearrangement(Monotone):
    """A monotone operation that computes nothing: every element of the output is one of an input, or zero."""

    def interval(self, *inputs: Interval) -> Interval:
        """End points go to end points, without rounding."""
        return Interval(self.linear(*(x.lower for x in inputs)), self.linear(*(x.upper for x in inputs)))


class Dense(Affine):
    """x W^T + b on the last dimension: a fully connected layer.

    Args:
        weight: (outputs, inputs).
        bias: (outputs,) or `None`.
        input_shape: Shape of the input; its last dimension is `inputs`.
    """

    weight: Tensor
    bias: Tensor | None
    positive: Tensor
    negative: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None, input_shape: Shape) -> None:
        super().__init__(input_shape)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.register_buffer("positive", weight.clamp(min=0), persistent=False)
        self.register_buffer("negative", weight.clamp(max=0), persistent=False)

    def linear(self, x: Tensor) -> Tensor:
        """The product, x W^T."""
        return F.linear(x, self.weight)

    def least(self, lower: tuple[Tensor, ...], upper: tuple[Tensor, ...]) -> Tensor:
        """The products with positive and with negative weights."""
        return F.linear(lower[0], self.positive) + F.linear(upper[0], self.negative)

    def constant(self) -> Tensor | None:
        """The bias."""
        return self.bias

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """The product, a W."""
        return (coefficients @ self.weight,)


def products(c: Tensor, x: Interval) -> Interval:
    """Bounds of C x, (batch, rows), rounded outward.

    Args:
        c: C, (batch or 1, rows, n).
        x: Of n values, (batch, n).
    """
    lower, upper = (end.unsqueeze(2) for end in x.widened(STEPS / 2))
    positive, negative = c.clamp(min=0), c.clamp(max=0)
    least, most = positive @ lower + negative @ upper, positive @ upper + negative @ lower
    return Interval(least.squeeze(2), most.squeeze(2)).defined()


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

    def least(self, lower: tuple[Tensor, ...], upper: tuple[Tensor, ...]) -> Tensor:
        """Lower ends times positive factors, upper ends times negative ones."""
        return lower[0] * self.factor.clamp(min=0) + upper[0] * self.factor.clamp(max=0)

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

    def least(self, lower: tuple[Tensor, ...], upper: tuple[Tensor, ...]) -> Tensor:
        """The sum of lower ends, less the upper ends of what is taken off."""
        ends = zip(self.signs, lower, upper, strict=True)
        return self.linear(*(low if sign > 0 else high for sign, low, high in ends))

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """The coefficients, with each sign."""
        return tuple(coefficients if sign > 0 else -coefficients for sign in self.signs)


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

    def least(self, lower: tuple[Tensor, ...], upper: tuple[Tensor, ...]) -> Tensor:
        """The convolutions with positive and with negative weights."""
        positive, negative = self.weight.clamp(min=0), self.weight.clamp(max=0)
        return self._apply_weight(lower[0], positive) + self._apply_weight(upper[0], negative)

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
