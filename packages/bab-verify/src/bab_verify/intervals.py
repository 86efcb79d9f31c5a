"""Intervals: element-wise bounds of a value."""

from typing import NamedTuple

import torch
from torch import Tensor

SPARE = 1.1
"""By how much bounds on rounding errors are raised, since they are computed in floating point themselves."""
FEW = 8
"""Roundings beside those of a long sum, at most: of a threshold, an offset, a constant, what is folded into one."""
BLOCK = 512
"""Terms that are summed in one go; sums of more are sums of such sums, whose rounding errors are smaller."""


class Interval(NamedTuple):
    """Element-wise bounds of one value: two tensors of one shape."""

    lower: Tensor
    upper: Tensor

    def intersect(self, other: "Interval") -> "Interval":
        """What lies in both."""
        return Interval(torch.maximum(self.lower, other.lower), torch.minimum(self.upper, other.upper))

    @property
    def magnitude(self) -> Tensor:
        """The greatest absolute value."""
        return torch.maximum(self.lower.abs(), self.upper.abs())

    def as_terms(self, n: int) -> "Interval":
        """Moved outwards by what a sum of n such terms may lose to rounding, so that their sum bounds the exact one."""
        return self.widened(gamma(n, self.lower.dtype) / torch.finfo(self.lower.dtype).eps)

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


def gamma(n: int, dtype: torch.dtype) -> float:
    """What n roundings may change a product or a sum of products by, as a share of its terms' absolute values.

    That is gamma_n = n u / (1 - n u) of Higham, Accuracy and Stability of Numerical Algorithms, section 3.1, with u
    half a unit in the last place, and `SPARE`; infinite where n u is no longer small. It holds for every order of
    summation, with fused multiplications and without.
    """
    share = n * torch.finfo(dtype).eps / 2
    return SPARE * share / (1 - share) if share < 0.05 else float("inf")


def n_roundings(n: int) -> int:
    """Roundings that each of n terms meets in `summed` and `weighted`."""
    return n if n <= BLOCK else BLOCK + n // BLOCK + 2


def summed(terms: Tensor) -> Tensor:
    """The sum over the last dimension, in blocks."""
    n = terms.shape[-1]
    if n <= BLOCK:
        return terms.sum(-1)
    whole = n // BLOCK * BLOCK
    blocks = terms[..., :whole].unflatten(-1, (-1, BLOCK)).sum(-1).sum(-1)
    return blocks if whole == n else blocks + terms[..., whole:].sum(-1)


def weighted(rows: Tensor, weights: Tensor) -> Tensor:
    """Sums of rows (batch or 1, rows, n) times weights (batch or 1, n) over n, in blocks: (batch, rows)."""
    n = rows.shape[-1]
    if n <= BLOCK:
        return torch.matmul(weights.unsqueeze(-2), rows.mT).squeeze(-2)
    whole = n // BLOCK * BLOCK
    left = rows[..., :whole].unflatten(-1, (-1, BLOCK)).movedim(-2, -3)
    right = weights[..., :whole].unflatten(-1, (-1, BLOCK)).unsqueeze(-2)
    blocks = torch.matmul(right, left.mT).squeeze(-2).sum(-2)
    return blocks if whole == n else blocks + weighted(rows[..., whole:], weights[..., whole:])


def ordered(lower: Tensor, upper: Tensor, shape: tuple[int, ...]) -> Interval:
    """Bounds (batch, elements) in the shape of a node.

    Where rounding made them cross, as it may of what is almost a point, they change places.
    """
    return Interval(torch.minimum(lower, upper).reshape(-1, *shape), torch.maximum(lower, upper).reshape(-1, *shape))
