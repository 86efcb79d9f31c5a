"""What a command answers: for a person, and as JSON for a program."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Output:
    """An answer.

    Args:
        value: What a program reads; JSON must be able to hold it.
        text: What a person reads.
        code: Exit code of the command, where it tells something, too.
    """

    value: Any
    text: str
    code: int = 0

    def show(self, *, as_json: bool) -> None:
        """Print it to standard output, as JSON or as text, and leave with the exit code if it is not 0."""
        print(json.dumps(self.value, indent=2, allow_nan=False) if as_json else self.text, flush=True)  # noqa: T201
        if self.code:
            raise SystemExit(self.code)


def finite(value: float) -> float | None:
    """A number as JSON can hold it: nothing where it is infinite or not a number."""
    return value if math.isfinite(value) else None


def table(rows: Sequence[Mapping[str, Any]], totals: Mapping[str, float] | None = None) -> Output:
    """Rows with the same keys, and numbers that belong to all of them.

    As text, they are columns with the totals below; as JSON, an object of the totals and of `rows`.
    """
    totals = totals or {}
    cells = [[_short(cell) for cell in row.values()] for row in rows]
    heads = [[key.replace("_", " ") for key in row] for row in rows[:1]]
    widths = [max(map(len, column)) for column in zip(*heads, *cells, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in heads + cells]
    told = [f"{key.replace('_', ' ')} {_short(value)}" for key, value in totals.items()]
    return Output({**totals, "rows": [dict(row) for row in rows]}, "\n".join([*lines, *told]))


def listing(values: Mapping[str, float | None]) -> Output:
    """Numbers of one thing under their names.

    As text, they are a line each, without those that are None, and a number that is not finite is not defined; as JSON,
    an object, in which a number that is not finite is null.
    """
    shown = {key.replace("_", " "): _number(value) for key, value in values.items() if value is not None}
    width = max(map(len, shown), default=0)
    plain = {key: finite(value) if isinstance(value, float) else value for key, value in values.items()}
    return Output(plain, "\n".join(f"{key:<{width}}  {value}" for key, value in shown.items()))


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3e}" if math.isfinite(value) else "not defined"


def _short(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
