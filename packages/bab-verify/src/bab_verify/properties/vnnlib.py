"""Properties in VNN-LIB 1.0 files, the format of the verification competition."""

import gzip
import os
import zlib
from collections.abc import Iterator
from itertools import product
from math import prod
from pathlib import Path

import torch

from separata import files

from .specification import Clause, Query, Specification, SpecificationError
from .vnnlib_syntax import Assertions, Conjunction

_LARGEST_FILE = 2**30
_MOST_NUMBERS = 200_000_000


def load_vnnlib(
    path: str | os.PathLike[str], n_inputs: int | None = None, n_outputs: int | None = None
) -> Specification:
    """Read a VNN-LIB 1.0 file, or one compressed with gzip (`.gz`).

    Inputs must be constrained to boxes; outputs to any boolean combination of linear constraints. `<` and `>` count as
    `<=` and `>=`. Sums and products of numbers are exact; what comes of them is read as the nearest double.
    Conjunctions with an empty box are left out. Where variables are declared, all inputs and outputs of the network
    must be; where none are, outputs that are not mentioned may be left out.

    Args:
        path: The file.
        n_inputs: Inputs of the network; by default as many as the file has.
        n_outputs: Outputs of the network; by default as many as the file has.

    Raises:
        FileNotFoundError: if there is no such file.
        SpecificationError: if it is no such property; the message names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
        text = data.decode()
    except UnicodeDecodeError:
        raise SpecificationError(f"{path}: not a VNN-LIB file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise SpecificationError(f"{path}: cannot be read ({error})") from None
    if len(data) > _LARGEST_FILE:
        raise SpecificationError(f"{path}: larger than 1 GiB")
    return _Property(Assertions(text, str(path))).specification(n_inputs, n_outputs)


class _Property:
    """From constraints to queries."""

    def __init__(self, assertions: Assertions) -> None:
        self.assertions = assertions
        self.lower: dict[int, float] = {}
        self.upper: dict[int, float] = {}

    def specification(self, n_inputs: int | None, n_outputs: int | None) -> Specification:
        """The specification, for a network of so many inputs and outputs."""
        inputs, outputs = self._sizes(n_inputs, n_outputs)
        self.assertions.check_number(self.assertions.alternatives, None)
        rows = self._split(self.assertions.common, self.lower, self.upper)
        number = prod(map(len, self.assertions.alternatives)) * len(rows or ()) * max(outputs, 1)
        if number > _MOST_NUMBERS:
            raise self.assertions.error("its clauses are too large for memory")
        boxes: dict[tuple[tuple[tuple[int, float], ...], ...], list[Conjunction]] = {}
        for choice in product(*self.assertions.alternatives) if rows is not None else ():
            lower: dict[int, float] = {}
            upper: dict[int, float] = {}
            own = self._split([literal for part in choice for literal in part], lower, upper)
            if own is not None and rows is not None:
                tight = (
                    ((i, max(v, self.lower.get(i, v))) for i, v in lower.items() if v > self.lower.get(i, -torch.inf)),
                    ((i, v) for i, v in upper.items() if v < self.upper.get(i, torch.inf)),
                )
                key = tuple(tuple(sorted(ends)) for ends in tight)
                boxes.setdefault(key, []).append(own + rows)
        numbers = len(boxes) * 2 * inputs + sum(
            max(len(rows), 1) * outputs for clauses in boxes.values() for rows in clauses
        )
        if numbers > _MOST_NUMBERS:
            raise self.assertions.error(f"{len(boxes)} boxes and their clauses are too large for memory")
        queries = [self._query(key, clauses, inputs, outputs) for key, clauses in boxes.items()]
        kept = tuple(query for query in queries if query is not None)
        if not kept:
            for i in sorted(self.lower.keys() & self.upper.keys()):
                if self.lower[i] > self.upper[i]:
                    raise self.assertions.error(f"X_{i} must be at least {self.lower[i]} and at most {self.upper[i]}")
            raise self.assertions.error("its constraints contradict each other: no input satisfies them")
        return Specification(kept)

    def _sizes(self, n_inputs: int | None, n_outputs: int | None) -> tuple[int, int]:
        """How many inputs and outputs there are: as many as are declared, where any are."""
        declared, used = self.assertions.declared, self.assertions.used
        keys = declared.keys() or used.keys()
        x, y = max(keys, default=-1) + 1, max(-min(keys, default=0), 0)
        if declared:
            for key, position in used.items():
                if key not in declared:
                    raise self.assertions.error(f"{_name(key)} is not declared", position)
            for key in range(-y, x):
                if key not in declared:
                    last = -y if key < 0 else x - 1
                    raise self.assertions.error(f"{_name(last)} is declared, but {_name(key)} is not", declared[last])
        if x < 1:
            raise self.assertions.error("it has no inputs X_i")
        if n_inputs is not None and x != n_inputs:
            raise self.assertions.error(f"it has {x} inputs, but the network has {n_inputs}")
        if n_outputs is not None and y > n_outputs:
            where = used.get(-y, declared.get(-y))
            raise self.assertions.error(f"it has {_name(-y)}, but the network has {n_outputs} outputs", where)
        if n_outputs is not None and declared and y < n_outputs:
            raise self.assertions.error(f"it declares {y} outputs, but the network has {n_outputs}")
        return x, y if n_outputs is None else n_outputs

    def _split(self, literals: Conjunction, lower: dict[int, float], upper: dict[int, float]) -> Conjunction | None:
        """Put bounds of inputs where they belong and give the constraints on outputs; `None` if one is never true."""
        rows = []
        for literal in literals:
            terms = {key: value for key, value in literal.terms.items() if value}
            if not terms:
                if literal.constant > 0:
                    return None
            elif all(key < 0 for key in terms):
                rows.append(literal)
            elif len(terms) == 1:
                ((key, slope),) = terms.items()
                _bound(lower, upper, key, -literal.constant / slope, below=slope > 0)
            else:
                raise self.assertions.error(
                    "only bounds of single inputs are supported, not relations", literal.position
                )
        return rows

    def _query(
        self,
        tighter: tuple[tuple[tuple[int, float], ...], ...],
        clauses: list[Conjunction],
        n_inputs: int,
        n_outputs: int,
    ) -> Query | None:
        ends = []
        for common, own, side in zip((self.lower, self.upper), tighter, ("lower", "upper"), strict=True):
            bounds = {**common, **dict(own)}
            missing = next((i for i in range(n_inputs) if i not in bounds), None)
            if missing is not None:
                raise self.assertions.error(f"X_{missing} has no {side} bound")
            ends.append(torch.tensor([bounds[i] for i in range(n_inputs)], dtype=torch.float64))
        if (ends[0] > ends[1]).any():
            return None
        return Query(ends[0], ends[1], tuple(self._clause(rows, n_outputs) for rows in clauses))

    def _clause(self, rows: Conjunction, n_outputs: int) -> Clause:
        C = torch.zeros(len(rows), n_outputs, dtype=torch.float64)
        d = torch.tensor([-row.constant for row in rows], dtype=torch.float64)
        places = [(i, -1 - key, value) for i, row in enumerate(rows) for key, value in row.terms.items()]
        if places:
            i, j, values = zip(*places, strict=True)
            C[list(i), list(j)] = torch.tensor(values, dtype=torch.float64)
        return Clause(C, d)


def _bound(lower: dict[int, float], upper: dict[int, float], key: int, value: float, *, below: bool) -> None:
    """Tighten the bound of an input."""
    if below:
        upper[key] = min(value, upper.get(key, value))
    else:
        lower[key] = max(value, lower.get(key, value))


def _name(key: int) -> str:
    return f"X_{key}" if key >= 0 else f"Y_{-1 - key}"


def save_vnnlib(specification: Specification, path: str | os.PathLike[str]) -> None:
    """Write a VNN-LIB 1.0 file, compressed with gzip if its name ends with `.gz`.

    Args:
        specification: What to write; numbers are written exactly.
        path: The file; it is there only once it is complete.
    """
    path = Path(path)
    text = "\n".join(_lines(specification)) + "\n"
    data = gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode()
    with files.replacing(path) as part:
        part.write_bytes(data)


def _lines(specification: Specification) -> Iterator[str]:
    for i in range(specification.n_inputs):
        yield f"(declare-const X_{i} Real)"
    for j in range(specification.n_outputs):
        yield f"(declare-const Y_{j} Real)"
    if len(specification.queries) == 1:
        (query,) = specification.queries
        yield from (f"(assert {bound})" for bound in _bounds(query))
        if len(query.clauses) == 1:
            yield from (f"(assert {row})" for row in _rows(query.clauses[0]))
        else:
            yield "(assert (or"
            yield from (f"  (and {' '.join(_rows(clause))})" for clause in query.clauses)
            yield "))"
        return
    yield "(assert (or"
    for query in specification.queries:
        yield f"  (and {' '.join(_bounds(query))} (or"
        yield from (f"    (and {' '.join(_rows(clause))})" for clause in query.clauses)
        yield "  ))"
    yield "))"


def _bounds(query: Query) -> Iterator[str]:
    for i, (lower, upper) in enumerate(zip(query.lower.tolist(), query.upper.tolist(), strict=True)):
        yield f"(>= X_{i} {lower!r})"
        yield f"(<= X_{i} {upper!r})"


def _rows(clause: Clause) -> Iterator[str]:
    for row, right in zip(clause.C, clause.d.tolist(), strict=True):
        terms = [(j, row[j].item()) for j in row.nonzero().flatten().tolist()]
        signs = [value for _, value in terms]
        if signs == [1.0]:
            yield f"(<= Y_{terms[0][0]} {right!r})"
        elif signs == [-1.0]:
            yield f"(>= Y_{terms[0][0]} {-right!r})"
        elif right == 0 and sorted(signs) == [-1.0, 1.0]:
            small, large = sorted(terms, key=lambda term: -term[1])
            yield f"(<= Y_{small[0]} Y_{large[0]})"
        else:
            products = " ".join(f"(* {value!r} Y_{j})" for j, value in terms)
            yield f"(<= (+ {products} 0.0) {right!r})"
