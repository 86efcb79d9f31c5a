"""Mixed-integer linear programs as arrays, and as files that every solver reads."""

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float, Shaped
from scipy import sparse

from separata import files

if TYPE_CHECKING:
    from pyscipopt import Model

Sense = Literal["minimize", "maximize"]

FORMATS = (".lp", ".mps")
"""How the names of files end; each also with .gz behind it."""
TERMS_PER_LINE = 8


@dataclass(frozen=True, eq=False)
class MILP:
    """Optimize `objective @ x` subject to `lhs <= matrix @ x <= rhs` and `lower <= x <= upper`, some of x integer.

    Variables are named x1, x2, ... and rows C1, C2, ... in their order.

    Args:
        objective: Coefficients of the objective.
        matrix: Coefficients of the rows, of shape (rows, variables).
        lhs: Left-hand sides; minus infinity where there is none.
        rhs: Right-hand sides; infinity where there is none.
        lower: Lower bounds; minus infinity where there is none.
        upper: Upper bounds; infinity where there is none.
        types: B for binary, I for integer, C for continuous, one letter a variable.
        sense: Whether the objective is minimized or maximized.
        name: Name of the problem.

    Raises:
        ValueError: if the shapes do not fit, a number is not a number, a coefficient is infinite, a row has no side, or
            a lower bound exceeds an upper one.
    """

    objective: Float[np.ndarray, " n"]
    matrix: sparse.csr_array
    lhs: Float[np.ndarray, " m"]
    rhs: Float[np.ndarray, " m"]
    lower: Float[np.ndarray, " n"]
    upper: Float[np.ndarray, " n"]
    types: Shaped[np.ndarray, " n"]
    sense: Sense = "minimize"
    name: str = "milp"

    def __post_init__(self) -> None:
        m, n = self.matrix.shape
        for name, length in (("objective", n), ("lower", n), ("upper", n), ("types", n), ("lhs", m), ("rhs", m)):
            if getattr(self, name).shape != (length,):
                raise ValueError(
                    f"{name} must have {length} entries for a matrix of shape {(m, n)}, "
                    f"not the shape {getattr(self, name).shape}"
                )
        if not (np.isfinite(self.objective).all() and np.isfinite(self.matrix.data).all()):
            raise ValueError("coefficients of the objective and of the rows must be finite")
        if wrong := set(self.types.tolist()) - set("BIC"):
            raise ValueError(f"the type of a variable must be B, I or C, not {min(wrong, key=str)!r}")
        if not (self.lower <= self.upper).all():
            raise ValueError("each lower bound must be a number and at most the upper bound")
        binary = self.types == "B"
        if not ((self.lower[binary] >= 0) & (self.upper[binary] <= 1)).all():
            raise ValueError("bounds of binary variables must be within 0 and 1")
        if not (self.lhs <= self.rhs).all():
            raise ValueError("each left-hand side must be a number and at most the right-hand side")
        if (np.isinf(self.lhs) & np.isinf(self.rhs)).any():
            raise ValueError("each row must have a finite left-hand or right-hand side")

    @property
    def n_variables(self) -> int:
        """Number of variables."""
        return self.matrix.shape[1]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.matrix.shape[0]

    def to_scip(self) -> "Model":
        """The problem in SCIP, which prints nothing."""
        from pyscipopt import Model
        from pyscipopt.scip import Expr, Term

        model = Model(self.name)
        model.hideOutput()
        columns = zip(self.objective.tolist(), self.lower.tolist(), self.upper.tolist(), self.types, strict=True)
        terms = [
            Term(
                model.addVar(
                    f"x{number}",
                    vtype=str(kind),
                    lb=low if low > -np.inf else None,
                    ub=up if up < np.inf else None,
                    obj=cost,
                )
            )
            for number, (cost, low, up, kind) in enumerate(columns, 1)
        ]
        for number, (columns_of, coefficients, low, up) in enumerate(self._rows(), 1):
            row = Expr({terms[column]: value for column, value in zip(columns_of, coefficients, strict=True)})
            model.addCons(_sided(row, low, up), f"C{number}")
        if self.sense == "maximize":
            model.setMaximize()
        return model

    def write(self, path: Path) -> None:
        """Write it as .lp (CPLEX's format) or .mps (free format), or one of them with .gz; the same text each time.

        In .lp, a row with two sides that differ becomes two rows, `_lhs` and `_rhs`, as when SCIP writes it.

        Raises:
            ValueError: if the name ends otherwise.
            OSError: if the file cannot be written.
        """
        suffix, compressed = file_format(path)
        text = (self.to_lp() if suffix == ".lp" else self.to_mps()).encode()
        with files.replacing(path) as part:
            part.write_bytes(gzip.compress(text, mtime=0) if compressed else text)

    def to_lp(self) -> str:
        """The problem in CPLEX's LP format."""
        return "\n".join(self._lp_lines()) + "\n"

    def to_mps(self) -> str:
        """The problem in free MPS format."""
        return "\n".join(self._mps_lines()) + "\n"

    def _rows(self) -> Iterator[tuple[list[int], list[float], float, float]]:
        """Columns, coefficients and sides of each row."""
        matrix = self.matrix
        ends = matrix.indptr.tolist()
        columns, values = matrix.indices.tolist(), matrix.data.tolist()
        for start, end, low, up in zip(ends, ends[1:], self.lhs.tolist(), self.rhs.tolist(), strict=False):
            yield columns[start:end], values[start:end], low, up

    def _lp_lines(self) -> Iterator[str]:
        yield f"\\ {self.name}"
        yield self.sense
        # Also those with coefficient 0, so that a reader sees all variables, in their order.
        yield from _wrapped(" obj:", _terms(range(self.n_variables), self.objective.tolist()))
        yield "subject to"
        for number, (columns, values, low, up) in enumerate(self._rows(), 1):
            terms = list(_terms(columns, values)) or ["+0 x1"]
            for suffix, side in _lp_sides(low, up):
                *lines, last = _wrapped(f" C{number}{suffix}:", terms)
                yield from (*lines, f"{last} {side}")
        yield "bounds"
        for number, (low, up, kind) in enumerate(self._bounds(), 1):
            if (low, up) == (-np.inf, np.inf):
                yield f" x{number} free"
            elif (low, up) != ((0, 1) if kind == "B" else (0, np.inf)):
                yield f" {_infinite(low)} <= x{number} <= {_infinite(up)}"
        # Readers give all binary variables the bounds 0 and 1.
        is_free_binary = (self.types == "B") & (self.lower == 0) & (self.upper == 1)
        for which, section in ((is_free_binary, "binary"), ((self.types != "C") & ~is_free_binary, "general")):
            if named := [f"x{number}" for number in (np.flatnonzero(which) + 1).tolist()]:
                yield section
                yield from _wrapped("", named)
        yield "end"

    def _bounds(self) -> Iterable[tuple[float, float, str]]:
        return zip(self.lower.tolist(), self.upper.tolist(), self.types.tolist(), strict=True)

    def _mps_lines(self) -> Iterator[str]:
        yield f"NAME {self.name}"
        yield from ("OBJSENSE", "    MAX" if self.sense == "maximize" else "    MIN")
        yield from ("ROWS", " N obj")
        sides = list(zip(self.lhs.tolist(), self.rhs.tolist(), strict=True))
        for number, (low, up) in enumerate(sides, 1):
            yield f" {'E' if low == up else 'G' if np.isinf(up) else 'L'} C{number}"
        yield "COLUMNS"
        yield from self._mps_columns()
        yield "RHS"
        for number, (low, up) in enumerate(sides, 1):
            if side := low if np.isinf(up) else up:
                yield f" RHS C{number} {_number(side)}"
        yield "RANGES"
        for number, (low, up) in enumerate(sides, 1):
            if low != up and not (np.isinf(low) or np.isinf(up)):
                yield f" RNG C{number} {_number(up - low)}"
        yield "BOUNDS"
        for number, (low, up, kind) in enumerate(self._bounds(), 1):
            yield from _mps_bounds(f"x{number}", low, up, kind)
        yield "ENDATA"

    def _mps_columns(self) -> Iterator[str]:
        matrix = self.matrix.tocsc()
        ends, rows, values = matrix.indptr.tolist(), matrix.indices.tolist(), matrix.data.tolist()
        inside = False
        for index, (cost, kind) in enumerate(zip(self.objective.tolist(), self.types.tolist(), strict=True)):
            if inside != (kind != "C"):
                inside = not inside
                yield f" M{index} 'MARKER' '{'INTORG' if inside else 'INTEND'}'"
            yield f" x{index + 1} obj {_number(cost)}"
            for row, value in zip(*(of[ends[index] : ends[index + 1]] for of in (rows, values)), strict=True):
                yield f" x{index + 1} C{row + 1} {_number(value)}"
        if inside:
            yield f" M{self.n_variables} 'MARKER' 'INTEND'"


