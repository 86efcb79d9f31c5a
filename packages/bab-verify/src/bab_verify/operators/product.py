"""The product of two values: McCormick's planes."""

import torch
from torch import Tensor

from bab_verify.intervals import Interval

from .relaxation import Nonlinear, Relaxation
from .tangent import enclosed, rounding


class Product(Nonlinear):
    """The function x y over a box.

    From (x - xl)(y - yl) >= 0 and (x - xu)(y - yu) >= 0 follow two planes below, from (x - xl)(y - yu) <= 0 and
    (x - xu)(y - yl) <= 0 two above. Each parameter mixes the two of one side; all mixtures leave the same volume.
    """

    arity = 2
    n_parameters = 2

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The value x y."""
        return x * y

    def interval(self, x: Interval, y: Interval) -> Interval:
        """The least and greatest product of corners."""
        ll, lu, ul, uu = x.lower * y.lower, x.lower * y.upper, x.upper * y.lower, x.upper * y.upper
        lower = torch.minimum(torch.minimum(ll, lu), torch.minimum(ul, uu))
        upper = torch.maximum(torch.maximum(ll, lu), torch.maximum(ul, uu))
        return enclosed(lower, upper)

    def initial_parameters(self, inputs: tuple[Interval, ...]) -> Tensor:
        """The mean of the two planes of a side."""
        x, y = inputs
        both = x.lower + y.lower
        return both.new_full((2, *both.shape), 0.5)

    def prepare(self, inputs: tuple[Interval, ...]) -> tuple[Tensor, ...]:
        """What `planes` needs: corners and their products, and what rounding may change."""
        x, y = inputs
        reach = 4 * torch.maximum(x.lower.abs(), x.upper.abs()) * torch.maximum(y.lower.abs(), y.upper.abs())
        return (
            *(x.lower, x.upper, y.lower, y.upper),
            *(x.lower * y.lower, x.lower * y.upper, x.upper * y.lower, x.upper * y.upper),
            rounding(reach),
        )

    def planes(self, state: tuple[Tensor, ...], parameters: Tensor | None = None) -> Relaxation:
        """Planes from what `prepare` found."""
        xl, xu, yl, yu, ll, lu, ul, uu, margin = state
        r, s = (torch.full_like(ll, 0.5),) * 2 if parameters is None else (parameters[0], parameters[1])
        return Relaxation(
            (torch.lerp(yu, yl, r), torch.lerp(xu, xl, r)),
            -torch.lerp(uu, ll, r) - margin,
            (torch.lerp(yl, yu, s), torch.lerp(xu, xl, s)),
            -torch.lerp(ul, lu, s) + margin,
        )

    def splittable(self, inputs: tuple[Interval, ...], index: int) -> Tensor:
        """Where neither input is a point (a product with a constant is affine)."""
        del index
        x, y = inputs
        return (x.upper - x.lower > 1e-2) & (y.upper - y.lower > 1e-2)
