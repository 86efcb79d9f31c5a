"""The rectified linear unit: the triangle relaxation."""

import torch
from torch import Tensor

from bab_verify.intervals import Interval, gamma, n_roundings, summed, weighted

from .relaxation import PRODUCT, Nonlinear, Relaxation, felt
from .tangent import rounding


class Relu(Nonlinear):
    """max(x, 0).

    Over l < 0 < u it lies below the chord from (l, 0) to (u, u), and above any line through the origin with a slope
    alpha in [0, 1] (CROWN; alpha is the parameter that alpha-CROWN optimises).
    """

    n_parameters = 1
    split_point = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """max(x, 0)."""
        return x.relu()

    def interval(self, x: Interval) -> Interval:
        """Monotone."""
        return Interval(x.lower.relu(), x.upper.relu())

    def initial_parameters(self, inputs: tuple[Interval, ...]) -> Tensor:
        """The slope of smaller area: 1 if u > -l, else 0."""
        (x,) = inputs
        return (x.upper > -x.lower).to(x.lower.dtype).unsqueeze(0)

    def prepare(self, inputs: tuple[Interval, ...]) -> tuple[Tensor, ...]:
        """The chord, and the least and the largest slope below."""
        (x,) = inputs
        upper, lower = x.upper.relu(), x.lower.clamp(max=0)
        active = x.lower >= 0
        chord = upper / (upper - lower).clamp(min=torch.finfo(upper.dtype).tiny)
        chord = chord.masked_fill(active, 1)
        # A line through the origin is exact where the unit is stable.
        unstable = (x.lower < 0) & (x.upper > 0)
        least, span = active.to(chord.dtype), unstable.to(chord.dtype)
        # Above zero at l and above u at u, and raised by what rounding may take from the chord anywhere between.
        top = torch.maximum(-chord * lower, torch.addcmul(upper, chord, upper, value=-1)) + rounding(upper)
        intercept = torch.where(unstable, top, 0)
        initial = (x.upper > -x.lower).to(chord.dtype)
        return chord, intercept, least, span, initial

    def planes(self, state: tuple[Tensor, ...], parameters: Tensor | None = None) -> Relaxation:
        """The triangle."""
        chord, intercept, least, span, initial = state
        slope = initial if parameters is None else torch.addcmul(least, span, parameters[0])
        return Relaxation((slope,), torch.zeros((), dtype=chord.dtype, device=chord.device), (chord,), intercept)

    def through(self, a: Tensor, planes: Relaxation) -> tuple[tuple[Tensor, ...], Tensor, Tensor | float]:
        """The plane below has no intercept and that above none below zero, which saves passes over the coefficients."""
        below, above = planes.lower_slopes[0], planes.upper_slopes[0]
        negative, top = a.clamp(max=0), planes.upper_intercept
        inputs = (torch.addcmul(a * below, negative, above - below),)
        if top.shape[1] == 1:
            constant = weighted(negative.flatten(2), top.flatten(1))
        else:
            constant = summed((negative * top).flatten(2))
        return inputs, constant, felt(a, planes.error)

    @torch.no_grad()
    def rounding(
        self,
        planes: Relaxation,
        magnitudes: tuple[Tensor, ...],
        errors: tuple[Tensor, ...],
        n_constants: int,
        n_parts: int,
    ) -> Tensor:
        """No slope is above 1, so this is the same for all parameters; and zero where the unit is inactive."""
        (magnitude,), (error,) = magnitudes, errors
        top, chord = planes.upper_intercept, planes.upper_slopes[0]
        total = torch.add(error, magnitude, alpha=gamma(PRODUCT + n_parts, top.dtype))
        total = torch.add(total, top, alpha=gamma(n_roundings(top[0, 0].numel()) + n_constants + 2, top.dtype))
        return total.masked_fill(chord + top == 0, 0)

    def splittable(self, inputs: tuple[Interval, ...], index: int) -> Tensor:
        """Where it is unstable."""
        del index
        (x,) = inputs
        return (x.lower < 0) & (x.upper > 0)
