"""Sokoban: a worker pushes boxes onto docks."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .astar import SearchTask, Trace, astar
from .maze import MAX_FAILURES, Cell, check_size

MARKS = " #.@+$*"
"""Floor, wall, dock, worker, worker on a dock, box, box on a dock."""

MOVES = ((0, -1), (0, 1), (-1, 0), (1, 0))
"""Up, down, left and right; y grows downward."""


class SokobanState(NamedTuple):
    """Where the worker and the boxes are; boxes in ascending order."""

    worker: Cell
    boxes: tuple[Cell, ...]


@dataclass(frozen=True)
class SokobanTask(SearchTask[SokobanState]):
    """A Sokoban level; cells are (x, y), y grows downward.

    Args:
        width: Cells in a row.
        height: Cells in a column.
        worker: Where the worker starts.
        boxes: Where the boxes start.
        docks: Where boxes have to go.
        walls: Cells that cannot be entered.

    Raises:
        ValueError: if boxes and docks differ in number, there is no box, or something stands where it cannot.
    """

    width: int
    height: int
    worker: Cell
    boxes: tuple[Cell, ...]
    docks: tuple[Cell, ...]
    walls: tuple[Cell, ...]

    def __post_init__(self) -> None:
        for name in ("boxes", "docks", "walls"):
            object.__setattr__(self, name, tuple(sorted(set(getattr(self, name)))))
        if len(self.boxes) != len(self.docks) or not self.boxes:
            raise ValueError(
                f"a level needs as many docks as boxes, and at least one, not {len(self.boxes)} boxes and "
                f"{len(self.docks)} docks"
            )
        for name, cells in (("worker", (self.worker,)), ("box", self.boxes), ("dock", self.docks)):
            for cell in cells:
                if not self.contains(cell) or cell in self.blocked:
                    raise ValueError(f"the {name} at {cell} is on a wall or outside the level")
        if self.worker in self.boxes:
            raise ValueError(f"the worker and a box are both at {self.worker}")

    @classmethod
    def from_text(cls, text: str) -> "SokobanTask":
        """Read a level in the .xsb format; a line that is shorter than others is filled with floor.

        Comments (`; ...`) and lines such as `Title: ...` before and after the level are passed over; `-` and `_` are
        floor, too.

        Raises:
            ValueError: if there is not one worker, boxes and docks differ in number, or another character occurs.
        """
        lines = ["" if _is_told(line) else re.sub("[-_]", " ", line).rstrip() for line in text.split("\n")]
        while lines and not lines[-1]:
            lines.pop()
        while lines and not lines[0]:
            lines.pop(0)
        if not lines:
            raise ValueError("the level is empty; draw it with # (wall), @ (worker), $ (box) and . (dock)")
        if any(not line for line in lines):
            raise ValueError("the file holds more than one level; keep each in a file of its own")
        width = max(map(len, lines))
        cells = {(x, y): mark for y, line in enumerate(lines) for x, mark in enumerate(line.ljust(width))}
        strange = sorted(set(cells.values()) - set(MARKS))
        if strange:
            raise ValueError(f"a Sokoban level is drawn with '{MARKS}', not with '{strange[0]}'")

        def at(marks: str) -> tuple[Cell, ...]:
            return tuple(cell for cell, mark in cells.items() if mark in marks)

        if len(at("@+")) != 1:
            raise ValueError(f"the level needs exactly one worker (@, or + on a dock), but has {len(at('@+'))}")
        return cls(width, len(lines), at("@+")[0], at("$*"), at(".+*"), at("#"))

    def to_text(self, state: SokobanState | None = None) -> str:
        """The level in the .xsb format, in a state or at the start."""
        state = state or self.initial
        marks = {**dict.fromkeys(self.walls, "#"), **dict.fromkeys(self.docks, ".")}
        marks |= {box: "*" if box in self.docks else "$" for box in state.boxes}
        marks[state.worker] = "+" if state.worker in self.docks else "@"
        return "\n".join("".join(marks.get((x, y), " ") for x in range(self.width)) for y in range(self.height))

    @cached_property
    def blocked(self) -> frozenset[Cell]:
        """The walls as a set."""
        return frozenset(self.walls)

    @property
    def layout(self) -> tuple[int, int, tuple[Cell, ...]]:
        """Size and walls."""
        return self.width, self.height, self.walls

    def contains(self, cell: Cell) -> bool:
        """Whether a cell lies in the level."""
        return 0 <= cell[0] < self.width and 0 <= cell[1] < self.height

    def is_free(self, cell: Cell) -> bool:
        """Whether a cell can be entered, if nothing that moves stands there."""
        return self.contains(cell) and cell not in self.blocked

    @property
    def initial(self) -> SokobanState:
        """Worker and boxes at the start."""
        return SokobanState(self.worker, self.boxes)

    def move(self, state: SokobanState, direction: Cell) -> SokobanState:
        """The state after a move; the same one if something is in the way."""
        dx, dy = direction
        target = (state.worker[0] + dx, state.worker[1] + dy)
        if not self.is_free(target):
            return state
        if target not in state.boxes:
            return SokobanState(target, state.boxes)
        beyond = (target[0] + dx, target[1] + dy)
        if not self.is_free(beyond) or beyond in state.boxes:
            return state
        return SokobanState(target, tuple(sorted(beyond if box == target else box for box in state.boxes)))

    def children(self, state: SokobanState) -> list[SokobanState]:
        """The states after moving up, down, left and right."""
        return [self.move(state, direction) for direction in MOVES]

    def to_move(self, state: SokobanState) -> tuple[Cell, ...]:
        """Boxes that are not on a dock."""
        return tuple(box for box in state.boxes if box not in self.docks)

    def open_docks(self, state: SokobanState) -> tuple[Cell, ...]:
        """Docks without a box."""
        return tuple(dock for dock in self.docks if dock not in state.boxes)

    def heuristic(self, state: SokobanState) -> float:
        """Summed Manhattan distances of boxes to their closest open docks; infinite if one cannot be moved any more."""
        docks, total = self.open_docks(state), 0
        for x, y in self.to_move(state):
            is_movable = (self.is_free((x - 1, y)) and self.is_free((x + 1, y))) or (
                self.is_free((x, y - 1)) and self.is_free((x, y + 1))
            )
            if not is_movable:
                return math.inf
            total += min(abs(x - u) + abs(y - v) for u, v in docks)
        return total

    def is_goal(self, state: SokobanState) -> bool:
        """Whether every box is on a dock."""
        return not self.to_move(state)

    def key(self, state: SokobanState) -> str:
        """Order of ties: the level's text, which is the same in every process."""
        return self.to_text(state)

    def is_solved_by(self, plan: tuple[Cell, ...]) -> bool:
        """Whether walking these positions, the start included, pushes all boxes onto docks."""
        if not plan or plan[0] != self.worker:
            return False
        state = self.initial
        for before, after in pairwise(plan):
            direction = (after[0] - before[0], after[1] - before[1])
            if direction not in MOVES:
                return False
            state = self.move(state, direction)
            if state.worker != after:
                return False
        return self.is_goal(state)


