"""Mazes: shortest paths through grids with walls."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import itemgetter

import numpy as np

from .astar import SearchTask, Trace, astar

Cell = tuple[int, int]

WALL, FLOOR, START, GOAL = "#", ".", "S", "G"

MAX_FAILURES = 2000
"""Unsuitable random tasks in a row after which the search for a suitable one is given up."""


MOST_CELLS = 100_000
"""Cells of the largest board that has a vocabulary, in which each cell has a word; the paper's have up to 900."""


def check_size(kind: str, width: int, height: int) -> None:
    """See that a board is not too large.

    Raises:
        ValueError: if it is.
    """
    if width * height > MOST_CELLS:
        raise ValueError(f"a {kind} has at most {MOST_CELLS:,} cells, not {width}x{height}")


@dataclass(frozen=True)
class MazeTask(SearchTask[Cell]):
    """A maze with a start and a goal.

    Cells are (x, y) with 0 ≤ x < width and 0 ≤ y < height; y is the line in the text form. Equal tasks have equal size,
    start, goal and walls.

    Args:
        width: Cells in a row.
        height: Cells in a column.
        start: Where a plan begins.
        goal: Where it ends.
        walls: Cells that cannot be entered; kept in ascending order of x + y·width.

    Raises:
        ValueError: if a cell is outside the maze, start and goal are the same, or one of them is a wall.
    """

    width: int
    height: int
    start: Cell
    goal: Cell
    walls: tuple[Cell, ...] = ()

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a maze has at least one cell in each direction, not {self.width}x{self.height}")
        cells = (self.start, self.goal, *self.walls)
        outside = [(x, y) for x, y in cells if not (0 <= x < self.width and 0 <= y < self.height)]
        if outside:
            raise ValueError(f"the cell {outside[0]} is outside the maze of {self.width}x{self.height}")
        if self.start == self.goal:
            raise ValueError(f"the start and the goal of a maze must differ, but both are {self.start}")
        object.__setattr__(self, "walls", tuple(sorted(set(self.walls), key=itemgetter(1, 0))))
        for name, cell in (("start", self.start), ("goal", self.goal)):
            if cell in self.blocked:
                raise ValueError(f"the {name} {cell} is on a wall")

    @classmethod
    def from_text(cls, text: str) -> "MazeTask":
        """Read a maze drawn with `#` (wall), `.` or space (floor), `S` (start) and `G` (goal), a line for each row.

        Raises:
            ValueError: if the lines differ in length, another character occurs, or there is not one S and one G.
        """
        lines = [line.rstrip("\r") for line in text.split("\n")]
        while lines and not lines[-1].strip():
            lines.pop()
        while lines and not lines[0].strip():
            lines.pop(0)
        if not lines:
            raise ValueError("the maze is empty; draw it with # (wall), . (floor), S (start) and G (goal)")
        for number, line in enumerate(lines, 1):
            if len(line) != len(lines[0]):
                raise ValueError(
                    f"the maze must be rectangular, but row {number} has {len(line)} cells and row 1 {len(lines[0])}"
                )
        cells = {(x, y): mark for y, line in enumerate(lines) for x, mark in enumerate(line)}
        strange = sorted(set(cells.values()) - {WALL, FLOOR, START, GOAL, " "})
        if strange:
            raise ValueError(f"a maze is drawn with #, ., S and G, not with '{strange[0]}'")
        ends = {mark: [cell for cell, found in cells.items() if found == mark] for mark in (START, GOAL)}
        for mark, found in ends.items():
            if len(found) != 1:
                raise ValueError(f"the maze needs exactly one {mark}, but has {len(found)}")
        walls = tuple(cell for cell, mark in cells.items() if mark == WALL)
        return cls(len(lines[0]), len(lines), ends[START][0], ends[GOAL][0], walls)

    def to_text(self) -> str:
        """The maze as `from_text` reads it."""
        marks = {**dict.fromkeys(self.walls, WALL), self.start: START, self.goal: GOAL}
        return "\n".join("".join(marks.get((x, y), FLOOR) for x in range(self.width)) for y in range(self.height))

    @cached_property
    def blocked(self) -> frozenset[Cell]:
        """The walls as a set."""
        return frozenset(self.walls)

    @property
    def layout(self) -> tuple[int, int, tuple[Cell, ...]]:
        """Size and walls: what tasks for training and for testing never share."""
        return self.width, self.height, self.walls

    def contains(self, cell: Cell) -> bool:
        """Whether a cell lies in the maze."""
        return 0 <= cell[0] < self.width and 0 <= cell[1] < self.height

    @property
    def initial(self) -> Cell:
        """The start."""
        return self.start

    def children(self, state: Cell) -> list[Cell]:
        """Free neighbours: y+1, y-1, x-1, x+1."""
        x, y = state
        blocked = self.blocked
        around = []
        if y + 1 < self.height and (x, y + 1) not in blocked:
            around.append((x, y + 1))
        if y > 0 and (x, y - 1) not in blocked:
            around.append((x, y - 1))
        if x > 0 and (x - 1, y) not in blocked:
            around.append((x - 1, y))
        if x + 1 < self.width and (x + 1, y) not in blocked:
            around.append((x + 1, y))
        return around

    def heuristic(self, state: Cell) -> float:
        """Manhattan distance to the goal."""
        return abs(state[0] - self.goal[0]) + abs(state[1] - self.goal[1])

    def is_goal(self, state: Cell) -> bool:
        """Whether it is the goal."""
        return state == self.goal

    def key(self, state: Cell) -> int:
        """Order of ties: x + 100000·y."""
        return state[0] + 100_000 * state[1]

    def is_solved_by(self, plan: tuple[Cell, ...]) -> bool:
        """Whether a plan leads from start to goal by single steps, inside the maze and through no wall."""
        return (
            len(plan) > 0
            and plan[0] == self.start
            and plan[-1] == self.goal
            and all(self.contains(cell) and cell not in self.blocked for cell in plan)
            and all(abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1 for a, b in pairwise(plan))
        )


