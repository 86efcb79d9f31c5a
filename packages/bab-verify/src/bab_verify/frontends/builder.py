"""Builds graphs: the elementary operations on values, with broadcasting and small simplifications."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from bab_verify.graph import Graph, Node, Operator, Shape
from bab_verify.intervals import gamma
from bab_verify.operators.affine import Add, Dense, Scale, Shift, Sum
from bab_verify.operators.convex import Square
from bab_verify.operators.product import Product
from bab_verify.operators.rearrangements import Concatenate, Reshape, Select
from bab_verify.operators.relu import Relu
from bab_verify.rewriting.folding import folded


@dataclass(frozen=True)
class Variable:
    """A value that depends on the input of the graph.

    Args:
        node: Index of its node.
        shape: Shape, without the batch.
    """

    node: int
    shape: Shape

    @property
    def size(self) -> int:
        """How many numbers it is."""
        return prod(self.shape)


Value: TypeAlias = Variable | np.ndarray
"""A value that depends on the input, or a constant."""


def positions(shape: Shape) -> np.ndarray:
    """The flat index of each element of a tensor."""
    return np.arange(prod(shape)).reshape(shape)


ProductRule: TypeAlias = "Callable[[Builder, Variable, Variable], Value | None]"
"""Builds the product of two values in a simpler way, where they have the form that it is for."""


class Builder:
    """A graph in the making.

    Every method takes and gives values; constants are folded into the operations that take them. Rearrangements of
    rearrangements become one.

    Args:
        input_shape: Shape of the input, without the batch.
        dtype: Type of the constants.
        name: Name of the input.
        rules: What products of two values are tried to be first.
    """

    def __init__(
        self,
        input_shape: Shape,
        dtype: torch.dtype = torch.float64,
        name: str = "input",
        rules: "Sequence[ProductRule]" = (),
    ) -> None:
        self.dtype, self.rules = dtype, tuple(rules)
        self.nodes = [Node(None, (), tuple(input_shape), name)]
        self.name = ""
        """Name for the nodes that come next."""
        self._examples = [torch.zeros(1, *input_shape, dtype=dtype)]

    @property
    def input(self) -> Variable:
        """The input of the graph."""
        return self.variable(0)

    def variable(self, node: int) -> Variable:
        """The value of a node."""
        return Variable(node, self.nodes[node].shape)

    def operator(self, x: Variable) -> Operator | None:
        """The operation that gives a value."""
        return self.nodes[x.node].operator

    def sources(self, x: Variable) -> list[Variable]:
        """The values that a value is computed from."""
        return [self.variable(source) for source in self.nodes[x.node].inputs]

    def tensor(self, array: np.ndarray) -> Tensor:
        """A constant as a tensor.

        Raises:
            ValueError: if it holds NaN or an infinity, also after rounding to the type of the graph.
        """
        tensor = torch.from_numpy(np.array(array)).to(self.dtype)
        if not tensor.isfinite().all():
            raise ValueError("a constant that it takes holds NaN or infinity")
        return tensor

    def graph(self, output: Variable) -> Graph:
        """The graph of a value: the nodes that it needs, and the input."""
        needed = {0, output.node}
        for index in range(output.node, 0, -1):
            if index in needed:
                needed.update(self.nodes[index].inputs)
        place = {index: i for i, index in enumerate(sorted(needed))}
        nodes = [self.nodes[index] for index in place]
        graph = Graph(
            folded([Node(node.operator, tuple(place[i] for i in node.inputs), node.shape, node.name) for node in nodes])
        )
        # A graph without constants has a type, too.
        return graph.to(self.dtype)

    def apply(self, operator: Operator, *inputs: Variable) -> Variable:
        """A new node."""
        with torch.no_grad():
            example = operator(*(self._examples[x.node] for x in inputs))
        self._examples.append(example)
        self.nodes.append(Node(operator, tuple(x.node for x in inputs), tuple(example.shape[1:]), self.name))
        return self.variable(len(self.nodes) - 1)

    # Rearrangements.

    def select(self, x: Variable, index: np.ndarray) -> Value:
        """Elements of x by their flat index; -1 is zero."""
        if not index.size:
            return np.empty(index.shape, np.float32)
        index = np.ascontiguousarray(index, np.int64)
        operator = self.operator(x)
        if isinstance(operator, Select):
            before = torch.where(operator.index == operator.size, -1, operator.index).numpy()
            index = np.where(index < 0, -1, before[index])
        if isinstance(operator, Select | Reshape):
            (x,) = self.sources(x)
        if index.size == x.size and (index.reshape(-1) == np.arange(x.size)).all():
            return x if index.shape == x.shape else self.apply(Reshape(x.shape, index.shape), x)
        return self.apply(Select(x.shape, torch.from_numpy(index)), x)

    def chosen(self, x: Variable, index: np.ndarray) -> Variable:
        """The same, where there are any elements."""
        return self.known(self.select(x, index))

    def pick(self, x: Value, index: np.ndarray) -> Value:
        """Elements of a value, constant or not, by their flat index."""
        return self.select(x, index) if isinstance(x, Variable) else np.asarray(x.reshape(-1)[index])

    def reshape(self, x: Value, shape: Shape) -> Value:
        """The same elements in another shape."""
        return self.pick(x, positions(x.shape).reshape(shape))

    def expand(self, x: Value, shape: Shape) -> Value:
        """x, repeated to a shape."""
        return self.pick(x, np.broadcast_to(positions(x.shape), shape))

    def swap(self, x: Value) -> Value:
        """X with its last two dimensions exchanged."""
        return self.pick(x, positions(x.shape).swapaxes(-1, -2))

    def concatenate(self, values: Sequence[Value], dim: int) -> Value:
        """Values one after the other along a dimension."""
        dim %= len(values[0].shape)
        parts = [x for x in values if isinstance(x, Variable)]
        joined = self._join(parts, dim)
        # Where each element comes from: positive numbers count the elements of `joined`, from 1; zeros are constants.
        marks = positions(joined.shape) + 1
        ends = np.cumsum([x.shape[dim] for x in parts])
        split = iter(np.split(marks, ends[:-1], dim))
        where = np.concatenate(
            [next(split) if isinstance(x, Variable) else np.zeros(x.shape, int) for x in values], dim
        )
        constant = np.concatenate([np.zeros(x.shape) if isinstance(x, Variable) else x for x in values], dim)
        return self.add(self.select(joined, where - 1), constant)

    def _join(self, parts: list[Variable], dim: int) -> Variable:
        moved = [x for x in parts if isinstance(self.operator(x), Select | Reshape)]
        origins = {self.sources(x)[0].node if x in moved else x.node for x in parts}
        if len(origins) == 1 and len(parts) > 1:
            x = self.variable(origins.pop())
            indices = []
            for part in parts:
                operator = self.operator(part)
                chosen = part.node != x.node and isinstance(operator, Select)
                flat = operator.get_buffer("index").numpy() if operator and chosen else positions(part.shape)
                indices.append(flat.reshape(part.shape))
            index = np.concatenate(indices, dim)
            joined = self.select(x, np.where(index == x.size, -1, index))
            assert isinstance(joined, Variable)  # noqa: S101
            return joined
        return parts[0] if len(parts) == 1 else self.apply(Concatenate(tuple(x.shape for x in parts), dim), *parts)

    # Arithmetic.

    def scale(self, x: Variable, factor: np.ndarray) -> Value:
        """X times a constant."""
        shape = np.broadcast_shapes(x.shape, factor.shape)
        x = self.known(self.expand(x, shape))
        factor = _uniform(factor)
        if not factor.ndim and factor == 1:
            return x
        operator = self.operator(x)
        if isinstance(operator, Scale):
            factor = _uniform(np.asarray(factor * operator.factor.double().numpy()))
            (x,) = self.sources(x)
            return self.scale(x, factor)
        return self.apply(Scale(self.tensor(factor), shape), x)

    def shift(self, x: Variable, offset: np.ndarray, size: np.ndarray | None = None) -> Value:
        """X plus a constant.

        Args:
            x: The value.
            offset: The constant.
            size: What the constant was the sum of, with absolute values, if it was computed; of the same shape.
        """
        shape = np.broadcast_shapes(x.shape, offset.shape)
        x = self.known(self.expand(x, shape))
        offset = _uniform(offset)
        if not offset.ndim and offset == 0 and size is None:
            return x
        uncertain = None if size is None else self.tensor(gamma(4, torch.float64) * np.asarray(size))
        return self.apply(Shift(self.tensor(offset), shape, uncertain), x)

    def add(self, a: Value, b: Value, sign: int = 1) -> Value:
        """A + b, or a - b."""
        if not isinstance(b, Variable):
            b = np.asarray(sign * b)
            return self.shift(a, b) if isinstance(a, Variable) else np.asarray(a + b)
        if not isinstance(a, Variable):
            return self.add(self.scale(b, np.array(sign)), a)
        if a == b:
            return self.scale(a, np.array(1 + sign))
        shape = np.broadcast_shapes(a.shape, b.shape)
        a, b = (self.known(self.expand(x, shape)) for x in (a, b))
        return self.apply(Add(shape, (1, sign)), a, b)

    def multiply(self, a: Value, b: Value) -> Value:
        """A b, element by element."""
        if not isinstance(b, Variable):
            return self.scale(a, b) if isinstance(a, Variable) else np.asarray(a * b)
        if not isinstance(a, Variable):
            return self.scale(b, a)
        if a == b:
            return self.apply(Square(), a)
        for rule in self.rules:
            simpler = rule(self, a, b)
            if simpler is not None:
                return simpler
        shape = np.broadcast_shapes(a.shape, b.shape)
        a, b = (self.known(self.expand(x, shape)) for x in (a, b))
        return self.apply(Product(), a, b)

    def sum(self, x: Variable, dims: Sequence[int], keepdims: int = 1) -> Value:
        """Sum over dimensions."""
        dims = sorted(dim % len(x.shape) for dim in dims)
        shape = tuple(1 if dim in dims else n for dim, n in enumerate(x.shape))
        total = x if shape == x.shape else self.apply(Sum(x.shape, tuple(dims)), x)
        return total if keepdims else self.reshape(total, tuple(n for dim, n in enumerate(shape) if dim not in dims))

    def matmul(self, a: Value, b: Value) -> Value:
        """Matrix product, with NumPy's rules."""
        if not isinstance(a, Variable) and not isinstance(b, Variable):
            return np.asarray(a @ b)
        if len(a.shape) == 1:
            product = self.matmul(self.reshape(a, (1, *a.shape)), b)
            return self.reshape(product, (*product.shape[:-2], *product.shape[-1:]))
        if len(b.shape) == 1:
            product = self.matmul(a, self.reshape(b, (*b.shape, 1)))
            return self.reshape(product, product.shape[:-1])
        if a.shape[-1] != b.shape[-2]:
            raise ValueError(f"matrices of shapes {list(a.shape)} and {list(b.shape)} cannot be multiplied")
        ndim = max(len(a.shape), len(b.shape))
        a, b = (self.reshape(x, (*[1] * (ndim - len(x.shape)), *x.shape)) for x in (a, b))
        if not isinstance(b, Variable) and prod(b.shape[:-2]) == 1 and isinstance(a, Variable):
            return self.dense(a, b.reshape(b.shape[-2:]).T)
        if not isinstance(a, Variable) and prod(a.shape[:-2]) == 1:
            return self.swap(self.dense(self.known(self.swap(b)), a.reshape(a.shape[-2:])))
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        (m, k), n = a.shape[-2:], b.shape[-1]
        left = np.broadcast_to(positions(a.shape)[..., :, None, :], (*batch, m, n, k))
        right = np.broadcast_to(positions(b.shape).swapaxes(-1, -2)[..., None, :, :], (*batch, m, n, k))
        terms = self.known(self.multiply(self.pick(a, left), self.pick(b, right)))
        return self.sum(terms, (-1,), keepdims=0)

    def dense(self, x: Variable, weight: np.ndarray) -> Variable:
        """X W^T on the last dimension."""
        return self.apply(Dense(self.tensor(weight), None, x.shape), x)

    def relu(self, x: Value) -> Value:
        """max(x, 0)."""
        return self.apply(Relu(), x) if isinstance(x, Variable) else np.asarray(np.maximum(x, 0))

    def maximum(self, values: Sequence[Value]) -> Value:
        """The largest of values, element by element: max(a, b) = a + relu(b - a), in a balanced tree."""
        values = list(values)
        while len(values) > 1:
            pairs = [
                self.add(a, self.relu(self.add(b, a, -1))) for a, b in zip(values[1::2], values[::2], strict=False)
            ]
            values = pairs + values[len(pairs) * 2 :]
        return values[0]

    @staticmethod
    def known(x: Value) -> Variable:
        """A value that must depend on the input.

        Raises:
            TypeError: if it is a constant.
        """
        if not isinstance(x, Variable):
            raise TypeError("a value that depends on the input was expected")
        return x


def _uniform(array: np.ndarray) -> np.ndarray:
    """A constant as one number where all its elements are equal, in double precision."""
    array = np.asarray(array, np.float64)
    flat = array.reshape(-1)
    return np.asarray(flat[0]) if array.size and (flat == flat[0]).all() else array
