"""Columns: which cells stand in each, and which arrays are alive between them."""

from collections.abc import Sequence
from dataclasses import dataclass

from circuit_diagrams.elements import Array
from circuit_diagrams.regions import Cell, View


@dataclass(frozen=True)
class Columns:
    """Function columns 1, 2, ... and the data columns 0, 1, ... that stand after them.

    Args:
        cells: Cells of each function column, by their number in the view; the first column has none.
        arrays: All arrays by their number.
        born: Data column in which each array first stands.
        dies: Data column in which it last stands.
        maker: Number of the cell that makes it; inputs have none.
    """

    cells: tuple[tuple[int, ...], ...]
    arrays: dict[int, Array]
    born: dict[int, int]
    dies: dict[int, int]
    maker: dict[int, int]

    def __len__(self) -> int:
        return len(self.cells)

    def alive(self, column: int) -> list[int]:
        """Arrays that stand in a data column."""
        return [i for i in self.arrays if self.born[i] <= column <= self.dies[i]]


def columns_of(view: View) -> Columns:
    """Each cell as far left as its inputs allow, but what starts from nothing as far right as it can be."""
    level: dict[int, int] = {a.id: 0 for a in view.inputs}
    depth: list[int] = []
    rooms = _Rooms(view)
    for cell in view.cells:
        depth.append(1 + max([rooms.floor(cell), *(level.get(a.id, 0) for a in cell.inputs)]))
        rooms.enter(cell, depth[-1])
        level.update({a.id: depth[-1] for a in cell.outputs})
    n = max(depth, default=0) + 1
    depth = _later(view, depth, n)
    arrays = {a.id: a for a in view.inputs}
    born, maker = dict.fromkeys(arrays, 0), {}
    for i, cell in enumerate(view.cells):
        for a in (*cell.inputs, *cell.outputs):
            arrays.setdefault(a.id, a)
        for a in cell.outputs:
            born[a.id], maker[a.id] = depth[i], i
    dies = {i: born.setdefault(i, 0) for i in arrays}
    for i, cell in enumerate(view.cells):
        for a in cell.inputs:
            dies[a.id] = max(dies[a.id], depth[i] - 1)
    for a in view.outputs:
        arrays.setdefault(a.id, a)
        born.setdefault(a.id, 0)
        dies[a.id] = n - 1
    grouped: list[list[int]] = [[] for _ in range(n)]
    for i, column in enumerate(depth):
        grouped[column].append(i)
    return Columns(tuple(map(tuple, grouped)), arrays, born, dies, maker)


def _later(view: View, depth: Sequence[int], n: int) -> list[int]:
    """Move cells right, up to their first reader, where that makes fewer wires stand around."""
    found = list(depth)
    kept = {a.id for a in view.outputs}
    readers: dict[int, list[int]] = {}
    for i, cell in enumerate(view.cells):
        for a in cell.inputs:
            readers.setdefault(a.id, []).append(i)
    for i in reversed(range(len(view.cells))):
        cell = view.cells[i]
        first = min((found[j] for a in cell.outputs for j in readers.get(a.id, [])), default=n)
        if kept & {a.id for a in cell.outputs} or first == n:
            continue
        if _n_held(cell, readers, i) < sum(len(a.axes) for a in cell.outputs):
            found[i] = first - 1
    return found


def _n_held(cell: Cell, readers: dict[int, list[int]], number: int) -> int:
    """Wires that stand until this cell because no later one reads them."""
    return sum(len(a.axes) for a in cell.inputs if max(readers[a.id]) == number)


class _Rooms:
    """Keeps large regions side by side apart, so that their fences do not overlap."""

    LEAST = 4

    def __init__(self, view: View) -> None:
        size: dict[tuple[str, ...], int] = {}
        for cell in view.cells:
            for path in _paths(cell):
                size[path] = size.get(path, 0) + 1
        self.large = {path for path, n in size.items() if n >= self.LEAST}
        self.ends: dict[tuple[str, ...], int] = {}
        self.begins: dict[tuple[str, ...], int] = {}

    def floor(self, cell: Cell) -> int:
        """The column after which a cell may stand."""
        for path in _paths(cell):
            if path in self.large and path not in self.begins:
                others = [end for other, end in self.ends.items() if other[:-1] == path[:-1] and other != path]
                self.begins[path] = max(others, default=0)
        return max((self.begins.get(path, 0) for path in _paths(cell)), default=0)

    def enter(self, cell: Cell, column: int) -> None:
        """Note where a cell stands."""
        for path in _paths(cell):
            if path in self.large:
                self.ends[path] = max(self.ends.get(path, 0), column)


def _paths(cell: Cell) -> list[tuple[str, ...]]:
    return [cell.region[:depth] for depth in range(1, len(cell.region) + 1)]
