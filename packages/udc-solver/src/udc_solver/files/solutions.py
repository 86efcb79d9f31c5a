"""Solutions: TSPLIB's `.tour`, CVRPLIB's `.sol` (in `vrplib`), and JSON for every problem."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from separata import files

from .text import read_text, whole

Answer = list[int] | list[list[int]]
"""A solution as people have it: places in order, routes of places, or numbers of what is chosen."""


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


def save_json(path: Path, problem: str, solutions: Sequence[Answer], objectives: Sequence[float]) -> None:
    """Write solutions of any problem.

    Args:
        path: The file.
        problem: Name of the problem.
        solutions: One for each instance: places in order, counted from 0; routes of places; or the numbers of what is
            chosen.
        objectives: What each is worth, as people read it.
    """
    files.write_json(path, {"problem": problem, "objectives": list(objectives), "solutions": list(solutions)})


def load_json(path: Path, problem: str | None = None) -> tuple[str | None, list[Answer]]:
    """Read solutions that `save_json` wrote, or an object with one `solution`.

    Args:
        path: The file.
        problem: Name that the file must have, if it has one.

    Returns:
        The name of the problem in the file, and the solutions.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no solutions, or those of another problem.
    """
    held = files.read_json(path)
    found = held.get("solutions", [held.get("solution")]) if isinstance(held, Mapping) else None
    if not isinstance(found, list) or not found or not all(isinstance(one, list) for one in found):
        raise ValueError(f'{path} holds no solutions: it must be an object with a list "solution" or "solutions"')
    named = held.get("problem")
    if problem is not None and named is not None and named != problem:
        raise ValueError(f"{path} holds solutions of the problem {named}, not {problem}")
    for solution in found:
        for item in solution:
            for one in item if isinstance(item, list) else [item]:
                if not isinstance(one, int) or isinstance(one, bool):
                    raise ValueError(f"{path}: a solution is of whole numbers, or lists of them, but has {one!r}")
    return named, found
