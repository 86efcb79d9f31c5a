"""Rounding: how far a bound that was computed in floating point may lie from the exact one."""

import torch
from torch import Tensor

from .graph import STEPS, Interval
from .linear_bound import LinearBound


def margin_slack(linear: LinearBound, box: Interval, threshold: Tensor) -> Tensor:
    """What a margin must exceed to count as positive, (batch, rows).

    Errors of a backward pass are relative to its terms: |A| |x|, |d|, and all that b is the sum of, which is much more
    than |b| in deep networks, where terms cancel.

    Args:
        linear: The bound.
        box: Of the input, (batch, inputs).
        threshold: d, (batch, rows) or (rows,).
    """
    size = torch.maximum(box.lower.abs(), box.upper.abs()).unsqueeze(-1)
    offset = torch.maximum(linear.size, linear.offset.abs())
    terms = (linear.coefficients.abs() @ size).squeeze(-1) + offset + threshold.abs()
    infinity = float("inf")
    return (STEPS * torch.finfo(terms.dtype).eps / 2 * terms).nan_to_num(infinity, infinity, infinity)
