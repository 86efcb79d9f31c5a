"""Double descent in a learning curve: where its descents begin and end, and how sure that is."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from .smoothing import WINDOW, binned, noise_curves, smoother

FEWEST = 8
"""Points that a curve needs."""
LARGEST = 1e100
"""Error whose square can be computed with."""
N_BOOTSTRAP = 400
LEVEL = 0.95
"""Of intervals, and of the largest wave that noise alone makes."""
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Quantiles 0.975 of Student's t distribution with 1, 2, ... degrees of freedom."""
NORMAL = 1.95996
"""The same of the normal distribution."""
SMALLEST = 0.01
"""By default, a rise or fall counts from this part of the curve's range on."""

Shape = Literal["double descent", "U-shaped", "descending", "rising"]


@dataclass(frozen=True)
class Extremum:
    """A minimum or maximum of a learning curve, with intervals of 95 %.

    Steps are those at which the curve was measured, and so are the ends of their intervals. Of few seeds, the interval
    of the error is as wide as Student's t distribution has it.

    Attributes:
        step: When.
        step_low: Lower end of the interval of the step.
        step_high: Upper end.
        error: How large the error is there.
        error_low: Lower end of the interval of the error.
        error_high: Upper end.
    """

    step: float
    step_low: float
    step_high: float
    error: float
    error_low: float
    error_high: float

    def told(self) -> str:
        """For a person."""
        return (
            f"step {self.step:,.4g} [{self.step_low:,.4g}, {self.step_high:,.4g}], "
            f"error {self.error:.4g} [{self.error_low:.4g}, {self.error_high:.4g}]"
        )


