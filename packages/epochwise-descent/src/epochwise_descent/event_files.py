"""Scalars in TensorBoard's event files, without TensorFlow or TensorBoard.

An event file is a sequence of records, each with its length and checksums around a protocol buffer; of these, the few
fields are read that hold scalars.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

Field = tuple[int, int, int | bytes]
"""Number, wire type and content of a field of a protocol buffer."""

CASTAGNOLI = 0x82F63B78
MASK = 0xA282EAD8
FOREIGN = "{} is not an event file of TensorBoard, or damaged"
SHORT = 4096
"""Bytes of a record that is checked whatever it holds; images and the like are longer."""
FLOAT, DOUBLE = 1, 2
"""TensorFlow's numbers of the types."""


def read_scalars(path: Path) -> list[tuple[int, str, float]]:
    """All scalars of an event file: step, tag and value, in the order in which they were written.

    Both forms are read, `simple_value` and a tensor of one number. A record that is cut off at the end, as of a
    training that still runs or was killed, is left out.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no event file, or damaged: a checksum is wrong of a record's length, or of a record that is
            short or has scalars. Images and the like are passed over unchecked.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    found: list[tuple[int, str, float]] = []
    for record, checksum in _records(path):
        try:
            scalars = list(_scalars(record))
        except (ValueError, IndexError, struct.error):
            raise ValueError(FOREIGN.format(path)) from None
        if (scalars or len(record) <= SHORT) and checksum != masked_crc(record):
            raise ValueError(FOREIGN.format(path))
        found += scalars
    return found


def _records(path: Path) -> Iterator[tuple[bytes, int]]:
    data = path.read_bytes()
    at = 0
    while at + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        (checksum,) = struct.unpack_from("<I", data, at + 8)
        if checksum != masked_crc(data[at : at + 8]):
            raise ValueError(FOREIGN.format(path))
        end = at + 12 + length
        if end + 4 > len(data):
            return
        yield data[at + 12 : end], *struct.unpack_from("<I", data, end)
        at = end + 4
    if not at:
        raise ValueError(f"{path} is not an event file of TensorBoard: it has no whole record")


def _shifted(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (CASTAGNOLI if byte & 1 else 0)
    return byte


TABLE = [_shifted(byte) for byte in range(256)]


def masked_crc(data: bytes) -> int:
    """The checksum of a record's length or content: CRC-32C, rotated and shifted."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + MASK) & 0xFFFFFFFF


def _scalars(event: bytes) -> Iterator[tuple[int, str, float]]:
    step, summaries = 0, []
    for number, kind, content in _fields(event):
        if number == 2 and kind == 0:
            step = _integer(content)
        elif number == 5 and kind == 2:
            summaries.append(_bytes(content))
    for summary in summaries:
        for number, kind, content in _fields(summary):
            if number == 1 and kind == 2:
                tag, value = _value(_bytes(content))
                if value is not None:
                    yield step, tag, value


def _value(message: bytes) -> tuple[str, float | None]:
    tag, value = "", None
    for number, kind, content in _fields(message):
        if number == 1 and kind == 2:
            tag = _bytes(content).decode()
        elif number == 2 and kind == 5:
            (value,) = struct.unpack("<f", _bytes(content))
        elif number == 8 and kind == 2:
            value = _tensor(_bytes(content))
    return tag, value


def _tensor(message: bytes) -> float | None:
    """The number of a tensor that holds one; None of any other."""
    held: dict[int, int | bytes] = {number: content for number, _, content in _fields(message)}
    form, place = {FLOAT: ("<f", 5), DOUBLE: ("<d", 6)}.get(_integer(held.get(1, 0)), ("", 0))
    content = held.get(4) or held.get(place)
    if not form or not isinstance(content, bytes) or len(content) != struct.calcsize(form):
        return None
    (value,) = struct.unpack(form, content)
    return float(value)


def _fields(message: bytes) -> Iterator[Field]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            content: int | bytes
            content, at = _varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            content, at = message[at : at + size], at + size
        elif kind == 2:
            size, at = _varint(message, at)
            content, at = message[at : at + size], at + size
        else:
            raise ValueError("not a protocol buffer")
        if at > len(message):
            raise ValueError("a field is cut off")
        yield number, kind, content


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number is too long")


def _integer(content: int | bytes) -> int:
    if not isinstance(content, int):
        raise ValueError("a number was expected")
    return content - (1 << 64) if content >= 1 << 63 else content


def _bytes(content: int | bytes) -> bytes:
    if not isinstance(content, bytes):
        raise ValueError("bytes were expected")
    return content
