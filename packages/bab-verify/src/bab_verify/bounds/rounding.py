"""Rounding: how far a bound that was computed in floating point may lie from the exact one.

Soundness hangs on this rule alone. A bound C f(x) >= A x + b that a backward pass found is wrong by a share of the
terms that it is the sum of: |A| |x|, and all that b is the sum of (`LinearBound.size`), which is much more than |b| in
deep networks, where terms cancel. The share is that of any sum, `intervals.sum_error`. Whoever takes a margin for a
proof takes it from here:

- `sound_minimum` is what C f(x) - d is at least;
- `margin_slack` is what a margin must exceed, for those who need the margin itself, too, to differentiate it;
- `interval_margins` is the same for bounds by interval arithmetic;
- `outward` takes bounds to other numbers.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bab_verify.intervals import Interval, sum_error

from .linear_bound import LinearBound


def sound_minimum(linear: LinearBound, box: Interval, threshold: Tensor | float = 0.0) -> Float[Tensor, "batch rows"]:
    """What C f(x) - d is at least, whatever rounding added: the minimum less d and what it may be wrong by.

    Args:
        linear: The bound of C f(x).
        box: Of the input, (batch, inputs).
        threshold: d, (batch, rows) or (rows,).
    """
    unit = sum_error(linear.offset.dtype)
    center, radius = (box.lower + box.upper) / 2, (box.upper - box.lower) / 2
    radius = radius + unit * torch.maximum(box.lower.abs(), box.upper.abs())
    value = torch.matmul(linear.coefficients, center.unsqueeze(-1))
    value = (value - torch.matmul(linear.coefficients.abs(), radius.unsqueeze(-1))).squeeze(-1)
    size = _offset_size(linear)
    size = size + (threshold.abs() if isinstance(threshold, Tensor) else abs(threshold))
    infinity = float("inf")
    return (value + linear.offset - threshold - unit * size).nan_to_num(-infinity, -infinity, -infinity)


def margin_slack(linear: LinearBound, box: Interval, threshold: Tensor) -> Float[Tensor, "batch rows"]:
    """What a margin, `linear.minimum(box)` - d, must exceed to count as positive.

    Args:
        linear: The bound of C f(x).
        box: Of the input, (batch, inputs).
        threshold: d, (batch, rows) or (rows,).
    """
    reach = torch.maximum(box.lower.abs(), box.upper.abs()).unsqueeze(-1)
    terms = (linear.coefficients.abs() @ reach).squeeze(-1) + _offset_size(linear) + threshold.abs()
    infinity = float("inf")
    return (sum_error(terms.dtype) * terms).nan_to_num(infinity, infinity, infinity)


def slack_in(dtype: torch.dtype, linear: LinearBound, box: Interval, threshold: Tensor) -> Float[Tensor, "batch rows"]:
    """What `margin_slack` would be if the same were computed in another type of numbers."""
    slack = margin_slack(linear, box, threshold)
    return slack * torch.finfo(dtype).eps / torch.finfo(slack.dtype).eps


def interval_product(c: Float[Tensor, "#batch rows n"], x: Interval) -> Interval:
    """Bounds of C x by interval arithmetic, (batch, rows), rounded outward.

    Args:
        c: C; its batch may be 1.
        x: Of n values, (batch, n).
    """
    lower, upper = (end.unsqueeze(2) for end in x.as_terms())
    positive, negative = c.clamp(min=0), c.clamp(max=0)
    least, most = positive @ lower + negative @ upper, positive @ upper + negative @ lower
    return Interval(least.squeeze(2), most.squeeze(2)).defined()


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
    least = least - threshold - sum_error(threshold.dtype) * (least.abs() + threshold.abs())
    return least.nan_to_num(nan=-torch.inf, posinf=-torch.inf)


def outward(x: Interval, dtype: torch.dtype) -> Interval:
    """Bounds in other numbers, rounded away from what they enclose."""
    lower, upper = (end.to(dtype) for end in x)
    low, high = (torch.full_like(lower, end) for end in (-torch.inf, torch.inf))
    return Interval(
        torch.where(lower.to(x.lower) > x.lower, lower.nextafter(low), lower),
        torch.where(upper.to(x.upper) < x.upper, upper.nextafter(high), upper),
    )


def _offset_size(linear: LinearBound) -> Tensor:
    """The absolute values of all that b is the sum of."""
    return torch.maximum(linear.size, linear.offset.abs())
