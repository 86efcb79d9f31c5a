"""Files of triples: this package's .npz, DeepXDE's, one's own pairs, and tables of comma-separated values."""

import csv
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from separata import arrays, files

from .triples import TripleDataset, group_rows

Part = Literal["train", "test"]
DEEPXDE = ("X_{}0", "X_{}1", "y_{}")
"""Names of DeepXDE's arrays."""
COLUMN = re.compile(r"([uys])[ _]?(\d*)", re.IGNORECASE)
"""Name of a column of a table: u, y or s, and a number."""


def save_triples(data: TripleDataset, path: Path | str) -> None:
    """Write triples as .npz, whole or not at all, in single precision.

    Its arrays are `u` (functions, sensors), `y` (points, d) or (functions, points, d), `s` (functions, points, outputs)
    and, where they are known, `sensors`.

    Raises:
        ValueError: if the name does not end in .npz.
        OSError: if the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"triples are written as .npz, not as {path.name}")
    tensors = {"u": data.u, "y": data.y, "s": data.s} | ({} if data.sensors is None else {"sensors": data.sensors})
    plain: dict[str, Any] = {name: value.cpu().float().numpy() for name, value in tensors.items()}
    with files.replacing(path) as part:
        np.savez(part, **plain)


def load_triples(path: Path | str, part: Part = "train") -> TripleDataset:
    """Read triples.

    | file | holds |
    | --- | --- |
    | .npz with `u`, `y`, `s` | functions (N, m); points of each, (N, d) or (N, P, d), or of all, (P, d); values |
    | .npz with `X_train0`, `X_train1`, `y_train`, or the same with `test` | DeepXDE's rows |
    | .csv | rows with columns u0, u1, ..., y0, ..., s0, ..., in any order; the names are in the first line |

    Values are (N,) or (N, outputs) for one point each, and (N, P) or (N, P, outputs) for several. Rows that repeat
    their function are stored once for each function.

    Args:
        path: The file.
        part: Of a file with both.

    Returns:
        Triples in single precision.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file, or has numbers that are not finite; one sentence.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.suffix not in {".npz", ".csv"}:
        raise ValueError(f"triples are read from .npz and .csv, not from {path.name}")
    held = arrays.load_npz(path) if path.suffix == ".npz" else None
    try:
        return _from_table(path) if held is None else _from_arrays(held, part)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_numbers(path: Path | str) -> Tensor:
    """Rows of numbers from .csv, with or without names in the first line, or from .npy.

    Returns:
        A matrix in single precision; what has one dimension is one column.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds anything else; one sentence.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.suffix == ".npy":
        values = _tensor(path.name, arrays.load_npy(path))
        values = values[:, None] if values.ndim == 1 else values
    elif path.suffix == ".csv":
        try:
            names, rows = _table(path)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        values = torch.tensor([*([] if _are_names(names) else [list(map(float, names))]), *rows], dtype=torch.float64)
    else:
        raise ValueError(f"numbers are read from .csv and .npy, not from {path.name}")
    if values.ndim != 2 or not values.numel():
        raise ValueError(f"{path} holds no rows of numbers")
    if not bool(values.isfinite().all()):
        raise ValueError(f"{path} has a number that is not finite")
    return values.float()


def _from_arrays(held: dict[str, np.ndarray], part: Part) -> TripleDataset:
    if {"u", "y", "s"} <= held.keys():
        u, y, s = (_tensor(name, held[name]) for name in "uys")
        sensors = _tensor("sensors", held["sensors"]) if "sensors" in held else None
        return _pairs(u, y, s, None if sensors is None or sensors.ndim != 1 else sensors)
    for one in (part, "train", "test"):
        names = [name.format(one) for name in DEEPXDE]
        if set(names) <= held.keys():
            u, y, s = (_tensor(name, held[name]) for name in names)
            return group_rows(_columns(u), _columns(y), _columns(s))
    raise ValueError(f"it needs the arrays u, y and s, or X_train0, X_train1 and y_train, not {', '.join(held)}")


def _pairs(u: Tensor, y: Tensor, s: Tensor, sensors: Tensor | None) -> TripleDataset:
    """Triples from arrays, whose numbers of dimensions say how they are meant."""
    u, y = _columns(u), _columns(y)
    has_row_each = y.ndim == 2 and len(y) == len(u)
    if has_row_each and (s.ndim == 1 or (s.ndim == 2 and s.shape[1] != len(y))):
        return group_rows(u, y, _columns(s), sensors)
    return TripleDataset(u, y, s[None] if s.ndim == 1 else s, sensors)


def _from_table(path: Path) -> TripleDataset:
    names, rows = _table(path)
    if not _are_names(names):
        raise ValueError("its first line must name the columns: u0, u1, ..., y0, ..., s0, ...")
    found = [COLUMN.fullmatch(name.strip()) for name in names]
    if unknown := [name for name, match in zip(names, found, strict=True) if match is None]:
        raise ValueError(f"its column {unknown[0]} is none of u0, u1, ..., y0, ..., s0, ...")
    values = torch.tensor(rows, dtype=torch.float64).float()
    columns = [(match[1].lower(), int(match[2] or 0)) for match in found if match]
    if twice := [name for index, name in enumerate(names) if columns[index] in columns[:index]]:
        raise ValueError(f"it has two columns {twice[0].strip()}")
    # Their numbers count, and not their order in the file: u10 may stand before u2.
    parts = {kind: [columns.index(one) for one in sorted(columns) if one[0] == kind] for kind in "uys"}
    if empty := [kind for kind, of_kind in parts.items() if not of_kind]:
        raise ValueError(f"it has no column of {empty[0]}; the columns are u0, u1, ..., y0, ..., s0, ...")
    return group_rows(*(values[:, parts[kind]] for kind in "uys"))


def _table(path: Path) -> tuple[list[str], list[list[float]]]:
    """The first line of a table, and the numbers of the others; of one without names, the first line again."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [(number, line) for number, line in enumerate(csv.reader(file), 1) if any(map(str.strip, line))]
    except (UnicodeDecodeError, csv.Error):
        raise ValueError("it is not a table of comma-separated values") from None
    if not lines:
        raise ValueError("it is empty")
    (_, names), *rest = lines
    if not rest and _are_names(names):
        raise ValueError("it has no rows")
    rows = []
    for number, line in rest:
        if len(line) != len(names):
            raise ValueError(f"line {number} has {len(line)} columns, and the first {len(names)}")
        try:
            rows.append([float(cell) for cell in line])
        except ValueError:
            raise ValueError(f"line {number} has a cell that is no number") from None
    return names, rows


def _are_names(cells: list[str]) -> bool:
    try:
        [float(cell) for cell in cells]
    except ValueError:
        return True
    return False


def _tensor(name: str, array: np.ndarray) -> Tensor:
    """An array of numbers as a tensor in single precision."""
    if array.dtype.kind not in "fiub" or array.ndim == 0:
        raise ValueError(f"{name} is no array of numbers")
    with np.errstate(over="ignore"):
        single = array.astype(np.float32)
    if np.any(np.isinf(single) & np.isfinite(array)):
        raise ValueError(f"{name} has a number that is too large for single precision")
    return torch.from_numpy(single)


def _columns(values: Tensor) -> Tensor:
    return values[:, None] if values.ndim == 1 else values