def file_format(path: Path) -> tuple[str, bool]:
    """How a file of a problem is written: its suffix without .gz, and whether it is compressed.

    Raises:
        ValueError: if its name ends with neither .lp nor .mps, nor with one of them and .gz.
    """
    compressed = path.suffix == ".gz"
    suffix = Path(path.stem).suffix if compressed else path.suffix
    if suffix not in FORMATS:
        raise ValueError(f"a problem is written as .lp or .mps, or one of them with .gz behind it, not as {path.name}")
    return suffix, compressed


def _sided(row: Any, low: float, up: float) -> Any:  # noqa: ANN401 - pyscipopt has no types
    """A row with its sides, as pyscipopt takes it."""
    if low == up:
        return row == up
    if np.isinf(low):
        return row <= up
    return row >= low if np.isinf(up) else (row >= low) <= up


def _lp_sides(low: float, up: float) -> Iterator[tuple[str, str]]:
    """The rows that a row becomes in the LP format, which has no ranges: what follows its name, and its side."""
    if low == up:
        yield "", f"= {_number(up)}"
    elif np.isinf(low) or np.isinf(up):
        yield "", f"<= {_number(up)}" if np.isinf(low) else f">= {_number(low)}"
    else:
        yield "_lhs", f">= {_number(low)}"
        yield "_rhs", f"<= {_number(up)}"


