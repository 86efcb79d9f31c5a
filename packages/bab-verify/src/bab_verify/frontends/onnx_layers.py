"""ONNX operators that are layers: matrix products, convolutions, pooling, normalisation."""

from itertools import product
from math import prod

import numpy as np

from bab_verify.operators.convolution import Convolution, TransposedConvolution

from .builder import Builder, Value, Variable, positions
from .onnx_registry import Call, UnsupportedCaseError, converter


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


class _Window:
    """Kernel, strides, dilations and padding of a convolution or a pooling."""

    def __init__(self, call: Call, size: tuple[int, ...], kernel: tuple[int, ...]) -> None:
        d = len(size)
        self.size, self.kernel = size, kernel
        self.strides = tuple(call.integers("strides", [1] * d))
        self.dilations = tuple(call.integers("dilations", [1] * d))
        self.extent = [s * (k - 1) + 1 for s, k in zip(self.dilations, kernel, strict=True)]
        pads = call.integers("pads", [0] * (2 * d))
        self.begin, self.end = tuple(pads[:d]), tuple(pads[d:])
        mode = call.text("auto_pad", "NOTSET")
        if mode in {"SAME_UPPER", "SAME_LOWER"}:
            total = [
                max((-(-n // s) - 1) * s + e - n, 0) for n, s, e in zip(size, self.strides, self.extent, strict=True)
            ]
            small, large = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
            self.begin, self.end = (small, large) if mode == "SAME_UPPER" else (large, small)
        elif mode == "VALID":
            self.begin = self.end = (0,) * d

    def padded(self, x: Variable) -> np.ndarray:
        """Indices of x, with -1 for padding."""
        widths = ((0, 0), (0, 0), *zip(self.begin, self.end, strict=True))
        return np.pad(positions(x.shape), widths, constant_values=-1)

    def out(self, *, ceil: bool) -> tuple[int, ...]:
        """Size of the output."""
        sizes = []
        for n, s, e, p, q in zip(self.size, self.strides, self.extent, self.begin, self.end, strict=True):
            room = n + p + q - e
            sizes.append((-(-room // s) if ceil else room // s) + 1)
            if ceil and (sizes[-1] - 1) * s >= n + p:
                sizes[-1] -= 1
        return tuple(sizes)

    def elements(self, x: Variable, *, ceil: bool) -> np.ndarray:
        """Indices of the elements in each window, (kernel elements, batch, channels, *out), with -1 for none."""
        out, index = self.out(ceil=ceil), self.padded(x)
        reach = [(o - 1) * s + e for o, s, e in zip(out, self.strides, self.extent, strict=True)]
        beyond = [(0, max(r - n, 0)) for r, n in zip(reach, index.shape[2:], strict=True)]
        index = np.pad(index, ((0, 0), (0, 0), *beyond), constant_values=-1)
        offsets = product(*(range(0, k * s, s) for k, s in zip(self.kernel, self.dilations, strict=True)))
        return np.stack(
            [
                index[
                    :,
                    :,
                    *(
                        slice(start, start + (o - 1) * s + 1, s)
                        for start, o, s in zip(offset, out, self.strides, strict=True)
                    ),
                ]
                for offset in offsets
            ]
        )


def _spatial(x: Variable) -> tuple[int, ...]:
    if not 3 <= len(x.shape) <= 5:
        raise UnsupportedCaseError("only one to three spatial dimensions are supported")
    return x.shape[2:]


@converter("Conv")
def conv(builder: Builder, call: Call) -> Value:
    """A convolution; padding that differs at the two ends is added before."""
    x, weight, bias = call.variable(0), call.constant(1), call.optional(2)
    window = _Window(call, _spatial(x), weight.shape[2:])
    padding = window.begin
    if window.begin != window.end:
        moved = builder.select(x, window.padded(x))
        assert isinstance(moved, Variable)  # noqa: S101
        x, padding = moved, (0,) * len(padding)
    return builder.apply(
        Convolution(
            builder.tensor(weight),
            None if bias is None else builder.tensor(bias),
            x.shape,
            window.strides,
            padding,
            window.dilations,
            call.integer("group", 1),
        ),
        x,
    )


@converter("ConvTranspose")
def conv_transpose(builder: Builder, call: Call) -> Value:
    """A transposed convolution without padding, cropped or extended to the size asked for."""
    x, weight, bias = call.variable(0), call.constant(1), call.optional(2)
    d = len(_spatial(x))
    strides = tuple(call.integers("strides", [1] * d))
    dilations = tuple(call.integers("dilations", [1] * d))
    groups = call.integer("group", 1)
    value = builder.apply(TransposedConvolution(builder.tensor(weight), x.shape, strides, dilations, groups), x)
    extra = call.integers("output_padding", [0] * d)
    pads = call.integers("pads", [0] * (2 * d))
    full = value.shape[2:]
    mode = call.text("auto_pad", "NOTSET")
    shape = call.integers("output_shape", [])
    if mode in {"SAME_UPPER", "SAME_LOWER"} and not shape:
        shape = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
    if shape:
        total = [max(f + e - n, 0) for f, e, n in zip(full, extra, shape[-d:], strict=True)]
        small, large = [t // 2 for t in total], [t - t // 2 for t in total]
        pads = small + large if mode == "SAME_UPPER" else large + small
    index = positions(value.shape)
    for i in range(d):
        stop = full[i] + extra[i] - pads[d + i]
        index = np.pad(
            index, [(0, max(stop - full[i], 0)) if dim == i + 2 else (0, 0) for dim in range(d + 2)], constant_values=-1
        )
        index = np.take(index, np.arange(pads[i], stop), i + 2)
    moved = builder.select(value, index)
    return moved if bias is None else builder.add(moved, bias.reshape(-1, *[1] * d))


@converter("MaxPool")
def max_pool(builder: Builder, call: Call) -> Value:
    """The largest element of each window; padding never counts."""
    x = call.variable(0)
    if len(call.proto.output) > 1 and call.proto.output[1]:
        raise UnsupportedCaseError("its indices are not supported")
    window = _Window(call, _spatial(x), tuple(call.integers("kernel_shape", [])))
    index = window.elements(x, ceil=bool(call.integer("ceil_mode", 0)))
    # Padding is replaced by an element of the same window.
    index = np.where(index < 0, index.max(0), index)
    if (index < 0).any():
        raise UnsupportedCaseError("a window holds nothing but padding")
    return builder.maximum([builder.select(x, offset) for offset in index])


@converter("GlobalMaxPool")
def global_max_pool(builder: Builder, call: Call) -> Value:
    """The largest element of each channel."""
    x = call.variable(0)
    index = positions(x.shape).reshape(*x.shape[:2], -1)
    largest = builder.maximum([builder.select(x, offset) for offset in np.moveaxis(index, -1, 0)])
    return builder.reshape(largest, (*x.shape[:2], *[1] * len(_spatial(x))))


@converter("AveragePool")
def average_pool(builder: Builder, call: Call) -> Value:
    """The mean of each window, with or without the padding."""
    x = call.variable(0)
    window = _Window(call, _spatial(x), tuple(call.integers("kernel_shape", [])))
    ceil = bool(call.integer("ceil_mode", 0))
    index = window.elements(x, ceil=ceil)
    if call.integer("count_include_pad", 0):
        counted = _Window(call, window.size, window.kernel)
        counted.size = tuple(n + p + q for n, p, q in zip(window.size, window.begin, window.end, strict=True))
        counted.begin = counted.end = (0,) * len(counted.size)
        whole = Variable(0, (*x.shape[:2], *counted.size))
        inside = counted.elements(whole, ceil=ceil) >= 0
        places = (slice(None), slice(None), slice(None), *(slice(n) for n in index.shape[3:]))
        count = inside[places].sum(0)
    else:
        count = (index >= 0).sum(0)
    if window.begin == window.end and not ceil:
        channels, d = x.shape[1], len(window.size)
        ones = builder.tensor(np.ones((channels, 1, *window.kernel)))
        convolution = Convolution(
            ones, None, x.shape, window.strides, window.begin, (*window.dilations,)[:d], groups=channels
        )
        return builder.multiply(builder.apply(convolution, x), 1 / count)
    elements = builder.select(x, np.moveaxis(index, 0, -1))
    assert isinstance(elements, Variable)  # noqa: S101
    return builder.multiply(builder.sum(elements, (-1,), keepdims=0), 1 / count)


@converter("GlobalAveragePool")
def global_average_pool(builder: Builder, call: Call) -> Value:
    """The mean of each channel."""
    x = call.variable(0)
    size = _spatial(x)
    return builder.multiply(builder.sum(x, range(2, len(x.shape))), np.array(1 / prod(size)))


@converter("BatchNormalization")
def batch_normalization(builder: Builder, call: Call) -> Value:
    """A scale and a shift of each channel."""
    x = call.variable(0)
    if call.integer("training_mode", 0) or (call.opset < 9 and not call.integer("spatial", 1)):
        raise UnsupportedCaseError("only inference by channel is supported")
    scale, bias, mean, variance = (call.constant(i).astype(np.float64) for i in range(1, 5))
    factor = scale / np.sqrt(variance + call.number("epsilon", 1e-5))
    shape = (-1, *[1] * (len(x.shape) - 2))
    return builder.add(builder.scale(x, factor.reshape(shape)), (bias - mean * factor).reshape(shape))
