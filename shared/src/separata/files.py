"""Files that are whole or absent, and tensors from strangers that are only data."""

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    A reader sees the old file or the new one, never a part of it, even when the process is killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Read a JSON file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not JSON; one sentence with the line.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a JSON file: it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not a JSON file: {error.msg} at line {error.lineno}") from None


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as comma-separated values under the names of their keys, or nothing where there is none.

    Numbers are written exactly, so that what is read back has the same bits; what is not a number is an empty cell.
    """
    text = io.StringIO()
    if columns := list(dict.fromkeys(key for row in rows for key in row)):
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: "" if value != value else value for key, value in row.items()} for row in rows)  # noqa: PLR0124
    return text.getvalue()


def make_writable(folder: Path) -> Path:
    """The folder, made if it was absent, after a trial that a file can be written there.

    Raises:
        PermissionError: if it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PermissionError(f"cannot write to the folder {folder}: {error.strerror}; choose another one") from None
    return folder


def check_writable(file: Path | None) -> None:
    """See that a file can be written, before the work whose result it is to hold; None is no file.

    Raises:
        IsADirectoryError: if it is a folder.
        PermissionError: if its folder cannot be made or written to.
    """
    if file is None:
        return
    if file.is_dir():
        raise IsADirectoryError(f"{file} is a folder; name a file to write")
    make_writable(file.parent)


def save_tensors(path: Path, tensors: Mapping[str, "Tensor"], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as a safetensors file, whole or not at all."""
    from safetensors.torch import save_file

    with replacing(path) as part:
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, part, dict(metadata or {})
        )


def load_tensors(path: Path) -> tuple[dict[str, "Tensor"], dict[str, str]]:
    """The tensors of a safetensors file, on the CPU, and its metadata.

    Nothing in the file is ever executed, whatever it is.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a whole safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except SafetensorError:
        raise ValueError(
            f"{path} is not a whole safetensors file; other formats are not read, since they can run code"
        ) from None