def _number(value: float) -> str:
    """As short as it can be exactly."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _infinite(value: float) -> str:
    return ("-inf" if value < 0 else "+inf") if np.isinf(value) else _number(value)


def _terms(columns: Iterable[int], values: Iterable[float]) -> Iterator[str]:
    for column, value in zip(columns, values, strict=True):
        yield f"{'-' if value < 0 else '+'}{_number(abs(value))} x{column + 1}"


def _wrapped(head: str, words: Iterable[str]) -> Iterator[str]:
    """The words behind a head, so many a line: other readers allow no more than 560 characters."""
    listed = list(words)
    for start in range(0, len(listed), TERMS_PER_LINE):
        yield " ".join([" " if start else head, *listed[start : start + TERMS_PER_LINE]])


def _mps_bounds(name: str, low: float, up: float, kind: str) -> Iterator[str]:
    if kind == "B" and (low, up) == (0, 1):
        yield f" BV BND {name}"
    elif low == up:
        yield f" FX BND {name} {_number(low)}"
    elif (low, up) == (-np.inf, np.inf):
        yield f" FR BND {name}"
    else:
        if np.isinf(low):
            yield f" MI BND {name}"
        elif low or kind != "C":
            yield f" LO BND {name} {_number(low)}"
        if not np.isinf(up):
            yield f" UP BND {name} {_number(up)}"
        elif kind != "C":
            # Without, some readers take an integer variable for a binary one.
            yield f" PL BND {name}"