@dataclass(frozen=True, eq=False)
class DescentReport:
    """What a learning curve does.

    Attributes:
        shape: `double descent`; `U-shaped`, if it rises after a minimum and does not fall again; `descending` or
            `rising`, if it has no turn that counts.
        first_min: End of the first descent; the lowest point where there is one descent alone.
        peak: Where the second descent begins; None without one.
        second_min: Where it ends; None without one.
        rise: From the first minimum to the peak, or else to the highest point after it.
        rise_se: Standard error of the rise.
        fall: From the peak to the second minimum; 0 without one.
        fall_se: Standard error of the fall.
        tolerance: What rise and fall must exceed: the smallest size that counts, twice the standard error, and the
            largest wave that noise, of the size that it has there, makes of a flat curve in 95 % of cases.
        certainty: Share of bootstrap curves that are double descents.
        steps: Times of the smoothed curve.
        smooth: The smoothed curve, of several seeds their mean.
        low: Lower end of its pointwise interval of 95 %.
        high: Upper end.
    """

    shape: Shape
    first_min: Extremum
    peak: Extremum | None
    second_min: Extremum | None
    rise: float
    rise_se: float
    fall: float
    fall_se: float
    tolerance: float
    certainty: float
    steps: Float[np.ndarray, " points"]
    smooth: Float[np.ndarray, " points"]
    low: Float[np.ndarray, " points"]
    high: Float[np.ndarray, " points"]

    @property
    def is_double_descent(self) -> bool:
        """Whether the curve falls, rises and falls again."""
        return self.shape == "double descent"

    def summary(self) -> str:
        """For a person."""
        lines = [f"{self.shape} (certainty {self.certainty:.0%}; rises and falls above {self.tolerance:.3g} count)"]
        if self.peak is not None and self.second_min is not None:
            lines += [
                f"first descent ends      {self.first_min.told()}",
                f"second descent begins   {self.peak.told()}",
                f"second descent ends     {self.second_min.told()}",
                f"rise {self.rise:.4g} (standard error {self.rise_se:.2g}), fall {self.fall:.4g} ({self.fall_se:.2g})",
            ]
        else:
            lines.append(f"lowest                  {self.first_min.told()}")
            if self.shape == "U-shaped":
                lines.append(f"rise {self.rise:.4g} (standard error {self.rise_se:.2g}), and no second descent")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Everything but the curves."""
        parts = {key: None if one is None else asdict(one) for key, one in self._extremes().items()}
        numbers = ("rise", "rise_se", "fall", "fall_se", "tolerance", "certainty")
        return {
            "shape": self.shape,
            "is_double_descent": self.is_double_descent,
            **parts,
            **{key: float(getattr(self, key)) for key in numbers},
        }

    def _extremes(self) -> dict[str, Extremum | None]:
        return {"first_min": self.first_min, "peak": self.peak, "second_min": self.second_min}


def find_double_descent(
    t: ArrayLike,
    error: ArrayLike,
    *,
    window: float = WINDOW,
    smallest: float | None = None,
    seed: int = 0,
) -> DescentReport:
    """Look for a double descent in a learning curve.

    The mean over seeds is smoothed in the logarithm of time. Every point has a rise, above the lowest point before it,
    and a fall, to the lowest point after it; the peak is the point at which the smaller of the two is largest.

    Args:
        t: Steps, epochs or times, at least 8, increasing, from 0 or later on.
        error: The error at each of them; of several seeds, an array (seeds, time). Smaller is better.
        window: Half width of the smoothing kernel, in decades of time.
        smallest: Rise and fall that count at least, in units of the error; by default 1 % of the curve's range.
        seed: Of the bootstrap.

    Raises:
        ValueError: if the curve is too short, its times do not increase, or a number is not finite.
    """
    times, values = checked_curve(t, error)
    if not window > 0:
        raise ValueError(f"the window must be positive, not {window}")
    if smallest is not None and not smallest >= 0:
        raise ValueError(f"the smallest rise must not be negative, not {smallest}")
    curve = binned(times, values)
    matrix = smoother(curve.x, window)
    smooth = matrix @ curve.values.mean(0)
    noise = noise_curves(curve.values, matrix, N_BOOTSTRAP, np.random.default_rng(seed))
    least = SMALLEST * float(np.ptp(smooth)) if smallest is None else smallest
    return _report(curve.t, smooth, noise, least, _widening(len(values)))


def checked_curve(t: ArrayLike, error: ArrayLike) -> tuple[Float[np.ndarray, " time"], Float[np.ndarray, "seeds time"]]:
    """A curve as arrays.

    Raises:
        ValueError: if it is too short, its times do not increase, or a number is not finite.
    """
    times, values = np.asarray(t, float), np.atleast_2d(np.asarray(error, float))
    if times.ndim != 1 or values.ndim != 2 or values.shape[1] != len(times):
        raise ValueError(f"a curve has an error for each time, not times {times.shape} and errors {np.shape(error)}")
    if len(times) < FEWEST:
        raise ValueError(f"a curve needs at least {FEWEST} points to look for descents, not {len(times)}")
    if not (np.isfinite(times).all() and np.isfinite(values).all()):
        raise ValueError("the curve has a step or an error that is no finite number")
    if np.abs(values).max() > LARGEST:
        raise ValueError(f"the curve has an error beyond {LARGEST:g}")
    if times[0] < 0:
        raise ValueError(f"steps must not be negative, not {times[0]:g}")
    if (back := np.flatnonzero(np.diff(times) <= 0)).size:
        raise ValueError(f"steps must increase, but {times[back[0] + 1]:g} follows {times[back[0]]:g}")
    return times, values


def _widening(seeds: int) -> float:
    """How much wider an interval is because the spread of few seeds is itself uncertain."""
    freedom = seeds - 1
    if not freedom:
        return 1.0
    return (STUDENT[freedom - 1] if freedom <= len(STUDENT) else NORMAL + 2.5 / freedom) / NORMAL


def _turns(curves: Float[np.ndarray, "n points"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each curve first minimum, peak and second minimum: the turn whose smaller side is largest."""
    before = np.minimum.accumulate(curves, 1)
    after = np.minimum.accumulate(curves[:, ::-1], 1)[:, ::-1]
    peak = np.minimum(curves - before, curves - after).argmax(1)
    at = np.arange(curves.shape[1])
    first = np.where(at <= peak[:, None], curves, np.inf).argmin(1)
    second = np.where(at >= peak[:, None], curves, np.inf).argmin(1)
    return first, peak, second


