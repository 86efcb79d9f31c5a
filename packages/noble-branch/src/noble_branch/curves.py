"""Curves from the logs of trainings, also of other programs."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from separata.runs import HISTORY

from .speedup import Curve

LOSSES = ("eval_loss", "val_loss", "valid_loss", "validation_loss", "test_loss", "loss")
"""Keys that a loss may have; the first that the log has is taken."""


@dataclass(frozen=True)
class Log:
    """The curve of a log, and what its loss is called there."""

    curve: Curve
    loss: str


def read_log(path: Path, *, step: str = "step", loss: str | None = None) -> Log:
    """Points (step, loss) of a log. Rows without step or loss are passed over.

    Args:
        path: JSON lines; a table (.csv); a list of rows (.json), also as the `log_history` of a trainer of
            transformers (trainer_state.json); or the folder of a training by `train`.
        step: Key or column of the step.
        loss: Key or column of the loss; the first of `LOSSES` that the log has, if not given.

    Raises:
        ValueError: if it is no such log, or has no row with both.
        OSError: if it cannot be read.
    """
    if path.is_dir():
        path = path / HISTORY
    try:
        # Spreadsheets begin a file with a mark of its encoding.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text; expected JSON lines or a .csv table") from None
    rows = _rows(text, path)
    # One for all rows: the loss of training batches often stands in rows of its own.
    found = next((name for name in ((loss,) if loss else LOSSES) if any(_has(row, name) for row in rows)), None)
    points = [_point(row, step, found, path) for row in rows if found and _has(row, step) and _has(row, found)]
    if found is None or not points:
        expected = loss or ", ".join(LOSSES)
        raise ValueError(f"{path} has no row with {step!r} and a loss ({expected})")
    return Log(points, found)


def _rows(text: str, path: Path) -> list[Mapping[str, Any]]:
    if path.suffix.lower() == ".csv":
        return list(csv.DictReader(text.splitlines()))
    if path.suffix.lower() == ".json":
        return _json_list(text, path)
    return _json_lines(text, path)


def _json_list(text: str, path: Path) -> list[Mapping[str, Any]]:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError:
        # Some write lines under this name.
        return _json_lines(text, path)
    if isinstance(rows, dict):
        rows = rows.get("log_history", [rows])
    if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        raise ValueError(f"{path} holds no list of rows, neither by itself nor as its log_history")
    return rows


def _json_lines(text: str, path: Path) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                row = None
            if not isinstance(row, dict):
                raise ValueError(f"line {number} of {path} is not a JSON object")
            rows.append(row)
    return rows


def _has(row: Mapping[str, Any], name: str) -> bool:
    return row.get(name) not in (None, "")


def _point(row: Mapping[str, Any], step: str, loss: str, path: Path) -> tuple[float, float]:
    try:
        return float(row[step]), float(row[loss])
    except (TypeError, ValueError):
        told = f"{row[step]!r}, {row[loss]!r}"
        raise ValueError(f"{path} has a row whose step or loss is no number: {told}") from None
