"""Interpolation of many functions on a line at once."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks
from .tridiagonal import solve_tridiagonal


def interpolate(
    x_known: Float[Tensor, "m"],
    values: Float[Tensor, "n m"],
    x: Float[Tensor, "k"] | Float[Tensor, "n k"],
    kind: Literal["linear", "cubic"] = "linear",
) -> Float[Tensor, "n k"]:
    """Values of functions between the points where they are known.

    Args:
        x_known: Where they are known: increasing, at least two points, for "cubic" at least four.
        values: The functions there.
        x: Where they are wanted, within the range of the known points: the same for all, or a row for each function.
        kind: "linear", or "cubic": the not-a-knot spline, as `scipy.interpolate.CubicSpline` by default and
            `interp1d(kind="cubic")`.

    Raises:
        ValueError: if points do not increase, are too few or outside, values are not finite, or shapes do not fit.
    """
    checks.increasing("x_known", x_known, least=4 if kind == "cubic" else 2)
    checks.shape("values", values, (None, len(x_known)))
    checks.finite("values", values)
    if x.ndim != 1:
        checks.shape("x", x, (len(values), None))
    _check_range(x, x_known)
    at = x.to(values).expand(len(values), -1).contiguous()
    left = torch.searchsorted(x_known, at, right=True).sub(1).clamp(0, len(x_known) - 2)
    gap = x_known.diff()[left]
    s = (at - x_known[left]) / gap
    y0, y1 = values.gather(1, left), values.gather(1, left + 1)
    if kind == "linear":
        return y0 + s * (y1 - y0)
    if kind != "cubic":
        raise ValueError(f'kind must be "linear" or "cubic", not "{kind}"')
    slopes = spline_slopes(x_known, values)
    m0, m1 = gap * slopes.gather(1, left), gap * slopes.gather(1, left + 1)
    return hermite(s, y0, y1, m0, m1)


def hermite(
    s: Float[Tensor, "*#shape"],
    y0: Float[Tensor, "*shape"],
    y1: Float[Tensor, "*shape"],
    m0: Float[Tensor, "*shape"],
    m1: Float[Tensor, "*shape"],
) -> Float[Tensor, "*shape"]:
    """The cubic on [0, 1] with the values y0, y1 and the slopes m0, m1 at its ends, at s."""
    change = y1 - y0
    return y0 + s * (m0 + s * ((3 * change - 2 * m0 - m1) + s * (m0 + m1 - 2 * change)))


def spline_slopes(x: Float[Tensor, "m"], values: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
    """First derivatives at the knots of the not-a-knot cubic splines through the values; at least four knots."""
    h = x.diff()
    secant = values.diff() / h
    # Inner knots: the second derivative is continuous.
    lower, main, upper = h[1:], 2 * (h[1:] + h[:-1]), h[:-1]
    right = 3 * (h[1:] * secant[:, :-1] + h[:-1] * secant[:, 1:])
    # Ends: the third derivative is continuous at the first and the last inner knot.
    first, last = h[0] + h[1], h[-1] + h[-2]
    start = ((h[0] + 2 * first) * h[1] * secant[:, 0] + h[0].square() * secant[:, 1]) / first
    end = ((h[-1] + 2 * last) * h[-2] * secant[:, -1] + h[-1].square() * secant[:, -2]) / last
    return solve_tridiagonal(
        torch.cat([lower, last[None]]),
        torch.cat([h[1:2], main, h[-2:-1]]),
        torch.cat([first[None], upper]),
        torch.cat([start[:, None], right, end[:, None]], 1),
    )


def _check_range(x: Tensor, x_known: Tensor) -> None:
    checks.finite("x", x)
    low, high = x_known[0].item(), x_known[-1].item()
    slack = 1e-9 * (high - low)
    if x.numel() and not (low - slack <= x.min().item() and x.max().item() <= high + slack):
        raise ValueError(f"x must lie in [{low:g}, {high:g}], where the functions are known")
