"""ONNX operators that are layers: matrix products, convolutions, pooling, normalisation."""

import numpy as np
from onnx import TensorProto

from . import layers
from .builder import Builder, Value, Variable
from .onnx_registry import Call, UnsupportedCaseError, converter
from .windows import Window


@converter("Gemm")
def gemm(builder: Builder, call: Call) -> Value:
    """Alpha A B + beta C."""
    a, b = call.value(0), call.value(1)
    if call.integer("transA", 0):
        a = builder.swap(a)
    if call.integer("transB", 0):
        b = builder.swap(b)
    value = builder.multiply(builder.matmul(a, b), np.array(call.number("alpha", 1.0)))
    c = call.input(2)
    return value if c is None else builder.add(value, builder.multiply(c, np.array(call.number("beta", 1.0))))


@converter("MatMul")
def matmul(builder: Builder, call: Call) -> Value:
    """A B."""
    return builder.matmul(call.value(0), call.value(1))


def _window(call: Call, size: tuple[int, ...], kernel: tuple[int, ...]) -> Window:
    """The windows that the attributes describe."""
    d = len(size)
    strides = tuple(call.integers("strides", [1] * d))
    dilations = tuple(call.integers("dilations", [1] * d))
    pads = call.integers("pads", [0] * (2 * d))
    begin, end = tuple(pads[:d]), tuple(pads[d:])
    mode = call.text("auto_pad", "NOTSET")
    if mode in {"SAME_UPPER", "SAME_LOWER"}:
        extent = Window(size, kernel, strides, dilations, begin, end).extent
        total = [max((-(-n // s) - 1) * s + e - n, 0) for n, s, e in zip(size, strides, extent, strict=True)]
        begin, end = _halves(total, more_after=mode == "SAME_UPPER")
    elif mode == "VALID":
        begin = end = (0,) * d
    return Window(size, kernel, strides, dilations, begin, end)


def _halves(total: list[int], *, more_after: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Padding before and after, of so much in all."""
    small, large = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    return (small, large) if more_after else (large, small)


def _spatial(x: Variable) -> tuple[int, ...]:
    if not 3 <= len(x.shape) <= 5:
        raise UnsupportedCaseError("only one to three spatial dimensions are supported")
    return x.shape[2:]


@converter("Conv")
def conv(builder: Builder, call: Call) -> Value:
    """A convolution."""
    x, weight, bias = call.variable(0), call.constant(1), call.optional(2)
    window = _window(call, _spatial(x), weight.shape[2:])
    return layers.convolution(builder, x, weight, bias, window, call.integer("group", 1))


@converter("ConvTranspose")
def conv_transpose(builder: Builder, call: Call) -> Value:
    """A transposed convolution."""
    x, weight, bias = call.variable(0), call.constant(1), call.optional(2)
    d = len(_spatial(x))
    strides = tuple(call.integers("strides", [1] * d))
    dilations = tuple(call.integers("dilations", [1] * d))
    extra = tuple(call.integers("output_padding", [0] * d))
    pads = call.integers("pads", [0] * (2 * d))
    begin, end = tuple(pads[:d]), tuple(pads[d:])
    mode = call.text("auto_pad", "NOTSET")
    shape = call.integers("output_shape", [])
    if mode in {"SAME_UPPER", "SAME_LOWER"} and not shape:
        shape = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
    if shape:
        full = [
            (n - 1) * s + r * (k - 1) + 1 + e
            for n, s, r, k, e in zip(x.shape[2:], strides, dilations, weight.shape[2:], extra, strict=True)
        ]
        total = [max(f - n, 0) for f, n in zip(full, shape[-d:], strict=True)]
        begin, end = _halves(total, more_after=mode == "SAME_UPPER")
        # What is missing is added after the end, as long as no further element of the input would reach it.
        extra = tuple(e + max(n - f, 0) for e, f, n in zip(extra, full, shape[-d:], strict=True))
        if any(e >= s for e, s in zip(extra, strides, strict=True)):
            raise UnsupportedCaseError(f"the output_shape {shape} is too large for its input, {list(x.shape)}")
    spread = layers.Spread(strides, dilations, call.integer("group", 1), begin, end, extra)
    return layers.transposed_convolution(builder, x, weight, bias, spread)


@converter("MaxPool")
def max_pool(builder: Builder, call: Call) -> Value:
    """The largest element of each window."""
    x = call.variable(0)
    if len(call.proto.output) > 1 and call.proto.output[1]:
        raise UnsupportedCaseError("its indices are not supported")
    window = _window(call, _spatial(x), tuple(call.integers("kernel_shape", [])))
    return layers.max_pool(builder, x, window, ceil=bool(call.integer("ceil_mode", 0)))


@converter("GlobalMaxPool")
def global_max_pool(builder: Builder, call: Call) -> Value:
    """The largest element of each channel."""
    x = call.variable(0)
    _spatial(x)
    return layers.global_max_pool(builder, x)


@converter("AveragePool")
def average_pool(builder: Builder, call: Call) -> Value:
    """The mean of each window, with or without the padding."""
    x = call.variable(0)
    window = _window(call, _spatial(x), tuple(call.integers("kernel_shape", [])))
    ceil = bool(call.integer("ceil_mode", 0))
    counts = window.counts(x, ceil=ceil, padding=bool(call.integer("count_include_pad", 0)))
    return layers.average_pool(builder, x, window, counts, ceil=ceil)


@converter("GlobalAveragePool")
def global_average_pool(builder: Builder, call: Call) -> Value:
    """The mean of each channel."""
    x = call.variable(0)
    _spatial(x)
    return layers.mean(builder, x, range(2, len(x.shape)))


@converter("BatchNormalization")
def batch_normalization(builder: Builder, call: Call) -> Value:
    """A scale and a shift of each channel."""
    x = call.variable(0)
    if call.integer("training_mode", 0) or (call.opset < 9 and not call.integer("spatial", 1)):
        raise UnsupportedCaseError("only inference by channel is supported")
    scale, bias, mean, variance = (call.constant(i) for i in range(1, 5))
    return layers.batch_norm(builder, x, (scale, bias), (mean, variance), call.number("epsilon", 1e-5))


@converter("LayerNormalization")
def layer_normalization(builder: Builder, call: Call) -> Value:
    """Minus the mean, over the standard deviation."""
    x = call.variable(0)
    if call.integer("stash_type", TensorProto.FLOAT) != TensorProto.FLOAT or len(call.proto.output) > 1:
        raise UnsupportedCaseError("only its first output is supported")
    n_dims = len(x.shape) - call.integer("axis", -1) % len(x.shape)
    return layers.layer_norm(builder, x, n_dims, call.constant(1), call.optional(2), call.number("epsilon", 1e-5))
