"""A task, what a search explored and the way that was found, on the terminal and as a figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .maze import Cell
from .records import Task
from .sokoban import SokobanTask
from .tokenizer import CLOSE, CREATE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = {"#": "white on grey30", "S": "bold green", "G": "bold red", "*": "bold cyan", "+": "yellow", "o": "grey62"}
LEGEND = {"*": "path", "+": "closed", "o": "created"}


def explored(trace: Sequence[str]) -> dict[Cell, str]:
    """The cells that a trace mentions as a node's (or a worker's) place: `create`, or `close` if it was closed too.

    A clause that does not follow the grammar, as a model may write one, is passed over.
    """
    cells: dict[Cell, str] = {}
    for index, word in enumerate(trace):
        if word in (CREATE, CLOSE):
            place = [following for following in trace[index + 1 : index + 4] if following != "worker"][:2]
            if len(place) == 2 and all(number.isdecimal() for number in place):
                cell = (int(place[0]), int(place[1]))
                cells[cell] = CLOSE if word == CLOSE or cells.get(cell) == CLOSE else CREATE
    return cells


def text(task: Task, trace: Sequence[str] = (), plan: Sequence[Cell] = ()) -> str:
    """The task drawn with characters: `*` on the path, `+` closed cells, `o` cells that were only created."""
    rows = [list(row) for row in task.to_text().split("\n")]
    marks = {cell: "+" if word == CLOSE else "o" for cell, word in explored(trace).items()}
    marks |= dict.fromkeys(plan, "*")
    for (x, y), mark in marks.items():
        if task.contains((x, y)) and rows[y][x] in " .":
            rows[y][x] = mark
    return "\n".join("".join(row) for row in rows)


def figure(task: Task, trace: Sequence[str] = (), plan: Sequence[Cell] = (), title: str = "") -> "Figure":
    """The task as a figure: walls dark, explored cells in the order of their creation, the path as a line."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from separata import plots

    order = np.full((task.height, task.width), np.nan)
    for rank, (x, y) in enumerate(cell for cell in explored(trace) if task.contains(cell)):
        order[y, x] = rank
    walls = np.zeros((task.height, task.width))
    for x, y in task.walls:
        walls[y, x] = 1
    with mpl.rc_context(plots.STYLE):
        scale = 4 / max(task.width, task.height)
        drawn = Figure(figsize=(0.6 + scale * task.width, 0.9 + scale * task.height))
        axes = drawn.add_subplot()
        axes.imshow(np.ma.masked_invalid(order), cmap="Blues", vmin=-8, alpha=0.85)
        axes.imshow(np.ma.masked_equal(walls, 0), cmap="Greys", vmin=0, vmax=1.3)
        if len(plan):
            axes.plot(*zip(*plan, strict=True), color=plots.PALETTE[1], linewidth=3, solid_capstyle="round")
        for cells, mark, color in _points(task):
            xs, ys = zip(*cells, strict=True)
            axes.scatter(xs, ys, s=90, marker=mark, color=color, zorder=3, edgecolor="white")
        axes.set(xticks=[], yticks=[], title=title, xlim=(-0.5, task.width - 0.5), ylim=(task.height - 0.5, -0.5))
        axes.grid(visible=False)
        axes.spines[:].set_visible(True)
    return drawn


def _points(task: Task) -> list[tuple[Sequence[Cell], str, str]]:
    if isinstance(task, SokobanTask):
        return [(task.docks, "X", "#009E73"), (task.boxes, "s", "#E69F00"), ([task.worker], "o", "#0072B2")]
    return [([task.start], "o", "#009E73"), ([task.goal], "*", "#000000")]
