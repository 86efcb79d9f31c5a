"""The Gaussian error linear unit, exact and approximated."""

from functools import cache
from math import log1p, pi, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor

from bab_verify.intervals import Interval

from .s_shaped import ENTRIES, LIMIT
from .tangent import Smooth, Supports, between, bisect, enclosed, interpolate


class Gelu(Smooth):
    """The function x Phi(x), where Phi is the normal distribution function.

    It is convex on [-c, c] and concave outside, where c is the inflection, and f(x) - x / 2 is even. So from below it
    is supported by tangents between -d(-l) and d(u), where the tangent at d(u) in (0, c) meets the curve again at
    u > c. From above, over l < 0 < u the chord supports it; over l >= 0 it is an S around c, over u <= 0 a mirrored
    one.
    """

    slope_error = 1.0
    inflection = sqrt(2)
    minimum = -0.7517915246935645
    """Where the function is least."""
    tangents_below: Tensor
    tangents_above: Tensor

    def __init__(self) -> None:
        super().__init__()
        below, above = _tangent_points(type(self))
        self.register_buffer("tangents_below", below, persistent=False)
        self.register_buffer("tangents_above", above, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The value x Phi(x)."""
        return F.gelu(x)

    def slope(self, x: Tensor) -> Tensor:
        """Phi(x) + x phi(x)."""
        return torch.special.ndtr(x) + x * (-0.5 * x * x).exp() * (1 / sqrt(2 * pi))

    def interval(self, x: Interval) -> Interval:
        """Falling, then rising."""
        lower, upper = self.value(x.lower), self.value(x.upper)
        dip = self.value(torch.full_like(lower, self.minimum))
        inside = (x.lower < self.minimum) & (x.upper > self.minimum)
        lowest = torch.where(inside, dip, torch.minimum(lower, upper))
        # The value itself is exact to the machine precision times x, up to where it vanishes.
        error = 8 * torch.finfo(lower.dtype).eps * torch.maximum(x.lower.abs(), x.upper.abs()).clamp(max=10)
        bounds = enclosed(lowest, torch.maximum(lower, upper))
        return Interval(bounds.lower - error, bounds.upper + error)

    def touching_below(self, u: Tensor) -> Tensor:
        """The last tangent point whose tangent lies below (u, f(u)): u itself up to the inflection."""
        position = (u - self.inflection).clamp(min=0).log1p() * ((ENTRIES - 1) / log1p(LIMIT))
        return torch.where(u > self.inflection, interpolate(self.tangents_below, position), u)

    def touching_above(self, lower: Tensor) -> Tensor:
        """The first tangent point whose tangent lies above (l, f(l)), l >= 0: l itself from the inflection on."""
        touching = interpolate(self.tangents_above, lower * ((ENTRIES - 1) / self.inflection))
        return torch.where(lower < self.inflection, touching, lower)

    def supports(self, x: Interval, chord: Tensor) -> tuple[Supports, Supports]:
        """Tangents and chords, by side."""
        (lower, upper), c = x, self.inflection
        slope_lower, slope_upper = self.slope(lower), self.slope(upper)
        right, left = lower >= 0, upper <= 0
        straight_below = (
            (lower >= c)
            | (upper <= -c)
            | (right & (upper > c) & (chord <= slope_lower))
            | (left & (lower < -c) & (chord >= slope_upper))
        )
        start = torch.minimum(-self.touching_below(-lower), upper)
        end = torch.maximum(self.touching_below(upper), lower)
        below = between(start, end, straight_below)
        tangent_right = right & (upper > c) & ((lower >= c) | (chord > slope_upper))
        tangent_left = left & (lower < -c) & ((upper <= -c) | (chord < slope_lower))
        near = torch.where(right, self.touching_above(lower.clamp(min=0)), -self.touching_above((-upper).clamp(min=0)))
        near = torch.minimum(torch.maximum(near, lower), upper)
        above = between(torch.where(right, upper, lower), near, ~(tangent_right | tangent_left))
        return below, above

    def splittable(self, inputs: tuple[Interval, ...], index: int) -> Tensor:
        """Where the interval is not a point and the function not (almost) affine."""
        (x,) = inputs
        return super().splittable(inputs, index) & (x.upper > -6) & (x.lower < 6)


class TanhGelu(Gelu):
    """x (1 + tanh(sqrt(2 / pi) (x + c x^3))) / 2.

    Args:
        cubic: c, 0.044715 to within single precision, as it is stored in a file: the points at which lines touch are
            those of 0.044715, which moves them by less than they are known to.
    """

    inflection = 1.4185040087908283
    minimum = -0.7524614220710162
    cubic = 0.044715

    def __init__(self, cubic: float = cubic) -> None:
        super().__init__()
        self.cubic = cubic

    def extra_repr(self) -> str:
        """The coefficient, where it is another one."""
        return "" if self.cubic == type(self).cubic else f"cubic={self.cubic!r}"

    def forward(self, x: Tensor) -> Tensor:
        """The approximation."""
        if self.cubic == type(self).cubic:
            return F.gelu(x, approximate="tanh")
        return 0.5 * x * (1 + (sqrt(2 / pi) * (x + self.cubic * x**3)).tanh())

    def slope(self, x: Tensor) -> Tensor:
        """s(2y) + 2 x y' s(2y) s(-2y), where y is the argument of tanh and s the sigmoid."""
        x = x.clamp(-50, 50)
        square = x * x
        twice = x * (1 + self.cubic * square) * (2 * sqrt(2 / pi))
        rate = (1 + 3 * self.cubic * square) * (2 * sqrt(2 / pi))
        s = twice.sigmoid()
        return s + x * rate * s * (-twice).sigmoid()


@cache
def _tangent_points(kind: type[Gelu]) -> tuple[Tensor, Tensor]:
    """Tangent points below, evenly spaced in log(1 + u - c), and above, evenly spaced in l from 0 to c."""
    curve, c = kind.__new__(kind), kind.inflection

    def line(t: Tensor, x: Tensor) -> Tensor:
        return curve.forward(t) + curve.slope(t) * (x - t)

    u = c + torch.linspace(0, log1p(LIMIT), ENTRIES, dtype=torch.float64).expm1()
    below = bisect(lambda t: line(t, u) <= curve.forward(u), torch.zeros_like(u), torch.full_like(u, c))
    start = torch.linspace(0, c, ENTRIES, dtype=torch.float64)
    above = bisect(
        lambda t: line(t, start) >= curve.forward(start), torch.full_like(start, 40.0), torch.full_like(start, c)
    )
    return below.float(), above.float()
