"""Operators of ONNX, each as the PyTorch operators that compute the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx

from .emitting import Emitter

ATEN = torch.ops.aten
Value = fx.Node | np.ndarray | None
"""A computed array, one that is written in the file, or none."""
TYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool,
    10: torch.float16, 11: torch.float64, 16: torch.bfloat16,
}  # fmt: skip
"""Types of elements by their number in ONNX."""


@dataclass(frozen=True)
class Node:
    """One node of an ONNX graph.

    Args:
        emit: Writes PyTorch operators.
        inputs: What it is given.
        attributes: Its attributes.
        array: The node of what is written in the file.
        n_outputs: How many outputs are read.
    """

    emit: Emitter
    inputs: Sequence[Value]
    attributes: Mapping[str, Any]
    array: Callable[[np.ndarray], fx.Node]
    n_outputs: int

    def tensor(self, i: int) -> fx.Node:
        """An input as an array of the graph."""
        value = self.inputs[i]
        if value is None:
            raise ValueError(f"input {i} is not given")
        return self.array(value) if isinstance(value, np.ndarray) else value

    def optional(self, i: int) -> fx.Node | None:
        """An input that may be left out."""
        return self.tensor(i) if i < len(self.inputs) and self.inputs[i] is not None else None

    def shape(self, i: int = 0) -> list[int]:
        """Shape of an input."""
        value = self.inputs[i]
        return list(value.shape if isinstance(value, np.ndarray) else self.tensor(i).meta["val"].shape)

    def rank(self) -> int:
        """Axes of the first input."""
        return len(self.shape())

    def numbers(self, i: int, name: str = "") -> list[int] | None:
        """Whole numbers that older versions of an operator have as an attribute, newer ones as an input."""
        if name and name in self.attributes:
            return [int(n) for n in np.atleast_1d(self.attributes[name])]
        if i >= len(self.inputs) or self.inputs[i] is None:
            return None
        value = self.inputs[i]
        if not isinstance(value, np.ndarray):
            raise ValueError("sizes or places that depend on the data have no place in a diagram")
        return [int(n) for n in np.atleast_1d(value)]

    def scalar(self, i: int) -> Any:  # noqa: ANN401 - a number
        """An input that is one number in the file, as the number; else the array."""
        value = self.inputs[i]
        if isinstance(value, np.ndarray) and value.size == 1 and value.ndim <= max(len(self.shape(1 - i)), 1) and i:
            return value.item()
        return self.tensor(i)

    def get(self, name: str, default: Any) -> Any:  # noqa: ANN401 - an attribute
        """An attribute."""
        return self.attributes.get(name, default)


Operator = Callable[[Node], fx.Node | Sequence[fx.Node]]


def _unary(target: torch._ops.OpOverload) -> Operator:
    return lambda n: n.emit(target, n.tensor(0))


def _binary(target: torch._ops.OpOverload) -> Operator:
    return lambda n: n.emit(target, n.tensor(0), n.scalar(1))


def _compared(tensors: torch._ops.OpOverload, scalar: torch._ops.OpOverload) -> Operator:
    def emit(n: Node) -> fx.Node:
        other = n.scalar(1)
        return n.emit(tensors if isinstance(other, fx.Node) else scalar, n.tensor(0), other)

    return emit


def _chained(target: torch._ops.OpOverload) -> Operator:
    def emit(n: Node) -> fx.Node:
        found = n.tensor(0)
        for i in range(1, len(n.inputs)):
            found = n.emit(target, found, n.tensor(i))
        return found

    return emit


def _along(target: torch._ops.OpOverload) -> Operator:
    return lambda n: n.emit(target, n.tensor(0), n.get("axis", -1))


def _reduction(target: torch._ops.OpOverload) -> Operator:
    def emit(n: Node) -> fx.Node:
        axes = n.numbers(1, "axes") or ([] if n.get("noop_with_empty_axes", 0) else list(range(n.rank())))
        return n.emit(target, n.tensor(0), axes, bool(n.get("keepdims", 1))) if axes else n.tensor(0)

    return emit


def _gemm(n: Node) -> fx.Node:
    a, b, c = n.tensor(0), n.tensor(1), n.optional(2)
    is_plain = not n.get("transA", 0) and n.get("transB", 0) and n.get("alpha", 1.0) == n.get("beta", 1.0) == 1.0
    if is_plain and (c is None or len(c.meta["val"].shape) == 1):
        return n.emit(ATEN.linear.default, a, b, *([c] if c is not None else []))
    a = n.emit(ATEN.t.default, a) if n.get("transA", 0) else a
    b = n.emit(ATEN.t.default, b) if n.get("transB", 0) else b
    found = n.emit(ATEN.mm.default, a, b)
    if n.get("alpha", 1.0) != 1:
        found = n.emit(ATEN.mul.Tensor, found, n.get("alpha", 1.0))
    if c is None:
        return found
    return n.emit(
        ATEN.add.Tensor, found, n.emit(ATEN.mul.Tensor, c, n.get("beta", 1.0)) if n.get("beta", 1.0) != 1 else c
    )


def _pads(n: Node, count: int, x: fx.Node, value: float = 0.0) -> tuple[fx.Node, list[int]]:
    """The input and the padding of a window; where both sides differ, the input is padded before."""
    pads = list(n.get("pads", [0] * 2 * count))
    if n.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise ValueError(f"padding of the kind {n.get('auto_pad', '')} is not known")
    if pads[:count] == pads[count:]:
        return x, pads[:count]
    both = [p for i in reversed(range(count)) for p in (pads[i], pads[count + i])]
    return n.emit(ATEN.constant_pad_nd.default, x, both, value), [0] * count


def _convolution(n: Node) -> fx.Node:
    count = n.rank() - 2
    x, padding = _pads(n, count, n.tensor(0))
    stride, dilation = n.get("strides", [1] * count), n.get("dilations", [1] * count)
    target = {1: ATEN.conv1d.default, 2: ATEN.conv2d.default, 3: ATEN.conv3d.default}[count]
    return n.emit(target, x, n.tensor(1), n.optional(2), list(stride), padding, list(dilation), n.get("group", 1))


def _transposed(n: Node) -> fx.Node:
    count = n.rank() - 2
    pads = list(n.get("pads", [0] * 2 * count))
    if pads[:count] != pads[count:] or "output_shape" in n.attributes:
        raise ValueError("transposed convolutions of an uneven padding are not known")
    stride, dilation = n.get("strides", [1] * count), n.get("dilations", [1] * count)
    target = {1: ATEN.conv_transpose1d.default, 2: ATEN.conv_transpose2d.input, 3: ATEN.conv_transpose3d.input}[count]
    extra = list(n.get("output_padding", [0] * count))
    return n.emit(
        target, n.tensor(0), n.tensor(1), n.optional(2), list(stride), pads[:count], extra, n.get("group", 1),
        list(dilation),
    )  # fmt: skip


def _max_pool(n: Node) -> fx.Node:
    count = n.rank() - 2
    x, padding = _pads(n, count, n.tensor(0), float("-inf"))
    target = {1: ATEN.max_pool1d.default, 2: ATEN.max_pool2d.default, 3: ATEN.max_pool3d.default}[count]
    stride, dilation = n.get("strides", [1] * count), n.get("dilations", [1] * count)
    if n.n_outputs > 1:
        raise ValueError("places of maxima are not known")
    return n.emit(
        target, x, list(n.get("kernel_shape", [])), list(stride), padding, list(dilation), bool(n.get("ceil_mode", 0))
    )


def _average_pool(n: Node) -> fx.Node:
    count = n.rank() - 2
    counted = bool(n.get("count_include_pad", 0))
    pads = list(n.get("pads", [0] * 2 * count))
    if pads[:count] != pads[count:] or set(n.get("dilations", [1])) != {1}:
        raise ValueError("poolings of an uneven padding are not known")
    x, padding = _pads(n, count, n.tensor(0))
    target = {1: ATEN.avg_pool1d.default, 2: ATEN.avg_pool2d.default, 3: ATEN.avg_pool3d.default}[count]
    stride = list(n.get("strides", [1] * count))
    return n.emit(target, x, list(n.get("kernel_shape", [])), stride, padding, bool(n.get("ceil_mode", 0)), counted)


def _layer_norm(n: Node) -> fx.Node:
    if n.n_outputs > 1:
        raise ValueError("means of a normalization are not known")
    axis = n.get("axis", -1) % n.rank()
    shape = n.shape()[axis:]
    return n.emit(ATEN.layer_norm.default, n.tensor(0), shape, n.optional(1), n.optional(2), n.get("epsilon", 1e-5))


def _batch_norm(n: Node) -> fx.Node:
    if n.get("training_mode", 0):
        raise ValueError("batch normalization in training is not known")
    x, weight, bias, mean, variance = (n.tensor(i) for i in range(5))
    momentum, epsilon = n.get("momentum", 0.9), n.get("epsilon", 1e-5)
    options = (False, 1 - momentum, epsilon, False)
    return n.emit(ATEN.batch_norm.default, x, weight, bias, mean, variance, *options)


def _instance_norm(n: Node) -> fx.Node:
    x, weight, bias = (n.tensor(i) for i in range(3))
    options = (True, 0.1, n.get("epsilon", 1e-5), False)
    return n.emit(ATEN.instance_norm.default, x, weight, bias, None, None, *options)


def _reshape(n: Node) -> fx.Node:
    shape, old = n.numbers(1, "shape") or [], n.shape()
    if not n.get("allowzero", 0):
        shape = [old[i] if size == 0 else size for i, size in enumerate(shape)]
    return n.emit(ATEN.reshape.default, n.tensor(0), shape)


def _flatten(n: Node) -> fx.Node:
    axis = n.get("axis", 1)
    shape = n.shape()
    return n.emit(ATEN.reshape.default, n.tensor(0), [int(np.prod(shape[:axis])), int(np.prod(shape[axis:]))])


def _squeeze(n: Node) -> fx.Node:
    axes = n.numbers(1, "axes")
    return n.emit(
        ATEN.squeeze.dims, n.tensor(0), [i for i, s in enumerate(n.shape()) if s == 1] if axes is None else axes
    )


def _unsqueeze(n: Node) -> fx.Node:
    found, axes = n.tensor(0), n.numbers(1, "axes") or []
    for axis in sorted(a % (n.rank() + len(axes)) for a in axes):
        found = n.emit(ATEN.unsqueeze.default, found, axis)
    return found


def _expand(n: Node) -> fx.Node:
    shape = list(torch.broadcast_shapes(n.shape(), n.numbers(1) or []))
    return n.tensor(0) if shape == n.shape() else n.emit(ATEN.expand.default, n.tensor(0), shape)


def _split(n: Node) -> Sequence[fx.Node]:
    axis = n.get("axis", 0)
    sizes = n.numbers(1, "split")
    if sizes is None:
        length, count = n.shape()[axis], n.get("num_outputs", n.n_outputs)
        step = -(-length // count)
        sizes = [min(step, length - i * step) for i in range(count)]
    return [
        n.emit(ATEN.slice.Tensor, n.tensor(0), axis, sum(sizes[:i]), sum(sizes[: i + 1])) for i in range(len(sizes))
    ]


def _slice(n: Node) -> fx.Node:
    starts, ends = n.numbers(1, "starts") or [], n.numbers(2, "ends") or []
    axes = n.numbers(3, "axes") or list(range(len(starts)))
    steps = n.numbers(4) or [1] * len(starts)
    if min(steps) < 1:
        raise ValueError("slices that run backward are not known")
    found = n.tensor(0)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        found = n.emit(ATEN.slice.Tensor, found, axis, start, min(end, 2**63 - 1), step)
    return found


def _gather(n: Node) -> fx.Node:
    axis, indices = n.get("axis", 0), n.inputs[1]
    if isinstance(indices, np.ndarray) and indices.ndim == 0:
        return n.emit(ATEN.select.int, n.tensor(0), axis, int(indices))
    if axis == 0 and n.rank() == 2:
        return n.emit(ATEN.embedding.default, n.tensor(0), n.tensor(1))
    if len(n.shape(1)) == 1:
        return n.emit(ATEN.index_select.default, n.tensor(0), axis, n.tensor(1))
    raise ValueError("gathering by several axes is not known")


def _pad(n: Node) -> fx.Node:
    pads, axes = n.numbers(1, "pads") or [], n.numbers(3) or list(range(n.rank()))
    if n.get("mode", "constant") != "constant":
        raise ValueError(f"padding of the kind {n.get('mode', '')} is not known")
    value = n.inputs[2] if len(n.inputs) > 2 else None
    sides = {axis % n.rank(): (pads[i], pads[len(axes) + i]) for i, axis in enumerate(axes)}
    both = [p for axis in reversed(range(n.rank())) for p in sides.get(axis, (0, 0))]
    while len(both) > 2 and both[-2:] == [0, 0]:
        both = both[:-2]
    return n.emit(
        ATEN.constant_pad_nd.default, n.tensor(0), both, float(value.item()) if isinstance(value, np.ndarray) else 0.0
    )


def _clip(n: Node) -> fx.Node:
    def bound(i: int, name: str) -> float | None:
        value = n.inputs[i] if i < len(n.inputs) else self_or_none(name)
        if value is None or isinstance(value, int | float):
            return value
        if not isinstance(value, np.ndarray):
            raise ValueError("bounds that depend on the data are not known")
        return float(value.item())

    def self_or_none(name: str) -> Any:  # noqa: ANN401
        return n.attributes.get(name)

    return n.emit(ATEN.clamp.default, n.tensor(0), bound(1, "min"), bound(2, "max"))


def _cast(n: Node) -> fx.Node:
    return n.emit(ATEN._to_copy.default, n.tensor(0), dtype=TYPES[n.get("to", 1)])


def _gelu(n: Node) -> fx.Node:
    return n.emit(ATEN.gelu.default, n.tensor(0), approximate=n.get("approximate", "none"))


def _global(kind: str) -> Operator:
    def emit(n: Node) -> fx.Node:
        axes = list(range(2, n.rank()))
        options = (axes, True)
        return n.emit(ATEN.mean.dim if kind == "mean" else ATEN.amax.default, n.tensor(0), *options)

    return emit


OPERATORS: dict[str, Operator] = {
    "Abs": _unary(ATEN.abs.default), "Neg": _unary(ATEN.neg.default), "Exp": _unary(ATEN.exp.default),
    "Log": _unary(ATEN.log.default), "Sqrt": _unary(ATEN.sqrt.default), "Erf": _unary(ATEN.erf.default),
    "Reciprocal": _unary(ATEN.reciprocal.default), "Sin": _unary(ATEN.sin.default), "Cos": _unary(ATEN.cos.default),
    "Relu": _unary(ATEN.relu.default), "Sigmoid": _unary(ATEN.sigmoid.default), "Tanh": _unary(ATEN.tanh.default),
    "Softplus": _unary(ATEN.softplus.default), "HardSwish": _unary(ATEN.hardswish.default),
    "Not": _unary(ATEN.logical_not.default), "Floor": _unary(ATEN.floor.default), "Sign": _unary(ATEN.sign.default),
    "Elu": lambda n: n.emit(ATEN.elu.default, n.tensor(0), n.get("alpha", 1.0)),
    "LeakyRelu": lambda n: n.emit(ATEN.leaky_relu.default, n.tensor(0), n.get("alpha", 0.01)),
    "Gelu": _gelu, "Clip": _clip, "Cast": _cast,
    "Add": _binary(ATEN.add.Tensor), "Sub": _binary(ATEN.sub.Tensor), "Mul": _binary(ATEN.mul.Tensor),
    "Div": _binary(ATEN.div.Tensor),
    "Pow": _compared(ATEN.pow.Tensor_Tensor, ATEN.pow.Tensor_Scalar),
    "Equal": _compared(ATEN.eq.Tensor, ATEN.eq.Scalar), "Greater": _compared(ATEN.gt.Tensor, ATEN.gt.Scalar),
    "Less": _compared(ATEN.lt.Tensor, ATEN.lt.Scalar), "And": _chained(ATEN.logical_and.default),
    "Or": _chained(ATEN.logical_or.default), "Max": _chained(ATEN.maximum.default),
    "Min": _chained(ATEN.minimum.default),
    "Sum": _chained(ATEN.add.Tensor),
    "Where": lambda n: n.emit(ATEN.where.self, *(n.tensor(i) for i in range(3))),
    "Identity": lambda n: n.tensor(0), "Dropout": lambda n: n.tensor(0),
    "MatMul": lambda n: n.emit(ATEN.matmul.default, n.tensor(0), n.tensor(1)), "Gemm": _gemm,
    "Einsum": lambda n: n.emit(ATEN.einsum.default, n.get("equation", ""), [n.tensor(i) for i in range(len(n.inputs))]),
    "Conv": _convolution, "ConvTranspose": _transposed, "MaxPool": _max_pool, "AveragePool": _average_pool,
    "GlobalAveragePool": _global("mean"), "GlobalMaxPool": _global("max"),
    "BatchNormalization": _batch_norm, "LayerNormalization": _layer_norm, "InstanceNormalization": _instance_norm,
    "Softmax": _along(ATEN.softmax.int), "LogSoftmax": _along(ATEN.log_softmax.int),
    "ReduceMean": _reduction(ATEN.mean.dim), "ReduceSum": _reduction(ATEN.sum.dim_IntList),
    "ReduceMax": _reduction(ATEN.amax.default), "ReduceMin": _reduction(ATEN.amin.default),
    "Reshape": _reshape, "Flatten": _flatten, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Expand": _expand,
    "Transpose": lambda n: n.emit(ATEN.permute.default, n.tensor(0), list(n.get("perm", range(n.rank())[::-1]))),
    "Concat": lambda n: n.emit(ATEN.cat.default, [n.tensor(i) for i in range(len(n.inputs))], n.get("axis", 0)),
    "Split": _split, "Slice": _slice, "Gather": _gather, "Pad": _pad,
}  # fmt: skip
"""Operators by name; others become closed boxes."""
