"""What commands show and write."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from separata import files


@dataclass(frozen=True)
class Shown:
    """Something to show to a person, as text, or to a program, as JSON.

    Args:
        value: What JSON can hold.
        text: The same as text.
        code: Exit code of the command.
    """

    value: dict[str, Any]
    text: str
    code: int = 0

    def show(self, *, as_json: bool) -> None:
        """Print it, and leave with the exit code if it is not 0."""
        print(json.dumps(self.value, indent=2, allow_nan=False) if as_json else self.text, flush=True)  # noqa: T201
        if self.code:
            raise SystemExit(self.code)


def finite(value: float) -> float | None:
    """A number that JSON can hold."""
    return value if math.isfinite(value) else None


def check_file(path: Path | None) -> None:
    """Raise if a file could not be written."""
    if path is None:
        return
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file to write")
    files.make_writable(path.parent)
