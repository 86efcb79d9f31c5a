"""ONNX operators that move elements: each is one `Select` (or `Reshape`)."""

from math import prod

import numpy as np
from onnx import TensorProto

from .builder import Builder, Value
from .onnx_registry import Call, UnsupportedCaseError, converter


@converter(
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
)
def rearrange(builder: Builder, call: Call) -> Value | tuple[Value, ...]:
    """Elements of the first input: which, is what ONNX Runtime makes of their positions."""
    x = call.variable(0)
    results = call.evaluate(_marks(x.shape))
    return tuple(builder.select(x, index.astype(np.int64) - 1) for index in results)


def _marks(shape: tuple[int, ...]) -> np.ndarray:
    """The position of each element, from 1; 0 is left for zeros."""
    size = prod(shape)
    # Every operator takes float32, and every version of it.
    return np.arange(1, size + 1, dtype=np.float32 if size < 2**24 else np.int64).reshape(shape)


@converter("Resize", "Upsample")
def resize(builder: Builder, call: Call) -> Value:
    """Nearest neighbours."""
    if call.text("mode", "nearest") != "nearest":
        raise UnsupportedCaseError("only the mode `nearest` is supported")
    (value,) = _values(rearrange(builder, call))
    return value


@converter("Pad")
def pad(builder: Builder, call: Call) -> Value:
    """Padding by a constant, or by elements."""
    x, mode = call.variable(0), call.text("mode", "constant")
    fill = call.number("value", 0.0) if call.opset < 11 else call.optional(2)
    index = _marks(x.shape)
    if mode != "constant" or fill is None or not np.any(fill):
        (padded,) = call.evaluate(index)
        return builder.select(x, padded.astype(np.int64) - 1)
    # Where the result is the same for two numberings of the elements, it is padding.
    (first,), (second,) = call.evaluate(index), call.evaluate(-index)
    inside = first == -second
    both = np.where(inside, first, 0).astype(np.int64)
    return builder.add(builder.select(x, both - 1), np.where(both > 0, 0.0, np.float64(np.ravel(fill)[0])))


@converter("Concat")
def concat(builder: Builder, call: Call) -> Value:
    """Values one after the other."""
    values = [call.value(i) for i in range(len(call.inputs))]
    return builder.concatenate([x for x in values if prod(x.shape)], call.integer("axis", 1))


@converter("Identity")
def identity(builder: Builder, call: Call) -> Value:
    """The same."""
    del builder
    return call.value(0)


@converter("Dropout")
def dropout(builder: Builder, call: Call) -> tuple[Value, ...]:
    """Nothing is dropped at inference."""
    del builder
    training = call.optional(2) if call.opset >= 12 else None
    if training is not None and training.any():
        raise UnsupportedCaseError("it is in training mode")
    x = call.variable(0)
    return x, np.ones(x.shape, bool)


@converter("Cast")
def cast(builder: Builder, call: Call) -> Value:
    """From float to float."""
    del builder
    if call.integer("to", TensorProto.FLOAT) not in {TensorProto.FLOAT, TensorProto.DOUBLE}:
        raise UnsupportedCaseError("only float32 and float64 are supported")
    return call.value(0)


@converter("Shape")
def shape(builder: Builder, call: Call) -> Value:
    """The shape, which is known."""
    del builder
    whole = call.variable(0).shape
    return np.array(whole[slice(call.integer("start", 0), call.integer("end", len(whole)))], np.int64)


@converter("Size")
def size(builder: Builder, call: Call) -> Value:
    """The number of elements."""
    del builder
    return np.array(call.variable(0).size, np.int64)


def _values(result: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    return result if isinstance(result, tuple) else (result,)
