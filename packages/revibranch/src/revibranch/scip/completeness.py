"""Files of problems that were cut off or damaged, which SCIP would read as other problems."""

import gzip
import re
import zlib
from pathlib import Path

ENDINGS = (".lp", ".mps", ".cip")
"""Of the names of files that problems are read from."""
ENDS = {".mps": "ENDATA", ".cip": "END"}
"""What stands at the end of a file, by format; case does not matter. An .lp may be without its `end`, and many are."""
CHUNK = 1 << 20
TAIL = 1 << 16
"""Bytes at the end of a file in which its last word must stand; comments may follow it."""


def check_complete(path: Path) -> None:
    """See that a file of a problem is whole: to the end of its format, and of its compression with length and CRC.

    SCIP takes what it finds of a compressed file as the problem. Files are read in chunks.

    Args:
        path: An .lp, .mps or .cip, or one of them and .gz.

    Raises:
        ValueError: if it is cut off or damaged.
        OSError: if it cannot be read.
    """
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    tail = _last_unpacked(path) if path.name.endswith(".gz") else _last(path)
    if not tail.strip():
        raise ValueError(f"{path} is empty")
    if ending in ENDS and not _has_end(tail, ENDS[ending]):
        raise ValueError(f"{path} is cut off or not in the format of its ending: {ENDS[ending]} is missing")


def _last(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-min(TAIL, path.stat().st_size), 2)
        return file.read()


def _last_unpacked(path: Path) -> bytes:
    tail = b""
    try:
        with gzip.open(path) as file:
            while chunk := file.read(CHUNK):
                tail = (tail + chunk)[-TAIL:]
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged or no gzip file: {error}") from None
    return tail


def _has_end(tail: bytes, end: str) -> bool:
    """Whether a line begins with the last word of a format."""
    return re.search(rb"(?im)^[ \t]*%b\b" % end.encode(), tail) is not None
