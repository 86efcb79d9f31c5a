"""Intervals: element-wise bounds of a value."""

from typing import NamedTuple

import torch
from torch import Tensor

ROUNDINGS = 32
"""Roundings, of half a unit in the last place of the largest terms, that a sum is taken to suffer."""


class Interval(NamedTuple):
    """Element-wise bounds of one value: two tensors of one shape."""

    lower: Tensor
    upper: Tensor

    def intersect(self, other: "Interval") -> "Interval":
        """What lies in both."""
        return Interval(torch.maximum(self.lower, other.lower), torch.minimum(self.upper, other.upper))

    def as_terms(self) -> "Interval":
        """Moved outwards by what a sum of such terms may lose to rounding, so that their sum bounds the exact one."""
        return self.widened(ROUNDINGS / 2)

    def widened(self, units: float) -> "Interval":
        """Moved outwards by units in the last place of each end (so zero stays zero)."""
        margin = units * torch.finfo(self.lower.dtype).eps
        return Interval(self.lower - margin * self.lower.abs(), self.upper + margin * self.upper.abs())

    def defined(self) -> "Interval":
        """Without NaN, which says nothing, and without a lower bound above all numbers or an upper one below them."""
        infinity, most = float("inf"), torch.finfo(self.lower.dtype).max
        return Interval(
            self.lower.nan_to_num(-infinity, most, -infinity), self.upper.nan_to_num(infinity, infinity, -most)
        )


def sum_error(dtype: torch.dtype) -> float:
    """What a sum in a type of numbers may be wrong by, as a share of the absolute values of its terms."""
    return ROUNDINGS / 2 * torch.finfo(dtype).eps
