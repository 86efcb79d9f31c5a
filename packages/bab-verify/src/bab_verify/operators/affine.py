"""Affine operations: exact under bound propagation, each with its adjoint."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from bab_verify.graph import Operator, Shape
from bab_verify.intervals import Interval


class Affine(Operator, ABC):
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

    @abstractmethod
    def least(self, lower: tuple[Tensor, ...], upper: tuple[Tensor, ...]) -> Tensor:
        """L+ lower + L- upper, with the positive and the negative coefficients of L: its least value over a box.

        Args:
            lower: Lower bounds of each input, (batch, *shape).
            upper: Upper bounds of each input.
        """

    def constant(self) -> Tensor | None:
        """c, broadcastable to the output's shape (without batch), or `None` for zero."""
        return None

    @cached_property
    def n_terms(self) -> int:
        """The most terms that an element of L x, or of its adjoint, is a sum of. By default the most there can be."""
        example = next(self.buffers(), torch.zeros(()))
        outputs = self.linear(*(example.new_zeros(1, *shape) for shape in self.input_shapes)).numel()
        return max(sum(map(prod, self.input_shapes)), outputs)

    @property
    def n_inference_roundings(self) -> int:
        """Roundings that each term meets where the network itself computes this."""
        return self.n_terms

    def spread(self, *radii: Tensor) -> Tensor:
        """|L| (r, s, ...): how far L x moves where the inputs move by r, s, ..., and the sum of its terms' sizes."""
        return -self.least(tuple(-r for r in radii), radii)

    def perturbation(self, *magnitudes: Tensor) -> Tensor | None:
        """How far this operation may be from that of the network where its constants were computed from others.

        Args:
            magnitudes: The greatest absolute value of each input, (batch, *shape).

        Returns:
            For each element, (batch, *shape of the output); `None` where the constants are the network's own, or each
            is within four units in the last place of double precision of it.
        """
        del magnitudes
        return None

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """Coefficients (n, *output shape) of the output, as coefficients (n, *input shape) of each input."""
        n = coefficients.shape[0]
        with torch.enable_grad():
            at = [coefficients.new_zeros(n, *shape, requires_grad=True) for shape in self.input_shapes]
            total = (self.linear(*at) * coefficients).sum()
            gradients = torch.autograd.grad(total, at, create_graph=coefficients.requires_grad)
        return tuple(gradients)

    def forward(self, *inputs: Tensor) -> Tensor:
        """L(x, ...) + c."""
        value, constant = self.linear(*inputs), self.constant()
        return value if constant is None else value + constant

    def interval(self, *inputs: Interval) -> Interval:
        """The range over a box, rounded outward: every term is moved by what rounding may change the sum by."""
        wide = [x.as_terms(self.n_terms + 4) for x in inputs]
        lower, upper = tuple(x.lower for x in wide), tuple(x.upper for x in wide)
        if all(bool(x.isfinite().all()) for x in (*lower, *upper)):
            found = self._shifted(self.least(lower, upper), self.least(upper, lower))
        else:
            found = self._unbounded_interval(lower, upper)
        perturbation = self.perturbation(*(x.magnitude for x in inputs))
        return (
            found
            if perturbation is None
            else Interval(found.lower - perturbation, found.upper + perturbation).defined()
        )

    def _shifted(self, lower: Tensor, upper: Tensor) -> Interval:
        """Bounds of L(x, ...), as those of L(x, ...) + c."""
        constant = self.constant()
        if constant is not None:
            offset = Interval(constant, constant).as_terms(4)
            lower, upper = lower + offset.lower, upper + offset.upper
        return Interval(lower, upper).defined()

    def _unbounded_interval(self, lower: tuple[Tensor, ...], upper: tuple[Tensor, ...]) -> Interval:
        """The range where bounds may be infinite: coefficients of zero take nothing from them."""
        low, high = (tuple(torch.where(x.isinf(), 0.0, x) for x in ends) for ends in (lower, upper))
        below, above = (tuple(x.isinf().to(x.dtype) for x in ends) for ends in (lower, upper))
        no_lower = self.least(tuple(-x for x in below), above) < 0
        no_upper = self.least(above, tuple(-x for x in below)) > 0
        found = self._shifted(self.least(low, high), self.least(high, low))
        return Interval(found.lower.masked_fill(no_lower, -torch.inf), found.upper.masked_fill(no_upper, torch.inf))


class Monotone(Affine):
    """An affine operation without negative coefficients: it moves, repeats or adds up elements."""

    def least(self, lower: tuple[Tensor, ...], upper: tuple[Tensor, ...]) -> Tensor:
        """Lower ends go to lower ends."""
        del upper
        return self.linear(*lower)


class Dense(Affine):
    """x W^T + b on the last dimension: a fully connected layer.

    Args:
        weight: (outputs, inputs).
        bias: (outputs,) or `None`.
        input_shape: Shape of the input; its last dimension is `inputs`.
        bias_perturbation: How far each bias may be from the network's, if it was computed, (outputs,).
    """

    weight: Tensor
    bias: Tensor | None
    bias_perturbation: Tensor | None
    positive: Tensor
    negative: Tensor

    def __init__(
        self, weight: Tensor, bias: Tensor | None, input_shape: Shape, bias_perturbation: Tensor | None = None
    ) -> None:
        super().__init__(input_shape)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.register_buffer("bias_perturbation", bias_perturbation, persistent=False)
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

    @property
    def n_terms(self) -> int:
        """Inputs, or outputs if they are more."""
        return max(self.weight.shape)

    def perturbation(self, *magnitudes: Tensor) -> Tensor | None:
        """Of the bias."""
        del magnitudes
        return self.bias_perturbation

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """The product, a W."""
        return (coefficients @ self.weight,)


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

    @property
    def n_terms(self) -> int:
        """One product."""
        return 1


class Shift(Monotone):
    """x plus a constant.

    Args:
        offset: Broadcastable to the input's shape.
        input_shape: Shape of the input, and of the output.
        uncertain: How far the offset may be from the network's, if it was computed, of the same shape.
    """

    offset: Tensor
    uncertain: Tensor | None

    def __init__(self, offset: Tensor, input_shape: Shape, uncertain: Tensor | None = None) -> None:
        super().__init__(input_shape)
        self.register_buffer("offset", offset)
        self.register_buffer("uncertain", uncertain, persistent=False)

    def linear(self, x: Tensor) -> Tensor:
        """The same."""
        return x

    def constant(self) -> Tensor:
        """The offset, in the output's shape."""
        return self.offset.expand(self.input_shapes[0])

    def perturbation(self, *magnitudes: Tensor) -> Tensor | None:
        """Of the offset."""
        del magnitudes
        return None if self.uncertain is None else self.uncertain.expand(self.input_shapes[0])[None]

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """The same."""
        return (coefficients,)

    @property
    def n_terms(self) -> int:
        """One."""
        return 1


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

    @property
    def n_terms(self) -> int:
        """As many as inputs."""
        return len(self.signs)


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

    @property
    def n_terms(self) -> int:
        """As many as are added up."""
        return prod(self.input_shapes[0][dim - 1] for dim in self.dims)
