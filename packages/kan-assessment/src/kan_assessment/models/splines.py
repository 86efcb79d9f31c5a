"""Three ways to evaluate a B-spline basis on uniform knots, equal to rounding and different in speed."""

import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from separata import bsplines

Form = Literal["auto", "recursion", "local", "cardinal"]
FORMS: tuple[Form, ...] = get_args(Form)
DEFAULT: Form = "auto"
MOST_TERMS = 24
"""Terms for each point up to which the dense form is the faster one, as measured on a CPU."""


def check_grid(grid: int, order: int, grid_range: tuple[float, float]) -> None:
    """See that splines can be made of these numbers.

    Raises:
        ValueError: if the grid has no interval, the order is below 1, or the range is reversed or not finite.
    """
    if grid < 1 or order < 1:
        raise ValueError(
            f"a spline needs a grid of at least 1 interval and an order of at least 1, not {grid}, {order}"
        )
    low, high = grid_range
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"the grid's range must be two numbers, the lower first, not {low} and {high}")


def cardinal_basis(
    x: Float[Tensor, "*batch"], n_intervals: int, degree: int, low: float = -1.0, high: float = 1.0
) -> Float[Tensor, "*batch functions"]:
    """The basis functions as shifts of one symmetric function of the distance to their centers.

    With v the distance to a function's center in intervals and c = (degree + 1) / 2, each is
    sum_j (-1)^j C(degree + 1, j) max(0, c - |v| - j)^degree / degree!, where only the j below c count: a handful of
    dense operations without gathering. By the symmetry no term is larger than c^degree / degree!, so that little
    cancels, unlike in truncated powers of x itself.

    Args:
        x: The points.
        n_intervals: Intervals between `low` and `high`; `degree` more are on each side.
        degree: Degree of the polynomials, at least 1.
        low: Left end of the grid.
        high: Right end.
    """
    step = (high - low) / n_intervals
    half = (degree + 1) / 2
    # The center of function i is its first knot, low + (i - degree) step, and half of its support.
    centers = torch.arange(n_intervals + degree, dtype=x.dtype, device=x.device) + (half - degree)
    room = half - (((x - low) / step)[..., None] - centers).abs()
    total = room.clamp(min=0) ** degree
    for j in range(1, math.ceil(half)):
        total = total + (-1) ** j * math.comb(degree + 1, j) * (room - j).clamp(min=0) ** degree
    return total / math.factorial(degree)


def _recursion(x: Tensor, n_intervals: int, degree: int, low: float, high: float) -> Tensor:
    return bsplines.basis(x, bsplines.uniform_knots(n_intervals, degree, low, high).to(x), degree)


_FORMS: dict[Form, Callable[[Tensor, int, int, float, float], Tensor]] = {
    "recursion": _recursion,
    "local": bsplines.uniform_basis,
    "cardinal": cardinal_basis,
}


def spline_basis(
    x: Float[Tensor, "*batch"], grid: int, order: int, low: float, high: float, form: Form = DEFAULT
) -> Float[Tensor, "*batch functions"]:
    """The grid + order B-splines on uniform knots at each point, zero outside the grid as extended by `order` knots.

    Args:
        x: The points.
        grid: Intervals between `low` and `high`.
        order: Degree of the polynomials.
        low: Left end of the grid.
        high: Right end.
        form: `recursion` (Cox-de Boor on all knots), `local` (only the order + 1 functions that are not zero, then
            scattered), `cardinal` (shifts of one symmetric function), or `auto`, the faster of the last two: cardinal
            on coarse grids, local on fine ones.
    """
    if form == "auto":
        form = "cardinal" if (grid + order) * math.ceil((order + 1) / 2) <= MOST_TERMS else "local"
    return _FORMS[form](x, grid, order, low, high)
