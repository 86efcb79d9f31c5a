"""Linear bounds of a network in terms of its input."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from bab_verify.intervals import Interval, weighted


@dataclass
class LinearBound:
    """A x + b - e <= C f(x) for every x of the input box, for each row of C.

    Args:
        coefficients: A, (batch, rows, inputs).
        offset: b, (batch, rows).
        error: e, what rounding may have added on the way from the output to A and b, (batch, rows).
    """

    coefficients: Tensor
    offset: Tensor
    error: Tensor

    def minimum(self, box: Interval) -> Float[Tensor, "batch rows"]:
        """The least A x + b over a box (batch, inputs): A centre - |A| radius + b; -infinity where it overflows."""
        center, radius = (box.lower + box.upper) / 2, (box.upper - box.lower) / 2
        value = weighted(self.coefficients, center) - weighted(self.coefficients.abs(), radius)
        infinity = float("inf")
        return (value + self.offset).nan_to_num(-infinity, -infinity, -infinity)

    def minimizer(self, box: Interval) -> Float[Tensor, "batch rows inputs"]:
        """Where it is least: the corner of the box against the signs of A."""
        return torch.where(self.coefficients > 0, box.lower.unsqueeze(1), box.upper.unsqueeze(1))

    def added_to(self, before: "tuple[LinearBound, LinearBound] | None") -> "tuple[LinearBound, LinearBound]":
        """Rows below, and then the negatives of rows above, after those before."""
        n = self.offset.shape[1] // 2
        below = LinearBound(self.coefficients[:, :n], self.offset[:, :n], self.error[:, :n])
        above = LinearBound(-self.coefficients[:, n:], -self.offset[:, n:], self.error[:, n:])
        return (below, above) if before is None else (before[0].followed_by(below), before[1].followed_by(above))

    def followed_by(self, other: "LinearBound") -> "LinearBound":
        """These rows and then others."""
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(LinearBound))
        return LinearBound(*(torch.cat(pair, 1) for pair in pairs))
