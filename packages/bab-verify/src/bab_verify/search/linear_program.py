"""Linear programs: lower bounds of their minima that hold whatever solver, tolerance and rounding gave them."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Vector = NDArray[np.float64]
UNIT = np.finfo(np.float64).eps / 2
"""What rounding may change a number by, relative to it, u."""
TINY = np.finfo(np.float64).smallest_normal
"""More than what underflow may change a product by."""
MOST_TERMS = 10**12
"""Terms of a sum up to which its rounding is small against their absolute values."""


@dataclass(frozen=True)
class LinearProgram:
    """Minimize cost x + offset over lower <= x <= upper and row_lower <= matrix x <= row_upper.

    Every number stands for itself: the program is that of these floating-point numbers in real arithmetic.

    Args:
        cost: (columns,).
        offset: A constant.
        matrix: (rows, columns), sparse.
        row_lower: (rows,), minus infinity where there is no limit.
        row_upper: (rows,), infinity where there is none.
        lower: (columns,).
        upper: (columns,).
    """

    cost: Vector
    offset: float
    matrix: csr_array
    row_lower: Vector
    row_upper: Vector
    lower: Vector
    upper: Vector

    @cached_property
    def transposed(self) -> csr_array:
        """The matrix by columns, (columns, rows)."""
        return csr_array(self.matrix.T)

    @cached_property
    def sizes(self) -> csr_array:
        """The absolute values of the matrix by columns, (columns, rows)."""
        return csr_array(abs(self.transposed))


class Certificate(NamedTuple):
    """What is known of the least value of a program, in real arithmetic.

    Args:
        minimum: It is not below this; minus infinity where nothing is known.
        error: What was taken off for rounding and for what rows may miss their limits by.
    """

    minimum: float
    error: float

    @property
    def positive(self) -> bool:
        """Whether the least value is above zero."""
        return self.minimum > 0


NOTHING_KNOWN, EMPTY = Certificate(-np.inf, 0.0), Certificate(np.inf, 0.0)
"""Of any program, and of one without a feasible point."""


def rounding_share(terms: int) -> float:
    """What rounding takes from a sum of products, at most, as a share of its terms' absolute values *as computed*.

    Higham's gamma_n = n u / (1 - n u) is the share of the exact absolute values, in any order of summation and with
    fused operations or without; twice that covers the rounding of the absolute values and of what is done with them.

    Args:
        terms: At least the operations on the way from one number to the result.

    Raises:
        ValueError: if there are so many that nothing is known of the sum.
    """
    if terms > MOST_TERMS:
        raise ValueError(f"a sum of {terms} terms is too long for its rounding to be bounded")
    n = terms * UNIT
    return 2 * n / (1 - n)


def certified_minimum(program: LinearProgram, multipliers: Vector, allowances: Vector | None = None) -> float:
    """The number of `certify` alone."""
    return certify(program, multipliers, allowances).minimum


def certify(program: LinearProgram, multipliers: Vector, allowances: Vector | None = None) -> Certificate:
    """A number that the minimum of a program is not below, in real arithmetic.

    For any multipliers y of the rows, positive where they hold the lower limit and negative where they hold the upper
    one, weak duality gives

        min c x + offset >= offset + sum y+ row_lower - y- row_upper + min over the box of (c - A^T y) x,

    and the right-hand side is evaluated with a bound on its rounding (Neumaier and Shcherbina, "Safe bounds in linear
    and mixed-integer linear programming", 2004). So multipliers may come from anywhere; good ones are those of an
    approximate solution. A program without a feasible point has no minimum: what is then returned is true of anything,
    and with a cost of zero and a Farkas ray, a positive number proves that there is none.

    Args:
        program: The program; nothing is known where a column is unbounded.
        multipliers: (rows,); of a wrong sign or not finite, they count as zero.
        allowances: What each row may miss its limits by, not negative, (rows,): where its numbers are rounded ones.
    """
    y = np.where(np.isfinite(multipliers), multipliers, 0.0)
    y = np.where(np.where(y > 0, np.isfinite(program.row_lower), np.isfinite(program.row_upper)), y, 0.0)
    limits = np.where(y > 0, program.row_lower, program.row_upper)
    limits = np.where(y == 0, 0.0, limits)
    size_y = np.abs(y)
    share = rounding_share(sum(program.matrix.shape) + 8)
    with np.errstate(all="ignore"):
        reduced = program.cost - program.transposed @ y
        reduced_error = share * (np.abs(program.cost) + program.sizes @ size_y) + len(y) * TINY
        at = np.where(reduced > 0, program.lower, program.upper)
        value = program.offset + y @ limits + reduced @ at
        size = abs(program.offset) + size_y @ np.abs(limits) + np.abs(reduced) @ np.abs(at)
        reach = np.maximum(np.abs(program.lower), np.abs(program.upper))
        error = share * size + 2 * (reduced_error @ reach) + (len(y) + len(at)) * TINY
        if allowances is not None:
            error += 2 * (size_y @ allowances)
        found = float(np.nextafter(value - error, -np.inf))
    return Certificate(found, float(error)) if np.isfinite(found) else NOTHING_KNOWN
