"""Activations of networks, from operations of the builder."""

import numpy as np

from bab_verify.graph import Operator
from bab_verify.operators.convex import Exp, Log, Reciprocal
from bab_verify.operators.s_shaped import Sigmoid

from .builder import Builder, Value, Variable


def leaky_relu(builder: Builder, x: Variable, slope: np.ndarray) -> Value:
    """S x + (1 - s) max(x, 0), with one slope or slopes by element."""
    slope = np.asarray(slope, np.float64)
    return builder.add(builder.scale(x, slope), builder.multiply(builder.relu(x), np.asarray(1 - slope)))


def clip(builder: Builder, x: Value, lower: float, upper: float) -> Value:
    """L + max(x - l, 0) - max(x - u, 0); ends beyond float32 are no ends."""
    limit = float(np.finfo(np.float32).max)
    if upper <= lower:
        return np.full(x.shape, upper)
    value = x
    if lower > -limit:
        value = builder.add(builder.relu(builder.add(x, np.array(-lower))), np.array(lower))
    if upper < limit:
        value = builder.add(value, builder.relu(builder.add(x, np.array(-upper))), -1)
    return value


def hard_sigmoid(builder: Builder, x: Variable, slope: float, intercept: float) -> Value:
    """A x + b, clipped to [0, 1]."""
    return clip(builder, builder.add(builder.scale(x, np.array(slope)), np.array(intercept)), 0.0, 1.0)


def hard_swish(builder: Builder, x: Variable) -> Value:
    """X times the hard sigmoid of x."""
    return builder.multiply(x, hard_sigmoid(builder, x, 1 / 6, 0.5))


def silu(builder: Builder, x: Variable) -> Value:
    """X times the sigmoid of x."""
    return builder.multiply(x, builder.apply(Sigmoid(), x))


def elu(builder: Builder, x: Variable, alpha: float, scale: float = 1.0, input_scale: float = 1.0) -> Value:
    """S (max(x, 0) + a (exp(c min(x, 0)) - 1)): ELU, and SELU and CELU with other scales."""
    below = builder.scale(builder.known(builder.relu(builder.scale(x, np.array(-1.0)))), np.array(-input_scale))
    curve = builder.add(builder.apply(Exp(), builder.known(below)), np.array(-1.0))
    positive = builder.multiply(builder.relu(x), np.array(scale))
    return builder.add(positive, builder.multiply(curve, np.array(scale * alpha)))


def softmax(builder: Builder, x: Variable, axis: int, *, log: bool = False) -> Value:
    """The softmax over a dimension, or its logarithm."""
    return softmax_over(builder, x, np.moveaxis(np.arange(x.size).reshape(x.shape), axis, -1), log=log)


def softmax_over(builder: Builder, x: Variable, moved: np.ndarray, *, log: bool = False) -> Value:
    """y_i = 1 / (1 + sum of exp(x_j - x_i) over j other than i): no product, and the sum is at least 1.

    Args:
        builder: Of the graph.
        x: The input.
        moved: The flat index of each of its elements; those along the last dimension add up to 1.
        log: Whether to take the logarithm.
    """
    n = moved.shape[-1]
    if n == 1:
        return np.full(x.shape, float(not log))
    others = (np.arange(n)[:, None] + np.arange(1, n)) % n
    left = builder.select(x, moved[..., others])
    right = builder.select(x, np.broadcast_to(moved[..., None], (*moved.shape, n - 1)))
    terms = _apply(builder, Exp(), builder.add(left, right, -1))
    below = builder.add(builder.sum(terms, (-1,), keepdims=0), np.array(1.0))
    if log:
        value = builder.multiply(_apply(builder, Log(), below), np.array(-1.0))
    else:
        value = _apply(builder, Reciprocal(), below)
    place = np.empty(x.size, np.int64)
    place[moved.reshape(-1)] = np.arange(x.size)
    return builder.pick(value, place.reshape(x.shape))


def _apply(builder: Builder, operator: Operator, x: Value) -> Variable:
    return builder.apply(operator, builder.known(x))
