"""Learning curves on a logarithmic time axis: local polynomial smoothing as a linear map, and noise to go with it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

WINDOW = 0.05
"""Half width of the smoothing kernel in decades, one standard deviation."""
MOST_POINTS = 400
"""Points that are smoothed; a longer curve is averaged within bins of the logarithm of time first."""
N_LOCAL = 8
"""Points over which the size of noise is averaged, one standard deviation of the weights."""
MOST_CORRELATED = 0.95
"""Bound of the correlation of the noise of a single curve from one point to the next."""
N_BISECTIONS = 6
N_NEAREST = 2
"""Neighbors on either side that the kernel always reaches."""


def log_time(t: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
    """Decades; where time begins at 0, all times are shifted by the first step."""
    found: np.ndarray = np.log10(t + (t[1] - t[0] if t[0] == 0 else 0.0))
    return found


@dataclass(frozen=True, eq=False)
class Binned:
    """A curve with as many points as can be smoothed.

    Attributes:
        t: Times.
        x: Their logarithms.
        values: The curve of each seed.
    """

    t: Float[np.ndarray, " points"]
    x: Float[np.ndarray, " points"]
    values: Float[np.ndarray, "seeds points"]


def binned(t: Float[np.ndarray, " time"], values: Float[np.ndarray, "seeds time"]) -> Binned:
    """Averages within bins of the logarithm of time, or the curve itself where it is short."""
    x = log_time(t)
    if len(t) <= MOST_POINTS:
        return Binned(t, x, values)
    number = np.minimum(((x - x[0]) / (x[-1] - x[0]) * MOST_POINTS).astype(int), MOST_POINTS - 1)
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    counts = np.diff(np.append(starts, len(t)))
    return Binned(
        np.add.reduceat(t, starts) / counts,
        np.add.reduceat(x, starts) / counts,
        np.add.reduceat(values, starts, axis=1) / counts,
    )


def smoother(x: Float[np.ndarray, " points"], window: float) -> Float[np.ndarray, "points points"]:
    """The matrix of a local quadratic fit with Gaussian weights: Savitzky and Golay's filter for uneven points.

    Args:
        x: Points in increasing order.
        window: Standard deviation of the weights. Where points are sparse, it grows until it reaches two neighbors.
    """
    away = x[None] - x[:, None]
    near = np.partition(np.abs(away), 2 * N_NEAREST, axis=1)[:, 2 * N_NEAREST]
    width = np.maximum(window, near / 2)[:, None]
    weight = np.exp(-0.5 * (away / width) ** 2)
    scaled = away / width
    powers = np.stack([np.ones_like(scaled), scaled, scaled**2], -1)
    moments = np.einsum("ij,ijk,ijl->ikl", weight, powers, powers)
    # The value of the fit at its center is its constant term.
    first = np.linalg.solve(moments, np.broadcast_to(np.eye(3)[:, :1], (len(x), 3, 1)))[..., 0]
    found: np.ndarray = np.einsum("ik,ijk,ij->ij", first, powers, weight)
    return found


def noise_curves(
    values: Float[np.ndarray, "seeds points"],
    matrix: Float[np.ndarray, "points points"],
    n: int,
    generator: np.random.Generator,
) -> Float[np.ndarray, "n points"]:
    """Random errors of the smoothed mean, as the scatter of the data says they are.

    Of several seeds, each random curve is a Gaussian mixture of their deviations from the mean (the multiplier
    bootstrap), which keeps how errors at different times go together. Of a single curve, the residuals of the smoothing
    give the size of the noise in each neighborhood, and how much of it stays from one point to the next, the same along
    the curve (an autoregression of first order). What is slower than the kernel cannot be told from the curve itself.

    Args:
        values: The curve of each seed.
        matrix: The smoother.
        n: Curves to draw.
        generator: Where they come from.
    """
    seeds, points = values.shape
    if seeds > 1:
        deviations = (values - values.mean(0)) @ matrix.T
        factors = generator.standard_normal((n, seeds)) / np.sqrt(seeds * (seeds - 1))
        found: np.ndarray = factors @ deviations
        return found
    correlation, scale = _local_noise(values[0], matrix)
    root = np.linalg.cholesky(_correlated(correlation, points))
    single: np.ndarray = (generator.standard_normal((n, points)) @ root.T * scale) @ matrix.T
    return single


def _correlated(correlation: float, points: int) -> Float[np.ndarray, "points points"]:
    index = np.arange(points)
    found: np.ndarray = correlation ** np.abs(index[None] - index[:, None])
    return found


def _local_noise(
    curve: Float[np.ndarray, " points"], matrix: Float[np.ndarray, "points points"]
) -> tuple[float, Float[np.ndarray, " points"]]:
    """Of the noise, the correlation from point to point, and the standard deviation at each, from a neighborhood.

    The correlation is the one with which residuals and their neighbors would go together as they do: a smoothed curve
    follows its own noise, so that residuals are less correlated than the noise is.
    """
    rest = np.eye(len(curve)) - matrix
    residuals = rest @ curve
    power = float(residuals @ residuals)
    together = float(residuals[1:] @ residuals[:-1]) / power if power > 0 else 0.0
    low, high = 0.0, MOST_CORRELATED
    for _ in range(N_BISECTIONS):
        correlation = (low + high) / 2
        turned = rest @ _correlated(correlation, len(curve))
        shares, beside = (turned * rest).sum(1), (turned[1:] * rest[:-1]).sum()
        is_more = float(beside / shares.sum()) < together
        low, high = (correlation, high) if is_more else (low, correlation)
    index = np.arange(len(curve))
    weight = np.exp(-0.5 * ((index[None] - index[:, None]) / N_LOCAL) ** 2)
    # A residual has this share of the variance of the noise; the rest went into the smoothed curve.
    scale: np.ndarray = np.sqrt(weight @ residuals**2 / (weight @ shares))
    return correlation, scale