def _is_told(line: str) -> bool:
    """Whether a line of an .xsb file says something about the level instead of drawing it."""
    return re.match(r"\s*(;|[A-Za-z][\w -]*:)", line) is not None


def random_sokobans(
    width: int,
    height: int,
    rng: np.random.Generator,
    *,
    n_walls: int = 2,
    n_boxes: int = 2,
    deterministic: bool = False,
) -> Iterator[tuple[SokobanTask, Trace]]:
    """Solvable levels like the paper's, each with its A* trace, without end; no two are equal.

    The border is wall. Inner walls, the worker and the docks are drawn uniformly from what is free; boxes from cells at
    least two away from the border.

    Args:
        width: Cells in a row; 7 in the paper.
        height: Cells in a column; 7 in the paper.
        rng: Source of randomness.
        n_walls: Walls inside the border.
        n_boxes: Boxes, and docks.
        deterministic: Whether the traces are of deterministic search.

    Raises:
        ValueError: if the level is too large, or too small for what is to stand in it, or none of 2,000 in a row is new
            and solvable.
    """
    check_size("Sokoban level", width, height)
    inner = [(x, y) for y in range(1, height - 1) for x in range(1, width - 1)]
    if (width - 4) * (height - 4) < n_walls + n_boxes or min(width, height) < 5 or n_boxes < 1 or n_walls < 0:
        raise ValueError(f"{n_boxes} boxes and {n_walls} walls do not fit a level of {width}x{height}")
    border = [(x, y) for y in range(height) for x in range(width) if (x, y) not in inner]
    seen: set[SokobanTask] = set()

    def draw(n: int, cells: list[Cell], taken: set[Cell]) -> tuple[Cell, ...]:
        free = [cell for cell in cells if cell not in taken]
        chosen = tuple(free[i] for i in rng.choice(len(free), n, replace=False).tolist())
        taken |= set(chosen)
        return chosen

    middle = [(x, y) for x, y in inner if 2 <= x < width - 2 and 2 <= y < height - 2]
    failures = 0
    while failures < MAX_FAILURES:
        failures += 1
        taken: set[Cell] = set()
        walls = draw(n_walls, inner, taken)
        boxes = draw(n_boxes, middle, taken)
        (worker,) = draw(1, inner, taken)
        docks = draw(n_boxes, inner, taken)
        task = SokobanTask(width, height, worker, boxes, docks, (*border, *walls))
        if task in seen:
            continue
        seen.add(task)
        trace = astar(task, deterministic=deterministic, rng=rng)
        if trace.is_solved:
            failures = 0
            yield task, trace
    raise ValueError(f"gave up looking for random levels of {width}x{height}: hardly any is new and can be solved")
