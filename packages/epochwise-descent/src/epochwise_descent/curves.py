"""Learning curves in files of anybody's training."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from separata import arrays, files, tables

from .detection import DescentReport, checked_curve, find_double_descent
from .event_files import read_scalars
from .smoothing import WINDOW

STEPS = ("step", "global_step", "epoch", "iteration", "iter", "t", "time", "steps", "epochs", "index")
"""Columns of times, the first that is there."""
ERRORS = (
    *("test_error", "error", "val_error", "validation_error", "eval_error"),
    *(
        "test_accuracy",
        "test_acc",
        "val_accuracy",
        "val_acc",
        "validation_accuracy",
        "eval_accuracy",
        "accuracy",
        "acc",
    ),
    *("test_loss", "val_loss", "validation_loss", "eval_loss", "loss"),
)
"""Columns of errors, the first that is there; `/`, `-`, `.` and spaces in a name count as `_`."""
EMPTY = frozenset({"", "none", "null"})
"""Cells of rows on which nothing was logged."""
ACCURACY = re.compile(r"(?i:(?<![a-z])(test|val|valid|eval|train)?acc(uracy)?(?![a-z]))|Acc(uracy)?(?![a-z])")
"""In the name of an accuracy: `acc` or `accuracy` as a word, as in val_acc_0, acc@1 or testAcc, not accum_loss."""
N_NAMED = 8
"""Columns that a message names."""

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Curve:
    """A learning curve, of one training or of several seeds.

    Attributes:
        t: Steps or epochs.
        error: The error of each seed.
        time_name: What the times are called.
        error_name: What the error is called; `1 - accuracy` for an accuracy.
    """

    t: Float[np.ndarray, " time"]
    error: Float[np.ndarray, "seeds time"]
    time_name: str
    error_name: str

    @property
    def n_seeds(self) -> int:
        """Number of trainings."""
        return len(self.error)

    def find_double_descent(
        self, *, window: float = WINDOW, smallest: float | None = None, seed: int = 0
    ) -> DescentReport:
        """As `detection.find_double_descent`."""
        return find_double_descent(self.t, self.error, window=window, smallest=smallest, seed=seed)


def load_curve(
    path: Path | str, *, x: str | None = None, y: str | None = None, by: str | None = None, raw: bool = False
) -> Curve:
    """Read a learning curve from what a training left behind.

    Args:
        path: A table .csv with a header, rows of .jsonl, .npz with arrays of times and errors, Hugging Face's
            `trainer_state.json`, an event file of TensorBoard (`events.out.tfevents...`), or a folder with one of
            these or with the `history.csv` of a run. Event files of one folder are parts of one curve.
        x: Name of the times; by default step, epoch, iteration, ...
        y: Name of the error; by default test_error, error, val_error, ..., then accuracies, then losses. With `*`, all
            that match, such as `test_error_*`, are seeds.
        by: Name of what tells seeds apart, where they stand below one another.
        raw: Take an accuracy as it is; it is turned into an error otherwise, `1 - accuracy`, or 100 - accuracy where it
            is in percent.

    Returns:
        The curve. Rows that lack the error are passed over, as they are in files with several kinds of rows.

    Raises:
        FileNotFoundError: if there is nothing of the kind.
        ValueError: if it is no such file, or its curve is too short, does not go on in time, or has a number that is
            not finite; one sentence.
    """
    places = _found(Path(path))
    place = places[0]
    if place.suffix == ".npz":
        times, values, names = _from_npz(place, x, y)
    else:
        times, values, names = _from_rows(place, _rows(places), x, y, by)
    time_name, error_name = names
    values = np.asarray(values, float)
    if not raw and ACCURACY.search(error_name):
        whole = 100.0 if (values > 1.5).any() else 1.0
        values, error_name = whole - values, f"{whole:.0f} - {error_name}"
    try:
        t, error = checked_curve(times, values)
    except ValueError as problem:
        hint = "; name the column that tells seeds apart" if by is None and "must increase" in str(problem) else ""
        raise ValueError(f"{place}: {problem}{hint}") from None
    return Curve(t, error, time_name, error_name)


# ---- kinds of files


def _found(path: Path) -> list[Path]:
    """The file itself, or the one in a folder; of TensorBoard all, since a restarted training begins a new one."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}")
    if not path.is_dir():
        return [path]
    known = [path / "history.csv", path / "trainer_state.json", path / "metrics.csv"]
    events = sorted(one for one in path.glob("*tfevents*") if one.is_file() and one.stat().st_size)
    states = sorted(path.glob("checkpoint-*/trainer_state.json"), key=lambda one: (len(str(one)), str(one)))
    found = [[one] for one in known if one.is_file()] + [events] * bool(events) + [[one] for one in states[-1:]]
    if not found:
        raise FileNotFoundError(f"{path} has no history.csv, metrics.csv, trainer_state.json or event file in it")
    return found[0]


