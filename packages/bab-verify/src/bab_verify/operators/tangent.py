"""Smooth functions of one variable: enclosed by their tangents and chords."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bab_verify.intervals import Interval

from .relaxation import Nonlinear, Relaxation, secant

ROUNDING = 8
"""Units in the last place by which planes and intervals are moved outwards."""


class Supports(NamedTuple):
    """The lines that support a curve from one side, over an interval.

    Where `straight`, the only one is the chord, and `start` any point of the interval. Elsewhere they are the tangents
    at `start` + p `span`, p in [0, 1].
    """

    start: Tensor
    span: Tensor
    straight: Tensor


class Tangents(NamedTuple):
    """What the planes of a smooth function need to know of an interval, whatever their parameters.

    Tensors named `both` hold one side below and one above, in a leading dimension.
    """

    lower: Tensor
    upper: Tensor
    reach: Tensor
    """The greatest |x| of the interval."""
    sign: Tensor
    """1 below, -1 above: the side above is that below -f."""
    f_lower_both: Tensor
    """f at the lower end, and -f."""
    f_upper_both: Tensor
    start_both: Tensor
    span_both: Tensor
    straight_both: Tensor
    chord: Tensor


class Smooth(Nonlinear):
    """A differentiable function of one variable whose supporting lines are known.

    A class says what the function is (`value`), its derivative (`slope`), and, for an interval, which lines support it
    (`supports`). The planes are then sound for any parameters: the intercept is the least of f(x) - k x at the tangent
    point and at both ends, so an inexact range of tangent points costs tightness only.
    """

    n_parameters = 2
    slope_error = 0.0
    """Absolute error of `value(x) / x` and of `slope`, in units of the machine precision."""

    def value(self, x: Tensor) -> Tensor:
        """f(x)."""
        return self.forward(x)

    @abstractmethod
    def slope(self, x: Tensor) -> Tensor:
        """f'(x)."""

    def supports(self, x: Interval, chord: Tensor) -> tuple[Supports, Supports]:
        """The lines that support f from below and from above.

        Args:
            x: The interval.
            chord: Slope of the chord over it.
        """
        raise NotImplementedError(f"{type(self).__name__} must define supports, or prepare instead")

    def interval(self, x: Interval) -> Interval:
        """Increasing, by default."""
        bounds = enclosed(self.value(x.lower), self.value(x.upper))
        # A positive value may have vanished.
        return Interval(bounds.lower, bounds.upper + torch.finfo(x.upper.dtype).tiny)

    def prepare(self, inputs: tuple[Interval, ...]) -> Tangents:
        """What `planes` needs of an interval."""
        (x,) = inputs
        with torch.no_grad():
            f_lower, f_upper = self.value(x.lower), self.value(x.upper)
            chord = secant(f_lower, f_upper, x, self.slope((x.lower + x.upper) / 2))
            chord = chord.nan_to_num(0, 0, 0)
            below, above = self.supports(x, chord)
            start, span, straight = (torch.stack(pair) for pair in zip(below, above, strict=True))
            span = torch.where(straight, torch.zeros_like(span), span)
            return Tangents(
                *(x.lower, x.upper, torch.maximum(x.lower.abs(), x.upper.abs())),
                *both_sides(f_lower, f_upper),
                *(start, span, straight, chord),
            )

    def planes(self, state: tuple[Tensor, ...], parameters: Tensor | None = None) -> Relaxation:
        """Planes from what `prepare` found.

        Args:
            state: What `prepare` found.
            parameters: (n_parameters, batch, rows or 1, *shape) in [0, 1]; by default those of least area.
        """
        s = Tangents(*state)
        p = self.least_area(s) if parameters is None else parameters
        t = torch.addcmul(s.start_both, p, s.span_both)
        slope = torch.where(s.straight_both, s.chord, self.slope(t))
        return self.enclose(s, slope, t)

    def initial_parameters(self, inputs: tuple[Interval, ...]) -> Tensor:
        """The lines that leave the least area: those that support the curve's hull at the middle of the interval."""
        return self.least_area(self.prepare(inputs))

    def enclose(self, s: Tangents, slope: Tensor, t: Tensor) -> Relaxation:
        """Planes of given slopes.

        Args:
            s: What `prepare` found.
            slope: Their slopes, below and above.
            t: Where f(x) - k x is least, and greatest, if not at an end.
        """
        with torch.no_grad():
            k = slope * s.sign
            at_t = torch.addcmul(self.value(t) * s.sign, k, t, value=-1)
            at_lower = torch.addcmul(s.f_lower_both, k, s.lower, value=-1)
            at_upper = torch.addcmul(s.f_upper_both, k, s.upper, value=-1)
            least = torch.minimum(torch.minimum(at_t, at_lower), at_upper)
            intercept = (least - self.margin(s, slope, least)) * s.sign
        if slope.requires_grad:
            point = torch.where(least == at_t, t.detach(), torch.where(least == at_lower, s.lower, s.upper))
            intercept = _Intercept.apply(slope, intercept, point)
        return Relaxation((slope[0],), intercept[0], (slope[1],), intercept[1])

    def margin(self, s: Tangents, slope: Tensor, intercept: Tensor) -> Tensor:
        """A bound on what rounding moves lines, over the interval."""
        return rounding(torch.addcmul(intercept.abs(), slope.abs() + self.slope_error, s.reach))

    def least_area(self, s: Tangents) -> Tensor:
        """Parameters of the lines that leave the least area."""
        p = fraction((s.lower + s.upper) / 2, s.start_both, s.span_both)
        if self.n_parameters == 1:
            return torch.where(s.straight_both[0], p[1], p[0]).unsqueeze(0)
        return p


