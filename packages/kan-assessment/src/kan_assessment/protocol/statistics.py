"""Paired statistics: differences between two models on the same seeds, and what follows from them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Outcome = Literal["win", "tie", "loss"]
LEVEL = 0.95
FEWEST_FOR_BOOTSTRAP = 10
"""With fewer pairs, percentiles of resampled means cover too little: of 3 pairs about 70 % instead of 95 %."""
BAND_POINTS = 0.5
"""Points of accuracy that do not matter."""
BAND_SHARE = 0.05
"""Share of an error that does not matter."""


@dataclass(frozen=True)
class Difference:
    """A paired difference, and an interval that has the true mean in it in 95 % of cases.

    Attributes:
        mean: Mean difference.
        low: Lower end.
        high: Upper end.
        n: Pairs.
    """

    mean: float
    low: float
    high: float
    n: int


def bootstrap_interval(
    values: Sequence[float], *, level: float = LEVEL, n_resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean.

    Args:
        values: One number a repetition.
        level: Share of cases in which it should have the true mean in it, given enough values.
        n_resamples: Resampled means.
        seed: Draws them.

    Raises:
        ValueError: if there are fewer than two values.
    """
    numbers = _checked(values)
    rng = np.random.default_rng(seed)
    means = numbers[rng.integers(0, len(numbers), (n_resamples, len(numbers)))].mean(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def student_interval(values: Sequence[float], *, level: float = LEVEL) -> tuple[float, float]:
    """Student's interval of the mean, exact for normal values however few.

    Raises:
        ValueError: if there are fewer than two values.
    """
    from scipy.special import stdtrit

    numbers = _checked(values)
    half = float(stdtrit(len(numbers) - 1, (1 + level) / 2)) * numbers.std(ddof=1) / math.sqrt(len(numbers))
    return float(numbers.mean() - half), float(numbers.mean() + half)


def _checked(values: Sequence[float]) -> np.ndarray:
    numbers = np.asarray(values, dtype=float)
    if len(numbers) < 2:
        raise ValueError(f"an interval needs at least 2 repetitions, not {len(numbers)}; ask for more seeds")
    return numbers


def paired(a: Sequence[float], b: Sequence[float]) -> Difference:
    """The mean of a - b over pairs, with a 95 % interval: bootstrapped from 10 pairs on, Student's with fewer.

    Raises:
        ValueError: if they differ in length, or there are fewer than two pairs.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} values are not pairs")
    values = [x - y for x, y in zip(a, b, strict=True)]
    numbers = _checked(values)
    interval = bootstrap_interval if len(values) >= FEWEST_FOR_BOOTSTRAP else student_interval
    return Difference(float(numbers.mean()), *interval(values), len(values))


def advantage(model: Sequence[float], reference: Sequence[float], *, is_lower_better: bool) -> Difference:
    """How much better a model is than the reference, in pairs of the same seed.

    For accuracies the difference in points; for errors the difference of logarithms, log(reference) - log(model), so
    that 0.05 is about 5 % less error. Positive where the model is better.
    """
    if not is_lower_better:
        return paired(model, reference)
    tiny = 1e-30
    return paired([-math.log(max(v, tiny)) for v in model], [-math.log(max(v, tiny)) for v in reference])


def band(*, is_lower_better: bool) -> float:
    """The advantage below which it does not matter."""
    return -math.log(1 - BAND_SHARE) if is_lower_better else BAND_POINTS


def outcome(difference: Difference, band_width: float) -> Outcome:
    """Whether a difference is a win, a tie or a loss.

    A win or loss is larger than the tie band, and its interval does not have zero in it.
    """
    if difference.mean > band_width and difference.low > 0:
        return "win"
    if difference.mean < -band_width and difference.high < 0:
        return "loss"
    return "tie"


def wilcoxon(differences: Sequence[float]) -> float:
    """Two-sided p value of Wilcoxon's signed-rank test that differences across data sets are symmetric about zero.

    Raises:
        ValueError: if there are none.
    """
    from scipy import stats

    numbers = np.asarray([value for value in differences if value == value], dtype=float)  # noqa: PLR0124
    if not len(numbers):
        raise ValueError("there are no differences to test")
    if not numbers.any():
        return 1.0
    return float(stats.wilcoxon(numbers).pvalue)
