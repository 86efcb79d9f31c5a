"""Linear bounds of a network in terms of its input."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .graph import STEPS, Interval


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
        centre, radius = (box.lower + box.upper) / 2, (box.upper - box.lower) / 2
        value = torch.matmul(self.coefficients, centre.unsqueeze(-1))
        value = value - torch.matmul(self.coefficients.abs(), radius.unsqueeze(-1))
        infinity = float("inf")
        return (value.squeeze(-1) + self.offset).nan_to_num(-infinity, -infinity, -infinity)

    def sound_minimum(self, box: Interval, threshold: Tensor | float = 0.0) -> Float[Tensor, "batch rows"]:
        """What C f(x) - d is at least, whatever rounding added: the minimum less d and what it may be wrong by.

        Errors of a backward pass are relative to its terms: |A| |x|, |d|, and all that b is the sum of, which is much
        more than |b| in deep networks, where terms cancel.

        Args:
            box: Of the input, (batch, inputs).
            threshold: d, (batch, rows) or (rows,).
        """
        unit = STEPS / 2 * torch.finfo(self.offset.dtype).eps
        centre, radius = (box.lower + box.upper) / 2, (box.upper - box.lower) / 2
        radius = radius + unit * torch.maximum(box.lower.abs(), box.upper.abs())
        value = torch.matmul(self.coefficients, centre.unsqueeze(-1))
        value = (value - torch.matmul(self.coefficients.abs(), radius.unsqueeze(-1))).squeeze(-1)
        size = torch.maximum(self.size, self.offset.abs())
        size = size + (threshold.abs() if isinstance(threshold, Tensor) else abs(threshold))
        infinity = float("inf")
        return (value + self.offset - threshold - unit * size).nan_to_num(-infinity, -infinity, -infinity)

    def minimiser(self, box: Interval) -> Float[Tensor, "batch rows inputs"]:
        """Where it is least: the corner of the box against the signs of A."""
        return torch.where(self.coefficients > 0, box.lower.unsqueeze(1), box.upper.unsqueeze(1))
