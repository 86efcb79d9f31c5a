"""Reads ONNX files, compressed or not, and refuses what is none before it is in memory."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import external_data_helper

from .onnx_registry import NetworkError

_FIELDS = {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26}
_LARGEST = 2**31
_MOST_FIELDS = 100_000


def read_model(path: str | Path) -> onnx.ModelProto:
    """Read an ONNX file, or one compressed with gzip, with its external data.

    Raises:
        FileNotFoundError: if there is no such file.
        NetworkError: if it is not an ONNX model.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        # What is no model at all is refused before it is in memory.
        with _open(path) as stream:
            _check_structure(stream, str(path))
        with _open(path) as stream:
            data = stream.read()
    except (OSError, EOFError, zlib.error) as error:
        raise NetworkError(f"{path}: cannot be read ({error})") from None
    model = parse_model(data, str(path))
    try:
        external_data_helper.load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise NetworkError(f"{path}: its external data cannot be read ({error})") from None
    return model


@contextmanager
def _open(path: Path) -> Iterator[BufferedIOBase]:
    if path.suffix == ".gz":
        with gzip.open(path) as stream:
            yield stream
    else:
        with path.open("rb") as stream:
            yield stream


def _check_structure(stream: BufferedIOBase, name: str) -> None:
    """Walk over the top-level fields of a protocol buffer without reading them."""
    invalid = NetworkError(f"{name}: not an ONNX model")
    end = stream.seek(0, 2) if not isinstance(stream, gzip.GzipFile) else _LARGEST
    stream.seek(0)
    fields = 0
    while (tag := _varint(stream)) is not None:
        field, wire = tag >> 3, tag & 7
        fields += 1
        if field not in _FIELDS or wire not in {0, 2} or fields > _MOST_FIELDS:
            raise invalid
        length = _varint(stream)
        if length is None or (wire == 2 and stream.tell() + length > end):
            raise invalid
        if wire == 2 and stream.seek(length, 1) > end:
            raise invalid
    if not stream.tell():
        raise NetworkError(f"{name}: the file is empty")
    if stream.tell() >= _LARGEST:
        raise NetworkError(f"{name}: larger than 2 GiB, the limit of ONNX files; keep its weights in external data")


def _varint(stream: BufferedIOBase) -> int | None:
    """A number of variable length, or `None` at the end of the stream."""
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            return None
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    return value


def parse_model(data: bytes, name: str) -> onnx.ModelProto:
    """The ONNX model of the bytes of a file.

    Raises:
        NetworkError: if they are none; the message has the name.
    """
    try:
        return onnx.load_model_from_string(data)
    except (DecodeError, ValueError):
        raise NetworkError(f"{name}: not an ONNX model") from None
