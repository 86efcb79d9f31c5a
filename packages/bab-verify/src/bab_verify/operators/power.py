"""Powers with a whole exponent."""

from functools import cache

import torch
from torch import Tensor

from bab_verify.intervals import Interval

from .tangent import Smooth, Supports, between, enclosed


class Power(Smooth):
    """x^n for a whole n >= 3: convex if n is even; concave below zero and convex above it if n is odd.

    For an odd n, over l < 0 < u, the lines from below are the chord if the curve at u is flatter than it, else the
    tangents at any t in [d, u], where the tangent at d = -c l passes through (l, l^n) and c depends on n only.

    Args:
        exponent: n.

    Raises:
        ValueError: if n is less than 3.
    """

    def __init__(self, exponent: int) -> None:
        super().__init__()
        if exponent < 3:
            raise ValueError(f"the exponent of a power is a whole number of at least 3, not {exponent}")
        self.exponent = exponent
        self.even = self.exponent % 2 == 0
        self.ratio = 0.0 if self.even else _ratio(self.exponent)

    def extra_repr(self) -> str:
        """The exponent."""
        return f"exponent={self.exponent}"

    def forward(self, x: Tensor) -> Tensor:
        """x^n."""
        return x**self.exponent

    def slope(self, x: Tensor) -> Tensor:
        """The derivative, n x^(n - 1)."""
        return self.exponent * x ** (self.exponent - 1)

    def interval(self, x: Interval) -> Interval:
        """Increasing if n is odd, else least at zero, if that is inside."""
        low, high = self.value(x.lower), self.value(x.upper)
        if not self.even:
            return enclosed(low, high)
        nearest = torch.maximum(x.lower, -x.upper).clamp(min=0)
        return enclosed(self.value(nearest), torch.maximum(low, high))

    def supports(self, x: Interval, chord: Tensor) -> tuple[Supports, Supports]:
        """Tangents and chords of a parabola or of a mirrored S."""
        lower, upper = x
        if self.even:
            never = torch.zeros_like(chord, dtype=torch.bool)
            return between(lower, upper, never), between(lower, upper, ~never)
        straight_below = (upper <= 0) | ((lower < 0) & (chord >= self.slope(upper)))
        straight_above = (lower >= 0) | ((upper > 0) & (chord >= self.slope(lower)))
        start = torch.where(lower >= 0, lower, torch.minimum(-self.ratio * lower, upper))
        end = torch.where(upper <= 0, upper, torch.maximum(-self.ratio * upper, lower))
        return between(upper, start, straight_below), between(lower, end, straight_above)


@cache
def _ratio(n: int) -> float:
    """The c > 0 whose tangent to x^n passes through (-1, -1), for an odd n: (n - 1) c^n + n c^(n - 1) = 1."""
    low, high = 0.0, 1.0
    for _ in range(100):
        c = (low + high) / 2
        low, high = (c, high) if (n - 1) * c**n + n * c ** (n - 1) < 1 else (low, c)
    return high
