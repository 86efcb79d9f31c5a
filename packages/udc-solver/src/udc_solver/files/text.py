"""Text files of strangers."""

from pathlib import Path

LARGEST = 1 << 28
"""Bytes beyond which a text file is refused."""


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not text, or too large.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes; at most {LARGEST:,} are read")
    content = path.read_bytes()
    if b"\0" in content:
        raise ValueError(f"{path} is not a text file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Old libraries have names in Latin 1.
        return content.decode("latin-1")


def numbers(words: list[str], where: str) -> list[float]:
    """Words as finite numbers.

    Raises:
        ValueError: if one is not; the sentence begins with `where`.
    """
    found = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            raise ValueError(f"{where}: {word!r} is not a number") from None
        if value != value or abs(value) == float("inf"):  # noqa: PLR0124
            raise ValueError(f"{where}: {word!r} is not a finite number")
        found.append(value)
    return found


def whole(word: str, where: str) -> int:
    """A word as a whole number.

    Raises:
        ValueError: if it is not one.
    """
    try:
        return int(word)
    except ValueError:
        value = numbers([word], where)[0]
    if value != int(value):
        raise ValueError(f"{where}: {word!r} is not a whole number")
    return int(value)
