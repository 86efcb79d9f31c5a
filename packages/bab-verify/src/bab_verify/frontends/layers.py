"""Layers of networks, from operations of the builder: fully connected, convolutions, pooling, normalisation."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from bab_verify.operators.convex import Reciprocal, Sqrt
from bab_verify.operators.convolution import Convolution, TransposedConvolution

from .builder import Builder, Value, Variable, positions
from .windows import Sizes, Window


def linear(builder: Builder, x: Value, weight: np.ndarray, bias: np.ndarray | None) -> Value:
    """W x + b on the last dimension.

    Args:
        builder: Of the graph.
        x: The input.
        weight: W, (outputs, inputs).
        bias: b, (outputs,).
    """
    value = builder.matmul(x, weight.T)
    return value if bias is None else builder.add(value, bias)


def convolution(
    builder: Builder, x: Variable, weight: np.ndarray, bias: np.ndarray | None, window: Window, groups: int
) -> Variable:
    """A convolution; padding that differs at the two ends is added before.

    Args:
        builder: Of the graph.
        x: The input, (batch, channels, *size).
        weight: (channels out, channels in / groups, *kernel).
        bias: (channels out,).
        window: Its windows.
        groups: Groups of channels.
    """
    padding = window.begin
    if not window.symmetric:
        x, padding = builder.chosen(x, window.padded(x)), (0,) * len(padding)
    offset = None if bias is None else builder.tensor(bias)
    operator = Convolution(builder.tensor(weight), offset, x.shape, window.strides, padding, window.dilations, groups)
    return builder.apply(operator, x)


@dataclass(frozen=True)
class Spread:
    """How a transposed convolution spreads the elements of its input.

    Args:
        strides: From one element to the next.
        dilations: From one element of the kernel to the next.
        groups: Groups of channels.
        begin: What is cut off before the output.
        end: What is cut off after it.
        extra: What is added after it.
    """

    strides: Sizes
    dilations: Sizes
    groups: int
    begin: Sizes
    end: Sizes
    extra: Sizes


def transposed_convolution(
    builder: Builder, x: Variable, weight: np.ndarray, bias: np.ndarray | None, spread: Spread
) -> Value:
    """A transposed convolution without padding, cropped or extended to the size asked for.

    Args:
        builder: Of the graph.
        x: The input, (batch, channels, *size).
        weight: (channels in, channels out / groups, *kernel).
        bias: (channels out,).
        spread: How the input is spread.
    """
    kernel = builder.tensor(weight)
    value = builder.apply(TransposedConvolution(kernel, x.shape, spread.strides, spread.dilations, spread.groups), x)
    index = positions(value.shape)
    for i, (full, begin, end, extra) in enumerate(
        zip(value.shape[2:], spread.begin, spread.end, spread.extra, strict=True), 2
    ):
        stop = full + extra - end
        widths = [(0, max(stop - full, 0)) if dim == i else (0, 0) for dim in range(index.ndim)]
        index = np.take(np.pad(index, widths, constant_values=-1), np.arange(begin, stop), i)
    moved = builder.select(value, index)
    return moved if bias is None else builder.add(moved, by_channel(bias, len(x.shape)))


def by_channel(values: np.ndarray, ndim: int) -> np.ndarray:
    """Numbers of channels, to go with a tensor (batch, channels, ...) of so many dimensions."""
    return values.reshape(-1, *[1] * (ndim - 2))


def max_pool(builder: Builder, x: Variable, window: Window, *, ceil: bool) -> Value:
    """The largest element of each window; padding never counts.

    Args:
        builder: Of the graph.
        x: The input, (batch, channels, *size).
        window: The windows.
        ceil: Whether a last window that is not complete counts.

    Raises:
        ValueError: if a window holds nothing but padding.
    """
    index = window.elements(x, ceil=ceil)
    # Padding is replaced by an element of the same window.
    index = np.where(index < 0, index.max(0), index)
    if (index < 0).any():
        raise ValueError("a window holds nothing but padding")
    return builder.maximum([builder.select(x, offset) for offset in index])


def average_pool(builder: Builder, x: Variable, window: Window, counts: np.ndarray | int, *, ceil: bool) -> Value:
    """The sum of each window, divided.

    Args:
        builder: Of the graph.
        x: The input, (batch, channels, *size).
        window: The windows.
        counts: What to divide by: `window.counts`, or a number for all.
        ceil: Whether a last window that is not complete counts.
    """
    if window.symmetric and not ceil:
        ones = np.ones((x.shape[1], 1, *window.kernel))
        total: Value = convolution(builder, x, ones, None, window, x.shape[1])
    else:
        elements = builder.chosen(x, np.moveaxis(window.elements(x, ceil=ceil), 0, -1))
        total = builder.sum(elements, (-1,), keepdims=0)
    return builder.multiply(total, np.asarray(1 / counts))


def global_max_pool(builder: Builder, x: Variable) -> Value:
    """The largest element of each channel."""
    index = positions(x.shape).reshape(*x.shape[:2], -1)
    largest = builder.maximum([builder.select(x, offset) for offset in np.moveaxis(index, -1, 0)])
    return builder.reshape(largest, (*x.shape[:2], *[1] * (len(x.shape) - 2)))


def mean(builder: Builder, x: Variable, dims: Sequence[int]) -> Value:
    """The mean over dimensions, which are kept with size 1."""
    return builder.multiply(builder.sum(x, dims), np.array(1 / prod(x.shape[dim] for dim in dims)))


def batch_norm(
    builder: Builder,
    x: Variable,
    affine: tuple[np.ndarray, np.ndarray],
    statistics: tuple[np.ndarray, np.ndarray],
    eps: float,
) -> Value:
    """(x - mean) / sqrt(variance + eps) scale + shift, by channel, with running statistics.

    Args:
        builder: Of the graph.
        x: The input, (batch, channels, ...).
        affine: Scale and shift, (channels,).
        statistics: Mean and variance, (channels,).
        eps: What is added to the variance.
    """
    scale, shift, center, variance = (values.astype(np.float64) for values in (*affine, *statistics))
    factor = scale / np.sqrt(variance + eps)
    ndim = len(x.shape)
    scaled = builder.scale(x, by_channel(factor, ndim))
    if not isinstance(scaled, Variable):
        return builder.add(scaled, by_channel(shift - center * factor, ndim))
    size = by_channel(np.abs(shift) + np.abs(center * factor), ndim)
    return builder.shift(scaled, by_channel(shift - center * factor, ndim), size)


def layer_norm(
    builder: Builder, x: Variable, n_dims: int, scale: np.ndarray | None, shift: np.ndarray | None, eps: float
) -> Value:
    """(x - mean) / sqrt(variance + eps) scale + shift, over the last dimensions.

    Args:
        builder: Of the graph.
        x: The input.
        n_dims: How many dimensions.
        scale: In the shape of these.
        shift: In the same shape.
        eps: What is added to the variance.
    """
    dims = range(len(x.shape) - n_dims, len(x.shape))
    centered = builder.known(builder.add(x, mean(builder, x, dims), -1))
    variance = mean(builder, builder.known(builder.multiply(centered, centered)), dims)
    deviation = builder.apply(Sqrt(), builder.known(builder.add(variance, np.array(eps))))
    value = builder.multiply(centered, builder.apply(Reciprocal(), deviation))
    value = value if scale is None else builder.multiply(value, scale)
    return value if shift is None else builder.add(value, shift)
