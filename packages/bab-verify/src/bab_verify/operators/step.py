"""The sign: a step at zero."""

import torch
from torch import Tensor

from bab_verify.intervals import Interval

from .relaxation import Nonlinear, Relaxation
from .tangent import rounding

STEEPEST = 1e4
"""The greatest slope of a plane."""


class Sign(Nonlinear):
    """-1 for x < 0, 0 at 0, 1 for x > 0.

    Over l < 0 < u it lies above any line through (0, -1) with a slope in [0, 2 / u], and below any line through (0, 1)
    with a slope in [0, -2 / l].
    """

    n_parameters = 2
    split_point = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """sign(x)."""
        return x.sign()

    def interval(self, x: Interval) -> Interval:
        """Increasing."""
        return Interval(x.lower.sign(), x.upper.sign())

    def initial_parameters(self, inputs: tuple[Interval, ...]) -> Tensor:
        """The lines of least area: below the steepest if u > -l, else the flat one; above the reverse."""
        (x,) = inputs
        rising = x.upper > -x.lower
        return torch.stack((rising, ~rising)).to(x.lower.dtype)

    def prepare(self, inputs: tuple[Interval, ...]) -> tuple[Tensor, ...]:
        """What `planes` needs: the steepest slopes, the intercepts, the initial parameters."""
        (x,) = inputs
        low, high = x.lower.sign(), x.upper.sign()
        # A line below passes through (0, low), one above through (0, high); neither turns where the sign is constant.
        steep_below = _steepest(high - low, x.upper) * (x.upper > 0)
        steep_above = _steepest(high - low, -x.lower) * (x.lower < 0)
        return steep_below, steep_above, low, high, *self.initial_parameters(inputs)

    def planes(self, state: tuple[Tensor, ...], parameters: Tensor | None = None) -> Relaxation:
        """Planes from what `prepare` found."""
        steep_below, steep_above, low, high, below, above = state
        if parameters is not None:
            below, above = parameters[0], parameters[1]
        zero = torch.zeros_like(below)
        return Relaxation((below * steep_below,), low + zero, (above * steep_above,), high + zero)

    def splittable(self, inputs: tuple[Interval, ...], index: int) -> Tensor:
        """Where it is not constant."""
        del index
        (x,) = inputs
        return x.lower.sign() != x.upper.sign()


def _steepest(rise: Tensor, run: Tensor) -> Tensor:
    """Rise over run, rounded down, and not too steep."""
    slope = (rise / run.clamp(min=1 / STEEPEST)).clamp(max=STEEPEST)
    return (slope - rounding(slope)).clamp(min=0)
