"""Results of solves as comma-separated values."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from revibranch.configs import ScipConfig
from revibranch.search.solving import SOLVED, UNBOUNDED
from separata import files


@dataclass(frozen=True)
class Outcome:
    """How a rule solved a problem.

    Args:
        instance: Name of the problem.
        rule: Name of the rule.
        seed: SCIP's random seed.
        status: What SCIP says.
        nodes: Nodes of the search tree.
        lp_iterations: Iterations of all linear programs.
        seconds: Seconds of SCIP.
        seconds_in_rule: Seconds in which the rule chose.
        objective: Value of the best solution; None without one, as of an unbounded problem.
        dual_bound: Bound on the optimum; None of an unbounded problem.
        gap: Relative gap of the two; None of an unbounded problem.
        settings: Those of SCIP.
        digest: Tells the problem and the policy from others of the same names.
    """

    instance: str
    rule: str
    seed: int
    status: str
    nodes: int
    lp_iterations: int
    seconds: float
    seconds_in_rule: float
    objective: float | None
    dual_bound: float | None
    gap: float | None
    settings: Mapping[str, Any]
    digest: str

    @property
    def key(self) -> tuple[str, str, int]:
        """What was solved, how."""
        return self.instance, self.rule, self.seed

    @property
    def solved(self) -> bool:
        """Whether SCIP found the optimum, or that there is no solution."""
        return self.status in SOLVED

    @property
    def finished(self) -> bool:
        """Whether SCIP came to the end: it solved the problem, or found that it is unbounded."""
        return self.solved or self.status in UNBOUNDED

    def to_row(self) -> dict[str, Any]:
        """Its values by column, the settings before the digest."""
        row = {name: "" if value is None else value for name, value in asdict(self).items()}
        return {**{name: row[name] for name in COLUMNS}, **self.settings, "digest": self.digest}


KINDS = {one.name: one.type for one in fields(Outcome)}
COLUMNS = tuple(name for name in KINDS if name not in {"settings", "digest"})
STOPPED = (
    "unknown",
    "userinterrupt",
    "terminate",
    "restartlimit",
    "timelimit",
    "memlimit",
    "gaplimit",
    "primallimit",
    "duallimit",
    "nodelimit",
    "totalnodelimit",
    "stallnodelimit",
    "sollimit",
    "bestsollimit",
)
STATUSES = frozenset((*SOLVED, *UNBOUNDED, *STOPPED))
"""What SCIP can say of a solve."""
SETTING_KINDS = {one.name: one.type for one in fields(ScipConfig) if one.name != "seed"}
"""SCIP's settings, which must be the same for what is compared, with their types."""


def save_outcomes(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write results, whole or not at all."""
    files.write_text(path, files.to_csv([one.to_row() for one in outcomes]))


def load_outcomes(path: Path) -> list[Outcome]:
    """Read results.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a file of results; one sentence with the line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
        rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error):
        raise ValueError(f"{path} is not a file of results: it does not hold comma-separated values") from None
    expected = {*COLUMNS, *SETTING_KINDS, "digest"}
    if set(reader.fieldnames or ()) != expected:
        raise ValueError(f"{path} is not a file of results: its first line does not name {', '.join(sorted(expected))}")
    for number, row in rows:
        if None in row or None in row.values():
            amount = "more" if None in row else "fewer"
            raise ValueError(f"{path} is not a file of results: line {number} has {amount} values than the first line")
    outcomes: dict[tuple[str, str, int], Outcome] = {}
    for number, row in rows:
        one = _outcome(path, number, row)
        if one.key in outcomes:
            told = f"{one.instance} by {one.rule} with seed {one.seed}"
            raise ValueError(f"{path}, line {number}: {told} is there twice")
        outcomes[one.key] = one
    return list(outcomes.values())


def _outcome(path: Path, number: int, row: Mapping[str, str]) -> Outcome:
    values = {}
    for name, kind in {**KINDS, **SETTING_KINDS}.items():
        if name == "settings":
            continue
        try:
            values[name] = _read(name, kind, row[name])
        except ValueError:
            raise ValueError(f"{path}, line {number}: {name} cannot be {row[name]!r}") from None
    settings = {name: values.pop(name) for name in SETTING_KINDS}
    return Outcome(**values, settings=settings)


def _read(name: str, kind: Any, text: str) -> Any:  # noqa: ANN401 - the type of a field, and a value of it
    value = _parse(kind, text)
    is_unknown = name == "status" and value not in STATUSES
    is_impossible = isinstance(value, float) and not (math.isfinite(value) or name in {"dual_bound", "gap"})
    is_negative = (
        name in {"nodes", "lp_iterations", "seconds", "seconds_in_rule", "gap"} and value is not None and value < 0
    )
    if is_unknown or is_impossible or is_negative or value != value:  # noqa: PLR0124 - not a number
        raise ValueError
    return value


def _parse(kind: Any, text: str) -> Any:  # noqa: ANN401 - as above
    if kind is bool:
        if text not in {"True", "False"}:
            raise ValueError
        return text == "True"
    if kind == float | None:
        return float(text) if text else None
    return kind(text)
