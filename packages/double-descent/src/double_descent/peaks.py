"""Is there a peak in an error curve over widths, how high is it, and where?"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

RATIO = 1.2
"""From this multiple on of what stands on either side, a maximum counts as a peak."""
N_ERRORS = 2.0
"""Standard errors that a peak must stand out by."""
SMALLEST = 1e-12
"""What an error of zero, which has no logarithm, is taken for."""


@dataclass(frozen=True)
class Peak:
    """The maximum of an error curve near the threshold, beside what stands on either side of it.

    Attributes:
        height: Its error minus the lowest error at narrower models.
        relative: Its error over that of the widest model.
        prominence: Its error over the larger of the lowest error at narrower models and the error of the widest; at
            most 1 where the error only rises or only falls.
        location: Its width in units of the threshold.
        error: Its error.
        standard_error: Of the logarithm of the ratio behind `prominence`, over seeds; NaN for a single one.
        is_present: Whether it is a peak: a prominence above 1.2, and a mean logarithm above 2 standard errors. Of
            logarithms, since errors at the threshold have a heavy tail.
    """

    height: float
    relative: float
    prominence: float
    location: float
    error: float
    standard_error: float
    is_present: bool

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }


def find_peak(
    widths: Sequence[float],
    errors: Float[np.ndarray, "seeds widths"],
    threshold: float,
    around: tuple[float, float] = (0.5, 2.0),
) -> Peak:
    """Look for a double-descent peak in an error curve.

    A peak has lower errors on *both* sides. An error that only grows with the width, as of weights that keep a large
    initialization, has none.

    Args:
        widths: Widths, or numbers of parameters, in increasing order.
        errors: The error of each seed at each width.
        threshold: The width at which training data can just be interpolated: N for linear weights on features.
        around: Where to look, in units of the threshold.

    Raises:
        ValueError: if there is no width to look at, or none on one of its sides.
    """
    at = np.asarray(widths, dtype=float) / threshold
    if (np.diff(at) <= 0).any() or errors.shape[1] != len(at):
        raise ValueError("widths must increase, with an error for each of them")
    mean = errors.mean(0)
    inside = np.flatnonzero((at >= around[0] - 1e-9) & (at <= around[1] + 1e-9))
    if not len(inside):
        raise ValueError(
            f"no width lies between {around[0]:g} and {around[1]:g} times the threshold, {threshold:g}; look at some"
        )
    top = int(inside[np.argmax(mean[inside])])
    left = int(np.argmin(mean[: top + 1]))
    last = len(at) - 1
    beside = left if mean[left] >= mean[last] else last
    kept = np.maximum(errors, SMALLEST)
    difference = np.log(kept[:, top] / kept[:, beside])
    n_seeds = len(errors)
    spread = float(difference.std(ddof=1) / math.sqrt(n_seeds)) if n_seeds > 1 else math.nan
    prominence = float(mean[top] / mean[beside]) if mean[beside] > 0 else math.inf
    stands_out = n_seeds == 1 or float(difference.mean()) > N_ERRORS * spread
    return Peak(
        height=float(mean[top] - mean[left]),
        relative=float(mean[top] / mean[last]) if mean[last] > 0 else math.inf,
        prominence=prominence,
        location=float(at[top]),
        error=float(mean[top]),
        standard_error=spread,
        is_present=prominence > RATIO and stands_out,
    )


def most_prominent(errors: Float[np.ndarray, " widths"]) -> int:
    """Which width has the maximum that stands out most from the lowest errors on its two sides, wherever it is."""
    left, right = np.minimum.accumulate(errors), np.minimum.accumulate(errors[::-1])[::-1]
    return int(np.argmax(errors / np.maximum(np.maximum(left, right), SMALLEST)))


def largest_rise(errors: Float[np.ndarray, " widths"]) -> float:
    """How far the error rises above what a narrower model had, as a share of it: 0 where it only falls."""
    lowest = np.minimum.accumulate(errors)
    return float((errors / lowest).max() - 1)
