"""The sine."""

from functools import cache
from math import pi

import torch
from torch import Tensor

from bab_verify.intervals import Interval

from .relaxation import Relaxation, secant
from .tangent import ROUNDING, Smooth, Tangents, bisect, both_sides, fraction, interpolate

ENTRIES = 2048
"""How many tangent points the table of a period holds."""


class Sin(Smooth):
    """sin(x).

    The lines that support it from below are those that support its convex hull over the interval: one for each slope
    between the hull's slope at l and that at u. Each parameter mixes the two slopes of a side. For a slope k, the
    intercept is the least of sin(x) - k x over both ends and the stationary points cos(x) = k, of which only the first
    or the last minimum counts.
    """

    tangents: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("tangents", _tangent_points(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """sin(x)."""
        return x.sin()

    def slope(self, x: Tensor) -> Tensor:
        """cos(x)."""
        return x.cos()

    def interval(self, x: Interval) -> Interval:
        """1 if a crest is inside, -1 if a trough is, else the values at the ends."""
        a, b = x.lower.sin(), x.upper.sin()
        eps = torch.finfo(a.dtype).eps
        slack = eps * (1 + torch.maximum(x.lower.abs(), x.upper.abs()))

        def meets(phase: float) -> Tensor:
            first = ((x.lower - phase) / (2 * pi) - slack).ceil()
            return first <= (x.upper - phase) / (2 * pi) + slack

        upper = torch.where(meets(pi / 2), torch.ones_like(a), torch.maximum(a, b) + ROUNDING * eps)
        lower = torch.where(meets(-pi / 2), -torch.ones_like(a), torch.minimum(a, b) - ROUNDING * eps)
        return Interval(lower.clamp(min=-1), upper.clamp(max=1))

    def prepare(self, inputs: tuple[Interval, ...]) -> Tangents:
        """What `planes` needs of an interval: the slopes of the hulls at its ends."""
        (x,) = inputs
        with torch.no_grad():
            lower, upper = x
            a, b, cos_a, cos_b = lower.sin(), upper.sin(), lower.cos(), upper.cos()
            chord = secant(a, b, x, ((lower + upper) / 2).cos())
            # The curve turned by half a period is -f, read backwards -f, and both is f.
            starts = torch.stack((lower, lower - pi, -pi - upper, -upper))
            slopes = torch.stack((cos_a, -cos_a, -cos_b, cos_b))
            chords = torch.stack((chord, -chord, -chord, chord))
            first_below, first_above, last_below, last_above = self._hull_slope(starts, upper - lower, slopes, chords)
            start = torch.stack((first_below, -first_above))
            return Tangents(
                *(lower, upper, torch.maximum(lower.abs(), upper.abs())),
                *both_sides(a, b),
                *(start, torch.stack((-last_below, last_above)) - start),
                *(torch.zeros_like(start, dtype=torch.bool), chord),
            )

    def planes(self, state: tuple[Tensor, ...], parameters: Tensor | None = None) -> Relaxation:
        """Planes from what `prepare` found.

        Args:
            state: What `prepare` found.
            parameters: (2, batch, rows or 1, *shape) in [0, 1]; by default those of least area.
        """
        s = Tangents(*state)
        p = self.least_area(s) if parameters is None else parameters
        slope = torch.addcmul(s.start_both, p, s.span_both)
        return self.enclose(s, slope, _stationary(s, slope))

    def margin(self, s: Tangents, slope: Tensor, intercept: Tensor) -> Tensor:
        """What rounding moves lines; stationary points are inexact, but the curve less its line is flat there."""
        del intercept
        eps = ROUNDING * torch.finfo(slope.dtype).eps
        return torch.addcmul(eps + (eps * s.reach).clamp(max=2) ** 2, slope.abs(), s.reach, value=eps)

    def least_area(self, s: Tangents) -> Tensor:
        """Of the slopes at the hull's ends, at the middle and zero, those whose line is best at the middle."""
        middle = (s.lower + s.upper) / 2
        cos = middle.cos()
        first, last = s.start_both, s.start_both + s.span_both
        low, high = torch.minimum(first, last), torch.maximum(first, last)

        def best_at_middle(slope: Tensor) -> Tensor:
            planes = self.enclose(s, slope, _stationary(s, slope))
            return torch.stack((planes.lower_intercept, -planes.upper_intercept)) + s.sign * slope * middle

        with torch.no_grad():
            best, height = first, best_at_middle(first)
            for slope in (last, cos.clamp(low, high), torch.zeros_like(cos).clamp(low, high)):
                other = best_at_middle(slope)
                best, height = torch.where(other > height, slope, best), torch.maximum(height, other)
            return fraction(best, s.start_both, s.span_both)

    def _hull_slope(self, start: Tensor, width: Tensor, slope: Tensor, chord: Tensor) -> Tensor:
        """Slope of the convex hull at the start of an interval.

        It is the least slope of a line from the start to a later point: at the start itself, at the end, or at the
        tangent point in the next trough.
        """
        phase = torch.remainder(start + pi, 2 * pi)
        touching = interpolate(self.tangents, phase * ((ENTRIES - 1) / (2 * pi)))
        tangent = torch.where(touching - (phase - pi) < width, touching.cos(), torch.ones_like(width))
        return torch.minimum(torch.minimum(slope, chord), tangent)


def _stationary(s: Tangents, slope: Tensor) -> Tensor:
    """Where sin(x) - k x is least, and greatest, within the interval."""
    with torch.no_grad():
        # Minima repeat with the period and change by -2 pi k: the last one counts if k > 0, else the first.
        angle = slope.clamp(-1, 1).acos() * s.sign
        first = ((s.lower + angle) / (2 * pi)).ceil()
        last = ((s.upper + angle) / (2 * pi)).floor()
        at = 2 * pi * torch.where(slope * s.sign > 0, last, first) - angle
        # If none is inside, this is an end, which does no harm.
        return torch.minimum(torch.maximum(at, s.lower), s.upper)


@cache
def _tangent_points() -> Tensor:
    """For starts evenly spaced from -pi to pi, the point in [pi, 3 pi / 2] whose tangent passes through the start."""
    start = torch.linspace(-pi, pi, ENTRIES, dtype=torch.float64)

    def above(x: Tensor) -> Tensor:
        return x.sin() + x.cos() * (start - x) >= start.sin()

    return bisect(above, torch.full_like(start, pi), torch.full_like(start, 1.5 * pi)).float()
