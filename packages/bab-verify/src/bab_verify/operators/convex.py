"""Convex and concave functions: a tangent on one side, the chord on the other."""

from math import log

import torch
from torch import Tensor

from bab_verify.intervals import Interval

from .relaxation import DomainError, Nonlinear, Relaxation
from .tangent import Smooth, Supports, between, enclosed, rounding


class Convex(Smooth):
    """A convex function: above its tangent at any point of the interval, below its chord.

    A class says `concave = True` for the reverse.
    """

    n_parameters = 1
    concave = False

    def supports(self, x: Interval, chord: Tensor) -> tuple[Supports, Supports]:
        """A tangent and the chord."""
        never = torch.zeros_like(chord, dtype=torch.bool)
        start, end = self.tangent_range(x)
        tangent, straight = between(start, end, never), between(start, end, ~never)
        return (straight, tangent) if self.concave else (tangent, straight)

    def tangent_range(self, x: Interval) -> tuple[Tensor, Tensor]:
        """Between which points tangents are taken."""
        return x.lower, x.upper


class Exp(Convex):
    """exp(x). Tangents are taken at t <= l + 0.99 only, so that the lower line is positive over the interval."""

    def forward(self, x: Tensor) -> Tensor:
        """exp(x)."""
        return x.exp()

    def slope(self, x: Tensor) -> Tensor:
        """exp(x)."""
        return x.exp()

    def tangent_range(self, x: Interval) -> tuple[Tensor, Tensor]:
        """Up to l + 0.99, and not where exp(x) overflows."""
        last = log(torch.finfo(x.lower.dtype).max) - 10
        return x.lower.clamp(max=last), torch.minimum(x.upper, x.lower + 0.99).clamp(max=last)


class Square(Convex):
    """x^2."""

    def forward(self, x: Tensor) -> Tensor:
        """x^2."""
        return x * x

    def slope(self, x: Tensor) -> Tensor:
        """2x."""
        return 2 * x

    def interval(self, x: Interval) -> Interval:
        """Least at zero, if that is inside."""
        nearest = torch.maximum(x.lower, -x.upper).clamp(min=0)
        return enclosed(nearest**2, torch.maximum(x.lower**2, x.upper**2))


class Reciprocal(Convex):
    """1 / x: convex for x > 0, concave for x < 0."""

    def forward(self, x: Tensor) -> Tensor:
        """1 / x."""
        return x.reciprocal()

    def slope(self, x: Tensor) -> Tensor:
        """-1 / x^2."""
        return -x.reciprocal().square()

    def interval(self, x: Interval) -> Interval:
        """Decreasing on either side."""
        return enclosed(x.upper.reciprocal(), x.lower.reciprocal())

    def supports(self, x: Interval, chord: Tensor) -> tuple[Supports, Supports]:
        """A tangent and the chord, by side."""
        del chord
        positive = x.lower > 0
        return between(x.lower, x.upper, ~positive), between(x.lower, x.upper, positive)

    def check(self, inputs: tuple[Interval, ...]) -> None:
        """The interval must not contain zero."""
        (x,) = inputs
        if not bool(((x.lower > 0) | (x.upper < 0)).all()):
            raise DomainError("the network divides by a value whose bounds contain zero")


class Log(Convex):
    """The natural logarithm."""

    concave = True

    def forward(self, x: Tensor) -> Tensor:
        """log(x)."""
        return x.log()

    def slope(self, x: Tensor) -> Tensor:
        """1 / x."""
        return x.reciprocal()

    def check(self, inputs: tuple[Interval, ...]) -> None:
        """The interval must be positive."""
        if not bool((inputs[0].lower > 0).all()):
            raise DomainError("the network takes the logarithm of a value whose lower bound is not positive")


class Sqrt(Convex):
    """The square root. Its slope at zero is infinite, so tangents are taken at t >= u / 100 (and 1e-20) only."""

    concave = True

    def forward(self, x: Tensor) -> Tensor:
        """sqrt(x)."""
        return x.sqrt()

    def value(self, x: Tensor) -> Tensor:
        """sqrt(max(x, 0))."""
        return x.clamp(min=0).sqrt()

    def slope(self, x: Tensor) -> Tensor:
        """1 / (2 sqrt(x)), and 0 where x is not positive."""
        positive = x > torch.finfo(x.dtype).tiny
        return torch.where(positive, 0.5 * torch.where(positive, x, torch.ones_like(x)).rsqrt(), torch.zeros_like(x))

    def tangent_range(self, x: Interval) -> tuple[Tensor, Tensor]:
        """Away from zero."""
        return torch.maximum(x.lower, 0.01 * x.upper).clamp(min=1e-20), x.upper.clamp(min=1e-20)

    def check(self, inputs: tuple[Interval, ...]) -> None:
        """The interval must not be negative."""
        if not bool((inputs[0].lower >= 0).all()):
            raise DomainError("the network takes the square root of a value whose lower bound is negative")


class Absolute(Nonlinear):
    """|x|: over l < 0 < u below the chord and above any line through the origin with a slope in [-1, 1]."""

    n_parameters = 1
    split_point = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """|x|."""
        return x.abs()

    def interval(self, x: Interval) -> Interval:
        """Least at zero, if that is inside."""
        return Interval(torch.maximum(x.lower, -x.upper).clamp(min=0), torch.maximum(x.lower.abs(), x.upper.abs()))

    def initial_parameters(self, inputs: tuple[Interval, ...]) -> Tensor:
        """The slope of least area: 1 if u > -l, else -1."""
        (x,) = inputs
        return (x.upper > -x.lower).to(x.lower.dtype).unsqueeze(0)

    def prepare(self, inputs: tuple[Interval, ...]) -> tuple[Tensor, ...]:
        """What `planes` needs: the least and greatest slope below, the line above, the initial parameters."""
        (x,) = inputs
        one = torch.ones_like(x.lower)
        least, greatest = torch.where(x.lower >= 0, one, -one), torch.where(x.upper <= 0, -one, one)
        crossing = (x.lower < 0) & (x.upper > 0)
        lower, upper = x.lower.clamp(max=0), x.upper.clamp(min=0)
        chord = torch.where(crossing, (upper + lower) / torch.where(crossing, upper - lower, one), least.clamp(max=1))
        chord = torch.where(x.upper <= 0, -one, chord)
        chord = torch.where(x.lower >= 0, one, chord)
        top = torch.maximum(upper - chord * upper, chord * -lower - lower)
        top = torch.where(crossing, top + rounding(upper - lower), torch.zeros_like(top))
        start = (x.upper > -x.lower).to(x.lower.dtype)
        return least, torch.where(x.lower >= 0, one, greatest) - least, chord, top, start

    def planes(self, state: tuple[Tensor, ...], parameters: Tensor | None = None) -> Relaxation:
        """Planes from what `prepare` found."""
        least, span, chord, top, start = state
        slope = torch.addcmul(least, start if parameters is None else parameters[0], span)
        return Relaxation((slope,), torch.zeros_like(chord), (chord,), top)

    def splittable(self, inputs: tuple[Interval, ...], index: int) -> Tensor:
        """Where zero is inside."""
        del index
        (x,) = inputs
        return (x.lower < 0) & (x.upper > 0)
