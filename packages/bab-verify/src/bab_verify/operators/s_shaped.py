"""S-shaped functions: convex below zero, concave above it."""

from abc import abstractmethod
from functools import cache
from math import log1p, pi, sqrt

import torch
from torch import Tensor

from bab_verify.intervals import Interval

from .tangent import Smooth, Supports, between, bisect, interpolate

LIMIT = 1e6
"""Where the table of tangent points ends."""
ENTRIES = 4096
"""How many tangent points the table holds."""


class SShaped(Smooth):
    """An increasing function that is convex for x <= 0 and concave for x >= 0, and odd but for a constant.

    From below: on the convex side a tangent at any t in [l, u]; on the concave side the chord. Over l < 0 < u it is the
    chord if that is flatter than the curve at l, else a tangent at any t in [l, d], where the tangent at d < 0 meets
    the curve again at u. From above it is the same, turned around zero.

    Args:
        horizon: Below `-horizon` and above `horizon` the function is constant in double precision.
    """

    tangents: Tensor

    def __init__(self, horizon: float = 50.0) -> None:
        super().__init__()
        tangents = _tangent_points(type(self), horizon)
        self.register_buffer("tangents", tangents, persistent=False)

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """f(x)."""

    def touching(self, u: Tensor) -> Tensor:
        """The d <= 0 such that the tangent at d passes through (u, f(u)), for u >= 0."""
        return interpolate(self.tangents, u.clamp(min=0).log1p() * ((ENTRIES - 1) / log1p(LIMIT)))

    def supports(self, x: Interval, chord: Tensor) -> tuple[Supports, Supports]:
        """Tangents and chords of an S."""
        lower, upper = x
        straight_below = (lower >= 0) | ((upper > 0) & (chord <= self.slope(lower)))
        straight_above = (upper <= 0) | ((lower < 0) & (chord <= self.slope(upper)))
        end = torch.where(upper <= 0, upper, torch.maximum(self.touching(upper), lower))
        start = torch.where(lower >= 0, lower, torch.minimum(-self.touching(-lower), upper))
        return between(lower, end, straight_below), between(upper, start, straight_above)

    def splittable(self, inputs: tuple[Interval, ...], index: int) -> Tensor:
        """Where the interval is not a point and the function not constant."""
        (x,) = inputs
        return super().splittable(inputs, index) & (self.value(x.upper) - self.value(x.lower) > 1e-5)


class Sigmoid(SShaped):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Tensor) -> Tensor:
        """1 / (1 + exp(-x))."""
        return x.sigmoid()

    def slope(self, x: Tensor) -> Tensor:
        """s(x) s(-x), without cancellation."""
        return x.sigmoid() * (-x).sigmoid()


class Tanh(SShaped):
    """The hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        """tanh(x)."""
        return x.tanh()

    def slope(self, x: Tensor) -> Tensor:
        """1 - tanh(x)^2, as 4 s(2x) s(-2x): without cancellation."""
        y = 2 * x
        return 4 * y.sigmoid() * (-y).sigmoid()


class Erf(SShaped):
    """The error function."""

    def forward(self, x: Tensor) -> Tensor:
        """erf(x)."""
        return x.erf()

    def slope(self, x: Tensor) -> Tensor:
        """2 / sqrt(pi) exp(-x^2)."""
        return (-x * x).exp() * (2 / sqrt(pi))


@cache
def _tangent_points(kind: type[SShaped], horizon: float) -> Tensor:
    """The d for each u, evenly spaced in log(1 + u), from 0 to `LIMIT`."""
    curve = kind.__new__(kind)
    u = torch.linspace(0, log1p(LIMIT), ENTRIES, dtype=torch.float64).expm1()

    def below(d: Tensor) -> Tensor:
        return curve.forward(d) + curve.slope(d) * (u - d) <= curve.forward(u)

    return bisect(below, torch.full_like(u, -horizon), torch.zeros_like(u)).float()
