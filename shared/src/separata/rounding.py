"""Numbers as tables show them: whole ones whole, others with three significant digits, one format a row."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

UNKNOWN = "–"
"""Stands for a number that is not known."""

SMALLEST, LARGEST = 1e-4, 1e12
"""Between these, numbers are written without an exponent."""


@dataclass(frozen=True)
class Format:
    """One way to write the numbers of a row: with so many decimals, or with an exponent where that is None."""

    decimals: int | None

    def __call__(self, value: float | None) -> str:
        """The number as text; one that would be rounded to zero shows its first digit instead."""
        if value is None:
            return UNKNOWN
        if not math.isfinite(value):
            return "not a number"
        if self.decimals is None:
            return f"{value:.2e}" if value else "0"
        if value and abs(value) < 0.5 * 10**-self.decimals:
            return f"{value:.1g}"
        return f"{value:,.{self.decimals}f}"


def is_whole(numbers: Iterable[float | None]) -> bool:
    """Whether those that are known are whole numbers."""
    return all(value is None or float(value).is_integer() for value in numbers)


def three_digits(numbers: Iterable[float | None]) -> Format:
    """The format in which the largest of these numbers has three significant digits."""
    largest = max((abs(value) for value in numbers if value is not None and math.isfinite(value)), default=0.0)
    if largest and not SMALLEST <= largest < LARGEST:
        return Format(None)
    # As it is rounded: 99.96 is 100, not 99.9.
    exponent = int(f"{largest:.2e}".split("e")[1])
    return Format(max(0, 2 - exponent))


def number(value: float | None) -> str:
    """A number by itself."""
    is_count = is_whole([value]) and abs(value or 0) < LARGEST
    return (Format(0) if is_count else three_digits([value]))(value)
