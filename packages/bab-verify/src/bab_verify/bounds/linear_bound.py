"""Linear bounds of a network in terms of its input."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from bab_verify.intervals import Interval


@dataclass
class LinearBound:
    """A x + b <= C f(x) for every x of the input box, for each row of C.

    Args:
        coefficients: A, (batch, rows, inputs).
        offset: b, (batch, rows).
        size: The absolute values of all terms that b is the sum of, (batch, rows), to which its rounding is relative.
    """

    coefficients: Tensor
    offset: Tensor
    size: Tensor

    def minimum(self, box: Interval) -> Float[Tensor, "batch rows"]:
        """The least value over a box (batch, inputs): A centre - |A| radius + b; -infinity where it overflows."""
        center, radius = (box.lower + box.upper) / 2, (box.upper - box.lower) / 2
        value = torch.matmul(self.coefficients, center.unsqueeze(-1))
        value = value - torch.matmul(self.coefficients.abs(), radius.unsqueeze(-1))
        infinity = float("inf")
        return (value.squeeze(-1) + self.offset).nan_to_num(-infinity, -infinity, -infinity)

    def minimizer(self, box: Interval) -> Float[Tensor, "batch rows inputs"]:
        """Where it is least: the corner of the box against the signs of A."""
        return torch.where(self.coefficients > 0, box.lower.unsqueeze(1), box.upper.unsqueeze(1))
