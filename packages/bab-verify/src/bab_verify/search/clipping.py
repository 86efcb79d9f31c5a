"""Boxes shrunk to where a linear bound leaves a violation possible."""

import torch
from torch import Tensor

from bab_verify.bounds.linear_bound import LinearBound
from bab_verify.intervals import FEW, Interval, gamma


def clip(linear: LinearBound, rows: Tensor, box: Interval) -> tuple[Tensor, Tensor]:
    """Where each row can still violate: A x + b - d <= 0.

    For each input, the others at their best leave x_i <= l_i - m / A_i for A_i > 0 and x_i >= u_i - m / A_i for
    A_i < 0, with m the row's least value over the box.

    Args:
        linear: Linear bounds of the rows, A (n, rows, inputs).
        rows: m, what A x + b - d is at least over the box, whatever rounding added, (n, rows).
        box: (n, inputs).

    Returns:
        The least and the largest x_i, (n, rows, inputs).
    """
    a = linear.coefficients
    few = gamma(FEW, a.dtype)
    reach = -rows.clamp(max=0).unsqueeze(2) / a.abs()
    # Wider by what these sums may lose to rounding, and where numbers vanish.
    reach = reach + few * (reach + box.magnitude.unsqueeze(1)) + torch.finfo(a.dtype).tiny
    above = torch.where(a > 0, box.lower.unsqueeze(1) + reach, float("inf"))
    below = torch.where(a < 0, box.upper.unsqueeze(1) - reach, float("-inf"))
    return torch.maximum(below, box.lower.unsqueeze(1)), torch.minimum(above, box.upper.unsqueeze(1))
