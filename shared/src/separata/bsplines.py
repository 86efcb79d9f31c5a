"""B-splines: their values at points, and the coefficients that fit data best.

A spline of degree k on n intervals is a sum of n + k basis functions, piecewise polynomials of degree k with k - 1
continuous derivatives that are zero outside k + 1 intervals. Between the ends of the intervals they sum to one.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def uniform_knots(n_intervals: int, degree: int, low: float = -1.0, high: float = 1.0) -> Float[Tensor, "knots"]:
    """Equally spaced knots that cut [low, high] into intervals, with `degree` more on each side.

    Args:
        n_intervals: Number of intervals.
        degree: Degree of the polynomials.
        low: Left end of the first interval.
        high: Right end of the last.

    Returns:
        The n_intervals + 2 degree + 1 knots, in double precision.

    Raises:
        ValueError: if there is no interval, the degree is negative, or `low` is not less than `high`.
    """
    step = _step(n_intervals, degree, low, high)
    places = torch.arange(-degree, n_intervals + degree + 1, dtype=torch.float64)
    return low + step * places


def basis(
    x: Float[Tensor, "*batch"], knots: Float[Tensor, "*features knots"], degree: int
) -> Float[Tensor, "*batch functions"]:
    """All basis functions at all points, by the recursion of Cox and de Boor.

    With the knots t, B_i of degree 0 is one on [t_i, t_(i+1)) and zero elsewhere, and of degree k it is
    (x - t_i) / (t_(i+k) - t_i) B_i + (t_(i+k+1) - x) / (t_(i+k+1) - t_(i+1)) B_(i+1), with those of degree k - 1.

    Args:
        x: The points.
        knots: Increasing; the same for all points, or one row for each entry of the last axis of `x`.
        degree: Degree of the polynomials.

    Returns:
        The values, one function for each knot but the last degree + 1, in the precision of `x`.

    Raises:
        ValueError: if the degree is negative, or there are fewer than degree + 2 knots.
    """
    if degree < 0:
        raise ValueError(f"the degree of a spline must be at least 0, not {degree}")
    if knots.shape[-1] < degree + 2:
        raise ValueError(f"splines of degree {degree} need at least {degree + 2} knots, not {knots.shape[-1]}")
    t, x = knots.to(x), x[..., None]
    values = ((x >= t[..., :-1]) & (x < t[..., 1:])).to(x.dtype)
    for k in range(1, degree + 1):
        rising = (x - t[..., : -k - 1]) / (t[..., k:-1] - t[..., : -k - 1])
        falling = (t[..., k + 1 :] - x) / (t[..., k + 1 :] - t[..., 1:-k])
        values = rising * values[..., :-1] + falling * values[..., 1:]
    return values


def uniform_basis(
    x: Float[Tensor, "*batch"], n_intervals: int, degree: int, low: float = -1.0, high: float = 1.0
) -> Float[Tensor, "*batch functions"]:
    """The basis functions on `uniform_knots`, faster: only those that are not zero are computed.

    On equally spaced knots all functions are shifts of one, so that the polynomials are the same in every interval; a
    point is in the support of degree + 1 functions.

    Args:
        x: The points. Outside of [low - degree h, high + degree h), with h the width of an interval, all are zero.
        n_intervals: Number of intervals between `low` and `high`.
        degree: Degree of the polynomials.
        low: Left end of the first interval.
        high: Right end of the last.

    Returns:
        The values of the n_intervals + degree functions.

    Raises:
        ValueError: as of `uniform_knots`.
    """
    step = _step(n_intervals, degree, low, high)
    place = (x - low) / step + degree
    # A point that is not a number counts as inside, so that no value of it is a number either, as in the recursion.
    inside = ~((place < 0) | (place >= n_intervals + 2 * degree))
    cell = torch.where(inside, place, torch.zeros_like(place)).nan_to_num().floor()
    offset = torch.where(inside, place - cell, torch.zeros_like(place))
    pieces = _pieces(degree, x)
    powers = torch.stack([offset**power for power in range(degree + 1)], -1)
    local = (powers @ pieces) * inside[..., None]
    columns = cell.long()[..., None] + torch.arange(degree + 1, device=x.device)
    # Functions from `degree` before the first to `degree` after the last; those do not exist and are cut off.
    values = x.new_zeros(*x.shape, n_intervals + 3 * degree).scatter(-1, columns, local)
    return values[..., degree : n_intervals + 2 * degree]


def _step(n_intervals: int, degree: int, low: float, high: float) -> float:
    """The width of an interval."""
    if n_intervals < 1:
        raise ValueError(f"a spline needs at least one interval, not {n_intervals}")
    if degree < 0:
        raise ValueError(f"the degree of a spline must be at least 0, not {degree}")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"a spline lives between two finite ends, the lower first, not {low} and {high}")
    return (high - low) / n_intervals


def _pieces(degree: int, like: Float[Tensor, "*batch"]) -> Float[Tensor, "powers functions"]:
    """Coefficients, by powers of the offset in an interval, of the functions that are not zero there, from the left.

    By the recursion on the knots 0, 1, 2, ...: piece j of degree k is (j + u) / k of piece j of degree k - 1 plus
    (k + 1 - j - u) / k of piece j - 1; from the left in an interval come the last piece first.
    """
    pieces = torch.ones(1, 1, dtype=torch.float64)  # (piece, power)
    for k in range(1, degree + 1):
        wider = torch.zeros(k + 1, k + 1, dtype=torch.float64)
        j = torch.arange(k, dtype=torch.float64)[:, None]
        # (j + u) / k of piece j, and (k - j - u) / k of it for piece j + 1.
        wider[:-1, :-1] += j / k * pieces
        wider[:-1, 1:] += pieces / k
        wider[1:, :-1] += (k - j) / k * pieces
        wider[1:, 1:] -= pieces / k
        pieces = wider
    return pieces.flip(0).T.contiguous().to(like)


def least_squares(
    x: Float[Tensor, "points features"],
    y: Float[Tensor, "points features outputs"],
    knots: Float[Tensor, "*features knots"],
    degree: int,
) -> Float[Tensor, "features functions outputs"]:
    """The coefficients of the splines of each feature that come nearest to values at points.

    Args:
        x: The points of each feature.
        y: The values there, of as many splines of the feature as there are outputs.
        knots: As for `basis`.
        degree: Degree of the polynomials.

    Returns:
        The coefficients of least norm among those with the least sum of squares, in the precision of `x`.

    Raises:
        ValueError: as of `basis`.
    """
    values = basis(x.double(), knots, degree).transpose(0, 1)  # (features, points, functions)
    # By the pseudo-inverse: a function without a point in its support gets the coefficient zero, on every device.
    return (torch.linalg.pinv(values, rtol=1e-10) @ y.double().transpose(0, 1)).to(x)