def _sizes(curves: np.ndarray, turns: tuple[np.ndarray, np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(len(curves))
    first, peak, second = turns
    return curves[rows, peak] - curves[rows, first], curves[rows, peak] - curves[rows, second]


def _climbs(curves: Float[np.ndarray, "n points"]) -> Float[np.ndarray, " n"]:
    """Of each curve the rise from its lowest point to the highest one after it."""
    rows, lowest = np.arange(len(curves)), curves.argmin(1)
    later = np.where(np.arange(curves.shape[1]) >= lowest[:, None], curves, -np.inf)
    found: np.ndarray = later.max(1) - curves[rows, lowest]
    return found


def _report(
    t: Float[np.ndarray, " points"],
    smooth: Float[np.ndarray, " points"],
    noise: Float[np.ndarray, "n points"],
    least: float,
    widening: float,
) -> DescentReport:
    resampled = smooth + noise
    spread = noise.std(0)
    # Of unit size everywhere: a curve may be noisier where nothing turns.
    unit = noise / np.where(spread > 0, spread, 1.0)
    first, peak, second = (int(one[0]) for one in _turns(smooth[None]))
    wave = float(np.quantile(np.minimum(*_sizes(unit, _turns(unit))), LEVEL) * spread[first : second + 1].max())
    rise, fall = float(smooth[peak] - smooth[first]), float(smooth[peak] - smooth[second])
    rise_se, fall_se = (float((noise[:, peak] - noise[:, at]).std()) for at in (first, second))
    tolerance = max(least, wave, 2 * rise_se, 2 * fall_se)
    moved = _turns(resampled)
    certainty = float((np.minimum(*_sizes(resampled, moved)) > max(least, wave)).mean())
    low, high = np.quantile(smooth + widening * noise, TAILS, axis=0)
    curves = (t, smooth, low, high)
    if min(rise, fall) > tolerance:
        turns = zip((first, peak, second), moved, strict=True)
        ends = [_extremum(curves, at, places) for at, places in turns]
        sizes = (rise, rise_se, fall, fall_se, tolerance, certainty)
        return DescentReport("double descent", ends[0], ends[1], ends[2], *sizes, *curves)
    lowest = int(smooth.argmin())
    last = lowest + int(smooth[lowest:].argmax())
    rise, rise_se = float(smooth[last] - smooth[lowest]), float((noise[:, last] - noise[:, lowest]).std())
    climb = float(np.quantile(_climbs(unit), LEVEL) * spread[lowest : last + 1].max())
    tolerance = max(least, climb, 2 * rise_se)
    shape: Shape = "descending"
    if rise > tolerance:
        shape = "U-shaped" if smooth[0] - smooth[lowest] > tolerance else "rising"
    end = _extremum(curves, lowest, resampled.argmin(1))
    return DescentReport(shape, end, None, None, rise, rise_se, 0.0, 0.0, tolerance, certainty, *curves)


def _extremum(curves: tuple[np.ndarray, ...], at: int, places: np.ndarray) -> Extremum:
    t, smooth, low, high = curves
    steps = np.quantile(t[places], TAILS, method="nearest")
    return Extremum(
        float(t[at]),
        float(min(steps[0], t[at])),
        float(max(steps[1], t[at])),
        float(smooth[at]),
        float(low[at]),
        float(high[at]),
    )


def turn_sizes(error: Float[np.ndarray, " time"]) -> tuple[int, int, float, float]:
    """Of a smooth curve the largest climb above an earlier minimum, and what it falls after that.

    Returns:
        Places of the minimum and of the peak, the rise, and the fall to the lowest point after the peak; the fall is 0
        where nothing rises.
    """
    climbed = error - np.minimum.accumulate(error)
    peak = int(climbed.argmax())
    first = int(error[: peak + 1].argmin())
    rise = float(climbed[peak])
    return first, peak, rise, float(error[peak] - error[peak:].min()) if rise > 0 else 0.0
