"""Solutions: TSPLIB's `.tour`, CVRPLIB's `.sol` (in `vrplib`), and JSON for every problem."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from separata import files

from .text import read_text, whole


def save_tour(path: Path, tour: Sequence[int], name: str, length: float) -> None:
    """Write a tour, whose places are counted from 0, as TSPLIB does, which counts from 1."""
    lines = [f"NAME : {name}", f"COMMENT : length {length:.10g}", "TYPE : TOUR", f"DIMENSION : {len(tour)}"]
    files.write_text(path, "\n".join([*lines, "TOUR_SECTION", *(str(place + 1) for place in tour), "-1", "EOF", ""]))


def load_tour(path: Path) -> list[int]:
    """Read the tour of a TSPLIB file, with places counted from 0.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no tour.
    """
    text = read_text(path)
    before, section, after = text.partition("TOUR_SECTION")
    if not section:
        raise ValueError(f"{path} is not a .tour file: it has no TOUR_SECTION")
    tour: list[int] = []
    for word in after.split():
        if word.upper() == "EOF":
            break
        place = whole(word, f"{path}: TOUR_SECTION")
        if place == -1:
            break
        tour.append(place - 1)
    declared = [line.split(":", 1)[1] for line in before.splitlines() if line.strip().upper().startswith("DIMENSION")]
    if declared and whole(declared[0].strip(), f"{path}: DIMENSION") != len(tour):
        raise ValueError(f"{path} has a tour of {len(tour)} places, but its DIMENSION is {declared[0].strip()}")
    return tour


def save_json(path: Path, problem: str, solution: Sequence[Sequence[int]] | Sequence[int], objective: float) -> None:
    """Write a solution of any problem.

    Args:
        path: The file.
        problem: Name of the problem.
        solution: Places in order, counted from 0; routes of places; or the numbers of what is chosen.
        objective: What it is worth, as people read it.
    """
    plain = [[int(one) for one in item] if isinstance(item, Sequence) else int(item) for item in solution]
    files.write_json(path, {"problem": problem, "objective": float(objective), "solution": plain})


def load_json(path: Path, problem: str) -> list[Any]:
    """Read a solution that `save_json` wrote.

    Returns:
        Numbers, or lists of numbers.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no solution, or one of another problem.
    """
    held = files.read_json(path)
    if not isinstance(held, Mapping) or not isinstance(held.get("solution"), list):
        raise ValueError(f'{path} is not a solution: it must be an object with a list "solution"')
    named = held.get("problem", problem)
    if named != problem:
        raise ValueError(f"{path} is a solution of the problem {named}, not {problem}")
    solution: list[Any] = held["solution"]
    for item in solution:
        for one in item if isinstance(item, list) else [item]:
            if not isinstance(one, int) or isinstance(one, bool):
                raise ValueError(f"{path}: a solution is of whole numbers, or lists of them, but has {one!r}")
    return solution
