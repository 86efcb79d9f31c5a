"""The room that splits leave between the planes of a nonlinear function."""

import torch

from bab_verify.intervals import Interval
from bab_verify.operators.gelu import Gelu
from bab_verify.operators.periodic import Sin
from bab_verify.operators.relaxation import Nonlinear
from bab_verify.operators.s_shaped import Sigmoid, Tanh
from bab_verify.search.branching_points import cached_branching_table

CURVES: dict[str, Nonlinear] = {"sigmoid": Sigmoid(), "tanh": Tanh(), "sin": Sin(), "gelu": Gelu()}


def room_left(curve: Nonlinear, step: float, intervals: int, generator: torch.Generator) -> tuple[float, float]:
    """The room between the planes after a split at the table's points and in the middle, as shares of that before.

    Args:
        curve: The function.
        step: Spacing of the table.
        intervals: How many random ones, of [-5, 5], it is the mean over.
        generator: Draws them.
    """
    ends = 10 * torch.rand(2, intervals, generator=generator, dtype=torch.float64) - 5
    lower, upper = ends.amin(0), ends.amax(0)
    table = cached_branching_table([(curve, 0)], step)
    before = room(curve, lower, upper).mean()
    found = []
    for point in (table.lookup(lower, upper), (lower + upper) / 2):
        after = room(curve, lower, point) + room(curve, point, upper)
        found.append(float(after.mean() / before))
    return found[0], found[1]


def room(curve: Nonlinear, lower: torch.Tensor, upper: torch.Tensor) -> torch.Tensor:
    """Area between the planes over each interval, by the trapezium rule, which is exact for lines."""
    planes = curve.relax((Interval(lower[:, None, None], upper[:, None, None]),))
    slope = (planes.upper_slopes[0] - planes.lower_slopes[0]).flatten()
    height = (planes.upper_intercept - planes.lower_intercept).flatten()
    return (upper - lower) * (height + slope * (lower + upper) / 2)