def random_mazes(
    width: int,
    height: int,
    rng: np.random.Generator,
    *,
    tasks_per_layout: int | None = 1,
    num_attempts: int = 100,
    deterministic: bool = False,
) -> Iterator[tuple[MazeTask, Trace]]:
    """Mazes drawn as in the paper, each with its A* trace, without end; no two layouts are equal.

    Walls are 30 % to 50 % of the cells, drawn uniformly. Start and goal are drawn until the task is solvable with a
    plan of at least max(width, height) positions.

    The released generator keeps every success of 100 draws for each layout (`tasks_per_layout=None`), so that layouts
    with many long ways come up more often; its traces are about 15 % longer than those of one task a layout.

    Args:
        width: Number of columns.
        height: Number of rows.
        rng: Source of randomness.
        tasks_per_layout: Tasks with the same walls and another start or goal; layouts with fewer are skipped. None for
            every different success among `num_attempts` draws.
        num_attempts: Draws of start and goal without a new task after which a layout is given up; or, if every success
            is kept, all draws for a layout.
        deterministic: Whether A* breaks ties in a fixed order.

    Raises:
        ValueError: if the maze is too small or too large, a count is not positive, or about 2,000 mazes in a row are
            unsuitable.
    """
    if min(width, height) < 2 or width * height < 10:
        raise ValueError(f"random mazes need at least 2 rows, 2 columns and 10 cells, not {width}x{height}")
    check_size("maze", width, height)
    if num_attempts < 1 or (tasks_per_layout is not None and tasks_per_layout < 1):
        raise ValueError(f"tasks and attempts must be at least 1, not {tasks_per_layout} and {num_attempts}")
    room = width * height - 3 * (width * height // 10)
    if (tasks_per_layout or 1) > room * (room - 1):
        raise ValueError(
            f"a maze of {width}x{height} has at most {room:,} free cells for start and goal, too few for "
            f"{tasks_per_layout:,} tasks"
        )
    cells = [(i % width, i // width) for i in range(width * height)]
    tenth = len(cells) // 10
    seen: set[tuple[Cell, ...]] = set()
    failures = 0
    while failures < MAX_FAILURES:
        order = rng.permutation(len(cells)).tolist()
        n_walls = int(rng.integers(3 * tenth, 5 * tenth + 1))
        walls = tuple(cells[i] for i in sorted(order[:n_walls]))
        if walls in seen:
            failures += 1
            continue
        seen.add(walls)
        layout = _Layout(width, height, [cells[i] for i in order[n_walls:]], walls)
        found = layout.tasks(rng, tasks_per_layout, num_attempts, deterministic=deterministic)
        if len(found) >= (tasks_per_layout or 1):
            failures = 0
            yield from found.items()
        else:
            failures += 1 + len(found) // 10
    wanted = "is new" if tasks_per_layout in (1, None) else f"has {tasks_per_layout:,} tasks"
    raise ValueError(f"gave up looking for random mazes of {width}x{height}: hardly any layout {wanted}")


@dataclass(frozen=True)
class _Layout:
    """The walls of a maze, and its free cells in random order."""

    width: int
    height: int
    free: list[Cell]
    walls: tuple[Cell, ...]

    def tasks(
        self, rng: np.random.Generator, n: int | None, num_attempts: int, *, deterministic: bool
    ) -> dict[MazeTask, Trace]:
        """Up to `n` tasks with their traces, or every success of `num_attempts` draws."""
        found: dict[MazeTask, Trace] = {}
        misses = 0
        while misses < num_attempts and len(found) != n:
            start, goal = (self.free[i] for i in rng.choice(len(self.free), 2, replace=False).tolist())
            task = MazeTask(self.width, self.height, start, goal, self.walls)
            misses += 1
            if task in found:
                continue
            trace = astar(task, deterministic=deterministic, rng=rng)
            if len(trace.plan) >= max(self.width, self.height):
                found[task] = trace
                misses = misses if n is None else 0
        return found