class _Intercept(torch.autograd.Function):
    """The least of f(x) - k x over x, which is found at a point x: its derivative by k is -x."""

    @staticmethod
    def forward(ctx: Any, slope: Tensor, intercept: Tensor, point: Tensor) -> Tensor:  # noqa: ANN401
        del slope
        ctx.save_for_backward(point)
        return intercept

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        (point,) = ctx.saved_tensors
        return -gradient * point, None, None


def both_sides(f_lower: Tensor, f_upper: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The sign of each side, and f and -f at both ends."""
    sign = f_lower.new_ones(2, *(1 for _ in f_lower.shape))
    sign[1] = -1
    return sign, sign * f_lower, sign * f_upper


def rounding(magnitude: Tensor) -> Tensor:
    """What rounding may change a value of a magnitude by, generously."""
    kind = torch.finfo(magnitude.dtype)
    return ROUNDING * kind.eps * magnitude + kind.tiny


def enclosed(lower: Tensor, upper: Tensor) -> Interval:
    """Bounds, moved outwards by what rounding may change them by, relative to each (so zero stays zero)."""
    return Interval(lower, upper).widened(ROUNDING)


def between(start: Tensor, end: Tensor, straight: Tensor) -> Supports:
    """Tangents between two points, except where straight."""
    return Supports(start, end - start, straight)


def interpolate(table: Tensor, position: Tensor) -> Tensor:
    """A table's value at fractional indices, linearly between entries and constant beyond them."""
    last = table.shape[0] - 1
    position = position.clamp(0, last)
    index = position.long().clamp(max=last - 1)
    flat = index.flatten()
    low, high = (table.index_select(0, at).view_as(index).to(position.dtype) for at in (flat, flat + 1))
    return torch.lerp(low, high, position - index)


def bisect(holds: Callable[[Tensor], Tensor], yes: Tensor, no: Tensor, steps: int = 80) -> Tensor:
    """The last point, from `yes` towards `no`, at which a condition still holds."""
    for _ in range(steps):
        middle = (yes + no) / 2
        met = holds(middle)
        yes, no = torch.where(met, middle, yes), torch.where(met, no, middle)
    return yes


def fraction(x: Tensor, start: Tensor, span: Tensor) -> Tensor:
    """How far x lies along a span, in [0, 1]; a half along nothing."""
    nothing = span == 0
    p = ((x - start) / torch.where(nothing, torch.ones_like(span), span)).clamp(0, 1)
    return torch.where(nothing, torch.full_like(span, 0.5), p)
