"""Text that is always there, and text of users, as characters."""

import gzip
import os
import sysconfig
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True)
class Corpus:
    """Characters as numbers, split by order: the first 80 % for training, 10 % for validation, 10 % for testing."""

    vocabulary: str
    """The characters that occur; the last number, one above, is free for a mask."""
    tokens: Int[Tensor, " n"]

    def split(self, name: str) -> Int[Tensor, " part"]:
        """The part `train`, `validation` or `test`."""
        n = len(self.tokens)
        first, last = {"train": (0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}[name]
        return self.tokens[int(first * n) : int(last * n)]


def corpus_from_text(text: str, *, length: int) -> Corpus:
    """A corpus of the characters of a text.

    Args:
        text: Any text.
        length: Context of the model, which each part must hold with one character more.

    Raises:
        ValueError: if the text is too short.
    """
    if len(text) // 10 <= length:
        raise ValueError(
            f"the text has {len(text):,} characters; with contexts of {length} it needs {10 * length + 10:,}"
        )
    codes = torch.frombuffer(bytearray(text.encode("utf-32-le", "surrogatepass")), dtype=torch.int32)
    found, tokens = codes.unique(return_inverse=True)
    return Corpus("".join(map(chr, found.tolist())), tokens)


def standard_library(n_characters: int) -> str:
    """The source of Python's standard library, file by file in alphabetical order, without what is not ASCII."""
    parts, total = [], 0
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        text = path.read_bytes().decode("ascii", errors="ignore")
        parts.append(text)
        total += len(text)
        if total >= n_characters:
            break
    return "".join(parts)[:n_characters]


def find_text(name: str) -> Path:
    """The file of a text: the name itself, or in `$SEPARATA_DATA/text`, also as `.txt` or `.txt.gz`.

    Raises:
        FileNotFoundError: if there is none.
    """
    root = os.environ.get("SEPARATA_DATA")
    places = [Path(root, "text", f"{name}{ending}") for ending in ("", ".txt", ".gz", ".txt.gz")] if root else []
    for path in (Path(name), *places):
        if path.is_file():
            return path
    where = f"now {Path(root, 'text')}" if root else "SEPARATA_DATA is not set"
    raise FileNotFoundError(f"there is no text {name}, neither as a file nor in $SEPARATA_DATA/text ({where})")


def read_text(path: Path) -> str:
    """A text file of a user; one that ends with `.gz` is unpacked.

    Raises:
        ValueError: if it is not UTF-8, or not packed as its name says.
    """
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    except (UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile):
        raise ValueError(f"{path} is not a text in UTF-8") from None
