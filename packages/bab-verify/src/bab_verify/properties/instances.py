"""Lists of instances, and their results, as CSV files."""

import csv
import io
import os
from dataclasses import astuple, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import NamedTuple


class InstancesError(ValueError):
    """A file that is not a list of instances or of results, or a selection that cannot be."""


class Instance(NamedTuple):
    """A network and a property.

    Args:
        onnx: File of the network.
        vnnlib: File of the property.
        timeout: Seconds.
    """

    onnx: Path
    vnnlib: Path
    timeout: float


def read_instances(path: str | os.PathLike[str]) -> list[Instance]:
    """Read a list of instances: rows `onnx,vnnlib,timeout`, with paths relative to the folder of the file.

    A file `net.onnx` that is not there is looked for as `net.onnx.gz`, and the other way round. A header is allowed.

    Raises:
        FileNotFoundError: if there is no such file.
        InstancesError: if a row is wrong; the message names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    instances = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            for number, row in enumerate(reader):
                if not any(cell.strip() for cell in row):
                    continue
                if number == 0 and [cell.strip() for cell in row] == ["onnx", "vnnlib", "timeout"]:
                    continue
                instances.append(_instance([cell.strip() for cell in row], path, reader.line_num))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InstancesError(f"{path}: not a CSV file ({error})") from None
    if not instances:
        raise InstancesError(f"{path}: it holds no instances")
    return instances


def _instance(row: list[str], path: Path, line: int) -> Instance:
    if len(row) != 3:
        raise InstancesError(f"{path}: line {line}: expected onnx,vnnlib,timeout, but there are {len(row)} columns")
    try:
        timeout = float(row[2])
    except ValueError:
        timeout = float("nan")
    if not (isfinite(timeout) and timeout > 0):
        raise InstancesError(f"{path}: line {line}: the timeout {row[2]!r} is not a positive number of seconds")
    return Instance(_either(path.parent / row[0]), _either(path.parent / row[1]), timeout)


def _either(path: Path) -> Path:
    """The file as it is there, compressed or not."""
    other = path.with_suffix("") if path.suffix == ".gz" else path.with_name(f"{path.name}.gz")
    return other if not path.is_file() and other.is_file() else path


def select_instances(instances: list[Instance], ranges: str) -> list[Instance]:
    """Some instances, by their place in the list, counted from 0.

    Args:
        instances: The list.
        ranges: Places and ranges that include their ends, as in `0,3-5`.

    Raises:
        InstancesError: if it is no such text, or beyond the list.
    """
    chosen: list[Instance] = []
    for part in ranges.split(","):
        first, _, last = part.strip().partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()) or part.strip().endswith("-"):
            raise InstancesError(f"{part.strip()!r} is neither a place, as 3, nor a range, as 3-5")
        start, stop = int(first), int(last or first)
        if not start <= stop < len(instances):
            raise InstancesError(f"{part.strip()!r} is not within the list, which goes from 0 to {len(instances) - 1}")
        chosen += instances[start : stop + 1]
    return chosen


@dataclass(frozen=True)
class InstanceResult:
    """What came of one instance.

    Args:
        onnx: The network, as in the list.
        vnnlib: The property.
        status: `sat`, `unsat`, `unknown`, `timeout` or `error`.
        seconds: How long it took.
        visited: Subproblems bounded.
        cuts: Cutting planes found.
    """

    onnx: str
    vnnlib: str
    status: str
    seconds: float
    visited: int
    cuts: int


class ResultsFile:
    """A CSV file of results that is complete after every row: a row is on disk before `append` returns.

    Args:
        path: The file; it is made with the first row.
        resume: Keep the rows that are there. What is left of a row that was cut off is dropped.

    Raises:
        InstancesError: if there is such a file and it is not to be resumed, or it holds something else.
    """

    COLUMNS = tuple(field.name for field in fields(InstanceResult))

    def __init__(self, path: str | os.PathLike[str], *, resume: bool = False) -> None:
        self.path = Path(path)
        if not self.path.exists() or not self.path.stat().st_size:
            return
        if not resume:
            raise InstancesError(f"{self.path}: it is there already; resume it, or choose another file")
        data = self.path.read_bytes()
        complete = data[: data.rfind(b"\n") + 1]
        header = ",".join(self.COLUMNS).encode()
        ours = self._rows(complete)[0] == list(self.COLUMNS) if complete else header.startswith(data)
        if not ours:
            raise InstancesError(f"{self.path}: not a file of results, whose columns are {','.join(self.COLUMNS)}")
        if len(complete) < len(data):
            with self.path.open("r+b") as stream:
                stream.truncate(len(complete))

    @staticmethod
    def _rows(data: bytes) -> list[list[str]]:
        return list(csv.reader(io.StringIO(data.decode(errors="replace"), newline="")))

    def results(self) -> list[InstanceResult]:
        """The rows."""
        if not self.path.exists():
            return []
        results = []
        for number, row in enumerate(self._rows(self.path.read_bytes())[1:], 2):
            try:
                onnx, vnnlib, status, seconds, visited, cuts = row
                results.append(InstanceResult(onnx, vnnlib, status, float(seconds), int(visited), int(cuts)))
            except ValueError:
                raise InstancesError(f"{self.path}: line {number}: not a result") from None
        return results

    def done(self) -> set[tuple[str, str]]:
        """The networks and properties that have a result."""
        return {(result.onnx, result.vnnlib) for result in self.results()}

    def append(self, result: InstanceResult) -> None:
        """Add a row."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        if not self.path.exists() or not self.path.stat().st_size:
            writer.writerow(self.COLUMNS)
        writer.writerow(astuple(result))
        with self.path.open("ab") as stream:
            stream.write(text.getvalue().encode())
            stream.flush()
            os.fsync(stream.fileno())
