"""Costs as polynomials in the sizes that the user names, fitted exactly."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

DEGREE = 2
"""Highest power of one size: a product of arrays has any axis twice at most, as in attention."""
POINTS = (2, 3, 5, 7)


@dataclass(frozen=True)
class Polynomial:
    """A polynomial in sizes with rational coefficients.

    Args:
        symbols: Names of the sizes.
        terms: Coefficient of each product of powers.
    """

    symbols: tuple[str, ...]
    terms: Mapping[tuple[int, ...], Fraction]

    def __call__(self, **sizes: int) -> Fraction:
        """Its value.

        Raises:
            KeyError: if a size is not given.
        """
        total = Fraction(0)
        for powers, factor in self.terms.items():
            term = factor
            for symbol, power in zip(self.symbols, powers, strict=True):
                term *= Fraction(sizes[symbol]) ** power
            total += term
        return total

    def leading(self) -> "Polynomial":
        """The terms that no other one outgrows in every size."""
        kept = {
            powers: factor
            for powers, factor in self.terms.items()
            if not any(
                other != powers and all(a >= b for a, b in zip(other, powers, strict=True)) for other in self.terms
            )
        }
        return Polynomial(self.symbols, kept)

    def __str__(self) -> str:
        parts = []
        for powers, factor in sorted(self.terms.items(), reverse=True):
            names = [s + (f"^{p}" if p > 1 else "") for s, p in zip(self.symbols, powers, strict=True) if p]
            number = "" if factor.numerator == 1 and names else f"{factor.numerator:,}"
            number = "-" if factor.numerator == -1 and names else number
            part = " ".join([number, *names] if number not in ("", "-") else [number + names[0], *names[1:]])
            parts.append(part if factor.denominator == 1 else f"{part} / {factor.denominator:,}")
        return " + ".join(parts).replace("+ -", "- ") or "0"


def fit_polynomial(
    count: Callable[[Mapping[str, int]], int], symbols: Sequence[str], checks: Sequence[Mapping[str, int]],
    scale: Mapping[str, int] | None = None,
) -> Polynomial:  # fmt: skip
    """The polynomial that a count is, of degree 2 at most in each size.

    It is interpolated on a grid and then compared with the count at other sizes.

    Args:
        count: What is counted, at given sizes.
        symbols: Names of the sizes.
        checks: Sizes at which the polynomial must be right.
        scale: Numbers of which each size must be a multiple; 1 by default.

    Raises:
        ValueError: if the count is no such polynomial.
    """
    factors = {s: (scale or {}).get(s, 1) for s in symbols}
    points = POINTS[: DEGREE + 1]
    values: dict[tuple[int, ...], Fraction] = {
        at: Fraction(count({s: factors[s] * x for s, x in zip(symbols, at, strict=True)}))
        for at in itertools.product(points, repeat=len(symbols))
    }
    found = interpolated(symbols, {s: [factors[s] * x for x in points] for s in symbols}, {
        tuple(factors[s] * x for s, x in zip(symbols, at, strict=True)): value for at, value in values.items()
    })  # fmt: skip
    for sizes in checks:
        if found(**sizes) != count(sizes):
            raise ValueError(
                f"the count is no polynomial of degree {DEGREE} in {', '.join(symbols)}: it fails at {sizes}"
            )
    return found


def interpolated(
    symbols: Sequence[str], points: Mapping[str, Sequence[int]], values: Mapping[tuple[int, ...], int | Fraction]
) -> Polynomial:
    """The polynomial with given values on a grid, in each symbol of a degree below the number of its points.

    Args:
        symbols: Names of the sizes.
        points: Sizes of each symbol on the grid.
        values: Value at each point of the grid, in the order of the symbols.
    """
    if len(set(values.values())) == 1:
        only = Fraction(next(iter(values.values())))
        return Polynomial(tuple(symbols), {(0,) * len(symbols): only} if only else {})
    basis = {s: [_lagrange(points[s], i) for i in range(len(points[s]))] for s in symbols}
    terms: dict[tuple[int, ...], Fraction] = {}
    for at, value in values.items():
        rows = [basis[s][list(points[s]).index(x)] for s, x in zip(symbols, at, strict=True)]
        for powers in itertools.product(*(range(len(row)) for row in rows)):
            part = Fraction(value)
            for row, power in zip(rows, powers, strict=True):
                part *= row[power]
            terms[powers] = terms.get(powers, Fraction(0)) + part
    return Polynomial(tuple(symbols), {powers: factor for powers, factor in terms.items() if factor})


def _lagrange(points: Sequence[int], i: int) -> list[Fraction]:
    """Coefficients, constant first, of the polynomial that is 1 at one point and 0 at the others."""
    row = [Fraction(1)]
    for j, x in enumerate(points):
        if j == i:
            continue
        step = points[i] - x
        shifted = [Fraction(0), *row]
        row = [(a - x * b) / step for a, b in zip(shifted, [*row, Fraction(0)], strict=True)]
    return row
