"""Tasks from files: mazes as text, Sokoban levels, and JSON lines."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .astar import astar
from .maze import MazeTask
from .records import Record, Task, load_jsonl, record_from_trace
from .sokoban import SokobanTask
from .tokenizer import tokenizer_from_task

LARGEST = 1 << 20
"""Bytes beyond which a file is no drawing of a task."""


def load_task(path: Path, kind: str | None = None) -> Task:
    """The task drawn in a text file.

    Args:
        path: The file.
        kind: `maze` or `sokoban`; Sokoban if it is not given and the name ends with .xsb or .sok, otherwise a maze.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such drawing; the sentence begins with the file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} is too large to be a drawing of a task")
    is_sokoban = kind == "sokoban" or (kind is None and path.suffix.lower() in {".xsb", ".sok"})
    try:
        text = path.read_text(encoding="utf-8-sig")
        return SokobanTask.from_text(text) if is_sokoban else MazeTask.from_text(text)
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_tasks(paths: Sequence[Path], rng: np.random.Generator) -> list[tuple[str, Record]]:
    """The tasks of files, with the traces and plans of A*, each with a name.

    Args:
        paths: Drawings of tasks, and .jsonl files with several.
        rng: Source of randomness for A* on drawings.

    Raises:
        FileNotFoundError: if a file is not there.
        ValueError: if a file cannot be read, or a task has no solution.
    """
    named: list[tuple[str, Record]] = []
    for path in paths:
        if path.suffix.lower() == ".jsonl":
            named += [(f"{path}:{number}", record) for number, record in enumerate(load_jsonl(path), 1)]
        else:
            named.append((str(path), solved(load_task(path), path, rng)))
    return named


def solved(task: Task, path: Path, rng: np.random.Generator) -> Record:
    """The record of a task that was read from a file.

    Raises:
        ValueError: if it has no solution.
    """
    try:
        return record_from_trace(task, astar(task, rng=rng), tokenizer_from_task(task))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
