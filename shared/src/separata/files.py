"""Files that are whole or absent, and arrays and tensors from strangers that are only data."""

import csv
import errno
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of a write for which the system names no file: there is no space, or the device fails."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    A reader sees the old file or the new one, never a part of it, even when the process is killed. A link stays, and
    the file to which it leads is replaced. What is there and no regular file, such as a pipe or a device, is never
    replaced: the path itself is given, to be written to as it is. Permissions are those of the old file, or what the
    umask leaves of a new one.

    Raises:
        IsADirectoryError: if the path is a folder.
        PermissionError: if its folder cannot be made or written to.
        OSError: if writing fails; the sentence names `path`.
    """
    _refuse_folder(path)
    if _is_special(path):
        with _naming(path):
            yield path
        return
    target = path.resolve() if path.is_symlink() else path
    part = target.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    mode = _mode(path, target, part)
    try:
        with _naming(path, part):
            yield part
            part.chmod(mode)
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path, part: Path | None = None) -> Iterator[None]:
    """Say which file could not be written, where the system names only the temporary one or, of a full disk, none."""
    try:
        yield
    except OSError as error:
        is_of_part = part is not None and str(part) in (error.filename, error.filename2)
        if not is_of_part and (error.filename is not None or error.errno not in FULL):
            raise
        raise type(error)(f"cannot write {path}: {error.strerror}") from error


def _refuse_folder(file: Path) -> None:
    if file.is_dir():
        raise IsADirectoryError(f"{file} is a folder; name a file to write")


def _is_special(path: Path) -> bool:
    """Whether something is there that is neither a regular file nor a folder."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _mode(path: Path, target: Path, part: Path) -> int:
    """The permissions of the file that is replaced, or of one that is made in its folder."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise _unwritable(path.parent, error) from None
    mode = (target if target.exists() else part).stat().st_mode
    part.unlink()
    return mode & 0o777


def _unwritable(folder: Path, error: OSError) -> PermissionError:
    reason = "it is a file" if folder.is_file() else error.strerror
    return PermissionError(f"cannot write to the folder {folder}: {reason}; choose another one")


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
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a JSON file: it is not UTF-8 text") from None
    try:
        return _parse(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not a JSON file: {error.msg} at line {error.lineno}") from None
    except ValueError as error:
        raise ValueError(f"{path} is not a JSON file: {error}") from None


def read_json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """The values of a file of JSON lines one by one, each with its line's number; empty lines are passed over.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a line is not JSON; one sentence with its number.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, _parse_line(path, number, line)
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a file of JSON lines: it is not UTF-8 text") from None


def _parse_line(path: Path, number: int, line: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
    try:
        return _parse(line)
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else error
        raise ValueError(f"{path}, line {number}: not JSON ({reason})") from None


def _parse(text: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """What a JSON text of a stranger holds; a `ValueError` for all that it cannot be."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise ValueError("a number has too many digits") from None


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
        raise _unwritable(folder, error) from None
    return folder


def check_writable(file: Path | None) -> None:
    """See that a file can be written, before the work whose result it is to hold; None is no file.

    Raises:
        IsADirectoryError: if it is a folder.
        PermissionError: if its folder cannot be made or written to, or it is a pipe or a device that may not be
            written to.
    """
    if file is None:
        return
    _refuse_folder(file)
    if not _is_special(file):
        make_writable((file.resolve() if file.is_symlink() else file).parent)
    elif not os.access(file, os.W_OK):
        raise PermissionError(f"cannot write to {file}: Permission denied")


def save_tensors(path: Path, tensors: Mapping[str, "Tensor"], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors as a safetensors file, whole or not at all.

    Raises:
        OSError: if writing fails; the sentence names the file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save, save_file

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as part:
        if part == path:
            # `save_file` would replace what is no regular file.
            path.write_bytes(save(plain, dict(metadata or {})))
            return
        try:
            save_file(plain, part, dict(metadata or {}))
        except SafetensorError as error:
            raise OSError(f"cannot write {path}: {error}") from error


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


def load_array(path: Path) -> "np.ndarray":
    """The array of an .npy file.

    Nothing in the file is ever executed, whatever it is.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a whole .npy file, or one of Python objects.
    """
    from numpy.lib.format import read_array

    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with path.open("rb") as file, _refusing(f"{path} is not a whole .npy file"):
        return read_array(file, allow_pickle=False)


def load_arrays(path: Path, names: Collection[str] | None = None) -> "dict[str, np.ndarray]":
    """The arrays of an .npz file by name: all of them, or those of `names` that it has.

    Nothing in the file is ever executed, whatever it is.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a whole .npz file, or what is read of it is no array, or one of Python objects.
    """
    from numpy.lib.format import read_array

    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    refusal = f"{path} is not a whole .npz file"
    arrays = {}
    with _refusing(refusal):
        archive = zipfile.ZipFile(path)
    with archive:
        for entry in archive.namelist():
            name = entry.removesuffix(".npy")
            if names is None or name in names:
                with _refusing(f"{refusal}: its array {name} cannot be read"), archive.open(entry) as file:
                    arrays[name] = read_array(file, allow_pickle=False)
    return arrays


@contextmanager
def _refusing(refusal: str) -> Iterator[None]:
    """Make one sentence of whatever a damaged file makes `zipfile`, `zlib` and NumPy run into."""
    try:
        yield
    except PermissionError:
        raise
    except Exception as error:  # noqa: BLE001 - from a bad checksum to a lack of memory for a shape that is not true
        has_objects = "allow_pickle" in str(error)
        raise ValueError(refusal + "; it holds Python objects, which can run code" * has_objects) from None
