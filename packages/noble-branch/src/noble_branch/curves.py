"""Curves from the logs of trainings, also of other programs."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from separata.runs import HISTORY

from .speedup import Curve

LOSSES = ("eval_loss", "val_loss", "valid_loss", "validation_loss", "test_loss", "loss")
"""Keys that a loss may have; the first that a row has is taken."""


def read_curve(path: Path, *, step: str = "step", loss: str | None = None) -> Curve:
    """Points (step, loss) of a log: JSON lines, or a table (.csv). Rows without a loss are passed over.

    Args:
        path: The log, or the folder of a training by `train`.
        step: Key or column of the step.
        loss: Key or column of the loss; the first of `LOSSES` that a row has, if not given.

    Raises:
        ValueError: if it is no such log, or has no row with both.
        OSError: if it cannot be read.
    """
    if path.is_dir():
        path = path / HISTORY
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text; expected JSON lines or a .csv table") from None
    rows: list[Mapping[str, Any]] = []
    if path.suffix == ".csv":
        rows += csv.DictReader(text.splitlines())
    else:
        rows += _json_lines(text, path)
    points = [point for row in rows if (point := _point(row, step, (loss,) if loss else LOSSES, path))]
    if not points:
        expected = loss or ", ".join(LOSSES)
        raise ValueError(f"{path} has no row with {step!r} and a loss ({expected})")
    return points


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


def _point(row: Mapping[str, Any], step: str, losses: tuple[str, ...], path: Path) -> tuple[float, float] | None:
    found = next((row[name] for name in losses if row.get(name) not in (None, "")), None)
    if found is None or row.get(step) in (None, ""):
        return None
    try:
        return float(row[step]), float(found)
    except (TypeError, ValueError):
        raise ValueError(f"{path} has a row whose step or loss is no number: {row[step]!r}, {found!r}") from None
