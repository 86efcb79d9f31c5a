"""Files of problems in folders."""

from collections.abc import Sequence
from pathlib import Path

from revibranch.scip.completeness import ENDINGS


def problem_files(paths: Sequence[Path]) -> list[Path]:
    """The files that are given, and those of problems in the folders that are given, in the order of their names.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if a folder has no problems, or nothing is given.
    """
    if not paths:
        raise ValueError("give at least one file of a problem, or a folder of them")
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if is_problem(one))
            if not inside:
                raise ValueError(f"there is no problem in the folder {path}: no file that ends with {_LISTED}")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise FileNotFoundError(f"there is no file or folder {path}")
    return found


def is_problem(path: Path) -> bool:
    """Whether a file is named like a problem, and is no hidden one."""
    name = path.name.removesuffix(".gz")
    return path.is_file() and not name.startswith(".") and Path(name).suffix.lower() in ENDINGS


_LISTED = f"{', '.join(ENDINGS)}, or one of them and .gz"
