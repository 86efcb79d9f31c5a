"""Rounding: how far a bound that was computed in floating point may lie from the exact one.

Soundness hangs on this account alone, a running error analysis (Higham, Accuracy and Stability of Numerical
Algorithms, section 3.3). A backward pass holds coefficients a of the values z of nodes, and says that the sum of a z
over them, plus a constant, is at most C f(x). Each of its steps computes other coefficients from these, with an error
that is a share of what it adds up: through z = W y + c it is gamma_n |a| (|W| |y| + |c|), where n roundings are made
and |y| is bounded by the bounds of y. So each node has an error per unit of its coefficient, which depends on the
bounds of nodes only (`errors.ErrorAnalysis`); those of affine nodes go, with the slopes, into those of the nonlinear
nodes that take them. Their sum over a pass, times |a|, is `LinearBound.error`. What follows takes off that, and what
the last step may add:

- `sound_minimum` is what C f(x) - d is at least;
- `margin_slack` is what a margin must exceed, for those who need the margin itself, too, to differentiate it;
- `lowered` is a linear bound that holds as it stands;
- `interval_margins` is the same for bounds by interval arithmetic;
- `outward` takes bounds to other numbers.

A sum is taken to be made in any order. Nothing is taken for granted but that a single operation of the machine rounds
to the nearest number, that elementary functions are within a few units in the last place (`operators.tangent`), and
that nothing is computed in a lower precision than it is stored in (`standard_arithmetic`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from bab_verify.intervals import FEW, Interval, gamma, n_roundings, weighted

from .linear_bound import LinearBound


def sound_minimum(linear: LinearBound, box: Interval, threshold: Tensor | float = 0.0) -> Float[Tensor, "batch rows"]:
    """What C f(x) - d is at least, whatever rounding added: the minimum less d and what it may be wrong by.

    Args:
        linear: The bound of C f(x).
        box: Of the input, (batch, inputs).
        threshold: d, (batch, rows) or (rows,).
    """
    dtype = linear.offset.dtype
    center, radius = (box.lower + box.upper) / 2, (box.upper - box.lower) / 2
    radius = radius + _input_share(linear, dtype) * box.magnitude
    value = weighted(linear.coefficients, center) - weighted(linear.coefficients.abs(), radius)
    size = linear.offset.abs() + (threshold.abs() if isinstance(threshold, Tensor) else abs(threshold))
    infinity = float("inf")
    error = linear.error + gamma(FEW, dtype) * size
    return (value + linear.offset - threshold - error).nan_to_num(-infinity, -infinity, -infinity)


def margin_slack(linear: LinearBound, box: Interval, threshold: Tensor) -> Float[Tensor, "batch rows"]:
    """What a margin, `linear.minimum(box)` - d, must exceed to count as positive.

    Args:
        linear: The bound of C f(x).
        box: Of the input, (batch, inputs).
        threshold: d, (batch, rows) or (rows,).
    """
    dtype = linear.offset.dtype
    inputs = weighted(linear.coefficients.abs(), box.magnitude)
    rest = gamma(FEW, dtype) * (linear.offset.abs() + threshold.abs())
    infinity = float("inf")
    slack = torch.add(rest + linear.error, inputs, alpha=_input_share(linear, dtype))
    return slack.nan_to_num(infinity, infinity, infinity)


def lowered(linear: LinearBound, box: Interval) -> LinearBound:
    """The same with all that rounding may have added taken off b: A x + b <= C f(x) as it stands."""
    offset = linear.offset - margin_slack(linear, box, torch.zeros_like(linear.offset))
    offset = offset.nextafter(torch.full_like(offset, -torch.inf))
    return LinearBound(linear.coefficients, offset, torch.zeros_like(offset))


def slack_in(dtype: torch.dtype, linear: LinearBound, box: Interval, threshold: Tensor) -> Float[Tensor, "batch rows"]:
    """What `margin_slack` would be, about, if the same were computed in another type of numbers."""
    slack = margin_slack(linear, box, threshold)
    return slack * torch.finfo(dtype).eps / torch.finfo(slack.dtype).eps


def _input_share(linear: LinearBound, dtype: torch.dtype) -> float:
    """The share of |A| |x| that the sum over the inputs may be wrong by."""
    return gamma(n_roundings(linear.coefficients.shape[-1]) + FEW, dtype)


def interval_product(c: Float[Tensor, "#batch rows n"], x: Interval) -> Interval:
    """Bounds of C x by interval arithmetic, (batch, rows), rounded outward.

    Args:
        c: C; its batch may be 1.
        x: Of n values, (batch, n).
    """
    n = n_roundings(x.lower.shape[-1]) + FEW
    lower, upper = x.as_terms(n)
    positive, negative = c.clamp(min=0), c.clamp(max=0)
    least = weighted(positive, lower) + weighted(negative, upper)
    most = weighted(positive, upper) + weighted(negative, lower)
    return Interval(least, most).defined()


def interval_margins(
    c: Float[Tensor, "#batch rows outputs"], y: Interval, threshold: Float[Tensor, "rows"]
) -> Float[Tensor, "boxes rows"]:
    """What C y - d is at least by interval arithmetic, whatever rounding added.

    Args:
        c: C; its batch may be 1.
        y: Bounds of the outputs, (batch, outputs).
        threshold: d.
    """
    least = interval_product(c, y).lower
    least = least - threshold - gamma(FEW, threshold.dtype) * (least.abs() + threshold.abs())
    return least.nan_to_num(nan=-torch.inf, posinf=-torch.inf)


def outward(x: Interval, dtype: torch.dtype) -> Interval:
    """Bounds in other numbers, rounded away from what they enclose."""
    lower, upper = (end.to(dtype) for end in x)
    low, high = (torch.full_like(lower, end) for end in (-torch.inf, torch.inf))
    return Interval(
        torch.where(lower.to(x.lower) > x.lower, lower.nextafter(low), lower),
        torch.where(upper.to(x.upper) < x.upper, upper.nextafter(high), upper),
    )


@contextmanager
def standard_arithmetic() -> Iterator[None]:
    """Products in the precision of their factors, and sums of products of these: what the account is of.

    PyTorch may be set to multiply matrices in a lower precision (TF32, bfloat16), and cuDNN convolves by transforms
    whose errors are no sum of products.
    """
    precision, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn.enabled
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.enabled = cudnn
