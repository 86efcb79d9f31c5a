"""Scaling exponents: how fast errors fall with the size of a network."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .statistics import LEVEL


@dataclass(frozen=True)
class Scaling:
    """A power law, error = c size^-alpha.

    Attributes:
        alpha: The exponent.
        low: Lower end of its 95 % interval.
        high: Upper end; both are the exponent itself where there are two sizes.
        r2: Share of the variance of the logarithms that the law explains.
    """

    alpha: float
    low: float
    high: float
    r2: float


def scaling_exponent(sizes: Sequence[float], errors: Sequence[float]) -> Scaling:
    """The exponent of the power law nearest to errors, by least squares of the logarithms.

    Args:
        sizes: Sizes of networks, such as their parameters.
        errors: Their errors, all positive.

    Raises:
        ValueError: if there are fewer than two different sizes, or a number is not positive.
    """
    from scipy.special import stdtrit

    if len(sizes) != len(errors) or len(set(sizes)) < 2:
        raise ValueError("a scaling exponent needs errors at two different sizes or more")
    if not all(value > 0 and math.isfinite(value) for value in [*sizes, *errors]):
        raise ValueError("a scaling exponent needs positive sizes and errors")
    x, y = np.log(np.asarray(sizes, float)), np.log(np.asarray(errors, float))
    centered = x - x.mean()
    slope = float(centered @ y / (centered @ centered))
    rest = y - y.mean() - slope * centered
    total = float(((y - y.mean()) ** 2).sum())
    r2 = 1 - float(rest @ rest) / total if total > 0 else 1.0
    half = 0.0
    if len(x) > 2:
        error = math.sqrt(float(rest @ rest) / (len(x) - 2) / float(centered @ centered))
        half = float(stdtrit(len(x) - 2, (1 + LEVEL) / 2)) * error
    return Scaling(-slope, -slope - half, -slope + half, r2)