def _rows(paths: Sequence[Path]) -> list[Row]:
    path = paths[0]
    if "tfevents" in path.name:
        return _from_events(paths)
    if path.suffix == ".csv":
        header, cells = tables.read_cells(path)
        if twice := sorted({name for name in header if name and header.count(name) > 1}):
            raise ValueError(f"{path} has several columns {twice[0]}")
        return [dict(zip(header, row, strict=True)) for row in cells]
    if path.suffix == ".jsonl":
        rows: Any = [row for _, row in files.read_json_lines(path)]
    elif path.suffix == ".json":
        held = files.read_json(path)
        rows = held.get("log_history") if isinstance(held, dict) else held
    else:
        raise ValueError(f"{path} is no .csv, .jsonl, .npz, trainer_state.json or event file of TensorBoard")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not rows:
        raise ValueError(
            f"{path} holds no rows of a training; Hugging Face's trainer_state.json has them in log_history"
        )
    found: list[Row] = rows
    return found


def _from_events(paths: Sequence[Path]) -> list[Row]:
    """A row for each step; what was written twice, as after a restart, counts as it was written last."""
    held: dict[int, dict[str, Any]] = {}
    for path in paths:
        for step, tag, value in read_scalars(path):
            held.setdefault(step, {"step": step})[tag] = value
    if not held:
        raise ValueError(f"{paths[0]} has no scalars in it")
    return [held[step] for step in sorted(held)]


def _from_npz(path: Path, x: str | None, y: str | None) -> tuple[Any, Any, tuple[str, str]]:
    held = arrays.load_npz(path)
    time_name = _name(path, held, x, STEPS, "times")
    error_name = _name(path, held, y, ERRORS, "errors")
    times, values = held[time_name], held[error_name]
    if times.dtype.kind not in "biuf" or values.dtype.kind not in "biuf":
        raise ValueError(f"{path} has times or errors that are no numbers")
    return times, values, (time_name, error_name)


def _from_rows(
    path: Path, rows: Sequence[Row], x: str | None, y: str | None, by: str | None
) -> tuple[Any, Any, tuple[str, str]]:
    names = list(dict.fromkeys(key for row in rows for key in row))
    time_name = _name(path, names, x, STEPS, "times")
    if by is not None and by not in names:
        raise ValueError(f"{path} has no column {by}; it has {_listed(names)}")
    if y is not None and "*" in y:
        columns = [name for name in names if fnmatchcase(name, y)]
        if not columns:
            raise ValueError(f"{path} has no column like {y}; it has {_listed(names)}")
    else:
        others = names if y is not None else [name for name in names if name not in (time_name, by)]
        columns = [_name(path, others, y, ERRORS, "errors")]
    logged = [row for row in rows if all(_is_there(row, name) for name in (time_name, *columns))]
    groups: dict[Any, list[Row]] = {}
    for row in logged:
        groups.setdefault(row.get(by) if by is not None else None, []).append(row)
    if not groups:
        raise ValueError(f"{path} has no row with both {time_name} and {columns[0]}")
    times = [[_number(path, row, time_name) for row in group] for group in groups.values()]
    if any(one != times[0] for one in times):
        raise ValueError(f"{path}: the seeds in {by} were not measured at the same {time_name}")
    values = [[_number(path, row, name) for row in group] for group in groups.values() for name in columns]
    return times[0], values, (time_name, y if y is not None and len(columns) > 1 else columns[0])


def _is_there(row: Row, name: str) -> bool:
    value = row.get(name)
    return not (value is None or (isinstance(value, str) and value.lower() in EMPTY))


def _number(path: Path, row: Row, name: str) -> float:
    try:
        return float(row[name])
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{path} has {str(row[name])[:40]!r} as {name}, which is no number") from None


def _name(path: Path, names: Iterable[str], wanted: str | None, known: Sequence[str], what: str) -> str:
    """The column that is wanted, or the first that is known."""
    there = list(names)
    if wanted is not None:
        if wanted not in there:
            raise ValueError(f"{path} has no column {wanted}; it has {_listed(there)}")
        return wanted
    plain = {_plain(name): name for name in reversed(there)}
    for name in known:
        if name in plain:
            return plain[name]
    raise ValueError(f"{path} has no column that is known to hold {what}; name one of {_listed(there)}")


def _plain(name: str) -> str:
    return "".join("_" if letter in "/-. " else letter for letter in name.lower())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:N_NAMED]) + (", ..." if len(names) > N_NAMED else "")
