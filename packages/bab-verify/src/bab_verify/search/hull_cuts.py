"""Hull cuts: planes above one ReLU over the box of its inputs, which the triangle over its own bounds is above."""

import numpy as np
from numpy.typing import NDArray

from .linear_program import TINY, Vector, rounding_share
from .relu_program import Layer


def hull_cuts(layer: Layer, lower: Vector, upper: Vector, point: Vector) -> tuple[NDArray[np.float64], Vector, Vector]:
    """The facet that a point violates most, of the convex hull of each unit's graph over the box of its inputs.

    The facets of relu(w v + b) over a box are, for sets I of inputs,

        y <= sum over I of w_i (v_i - L_i) + l(I) / (U_h - L_h) (v_h - L_h),

    where L and U are the ends of the box at which w v is least and greatest, and l(I) >= 0 > l(I and h) is w v + b with
    the inputs of I at L and the others at U. The most violated one takes inputs in the order of (v - L) / (U - L)
    (Tjandraatmadja et al., "The convex relaxation barrier, revisited", NeurIPS 2020, proposition 2). Whatever rounding
    makes of the coefficients, the constant is then the least that holds with them, rounded up.

    Args:
        layer: The units.
        lower: Of all columns, (columns,).
        upper: Of all columns.
        point: Values of all columns.

    Returns:
        a (units, inputs) and e (units,) of cuts y <= a v + e, and by how much the point violates each, (units,).
    """
    low, high, v = lower[layer.v], upper[layer.v], point[layer.v]
    w = layer.weight
    width = high - low
    steps = np.abs(w) * width
    share = np.where(w >= 0, v - low, high - v) / np.maximum(width, TINY)
    order = np.argsort(share, axis=1, kind="stable")
    most = layer.bias + np.maximum(w * low, w * high).sum(1)
    left = most[:, None] - np.cumsum(np.take_along_axis(steps, order, 1), 1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(w.shape[1]), order.shape), 1)
    last = np.where((left < 0).any(1), (left < 0).argmax(1), w.shape[1])[:, None]
    before = np.take_along_axis(np.c_[most, left], last, 1)
    part = np.clip(before / np.maximum(steps, TINY), 0, 1)
    a = np.where(rank < last, w, np.where(rank == last, part * w, 0.0))
    above_zero = np.minimum(a * low, a * high).sum(1)
    above_line = np.minimum((a - w) * low, (a - w) * high).sum(1)
    reach = np.maximum(np.abs(low), np.abs(high))
    size = (np.abs(a) + np.abs(w)) @ reach + np.abs(layer.bias)
    error = rounding_share(2 * w.shape[1] + 8) * size + 2 * layer.allowance + 4 * w.shape[1] * TINY
    e = np.maximum(-above_zero, layer.bias - above_line) + error
    return a, e, point[layer.y] - (a @ v + e)
