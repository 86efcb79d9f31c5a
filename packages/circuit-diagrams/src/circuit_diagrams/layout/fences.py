"""Regions that are fenced off: one for each module of several operations, with how often it is repeated."""

from dataclasses import dataclass

from circuit_diagrams.regions import View

from .columns import Columns

MOST_NESTED = 3


@dataclass(frozen=True)
class Fence:
    """A region round several cells.

    Args:
        title: Name of the module, with its count.
        level: How many fences are nested inside, and itself.
        first: First function column.
        last: Last function column.
        arrays: What its cells take and give, by number.
        count: How often it is repeated.
        start: Its first cell.
        stop: One past its last cell.
    """

    title: str
    level: int
    first: int
    last: int
    arrays: tuple[int, ...]
    count: int
    start: int
    stop: int


def fences_of(view: View, columns: Columns) -> list[Fence]:
    """Fences, the outer ones first."""
    column_of = {i: column for column, cells in enumerate(columns.cells) for i in cells}
    spans: dict[tuple[int, int], tuple[str, int]] = {}
    for start, stop, title in _regions(view):
        spans.setdefault((start, stop), (title, 1))
    for repeat in view.repeats:
        title, _ = spans.get((repeat.start, repeat.stop), ("", 1))
        if not title:
            path = _common(view, repeat.start, repeat.stop)
            title = view.title(path) if path else ""
        shared = ", shared weights" if repeat.is_shared else ""
        spans[repeat.start, repeat.stop] = (f"{title} ×{repeat.count}{shared}", repeat.count)
    found: list[Fence] = []
    kept = {a.id for a in view.outputs}
    for (start, stop), (title, count) in sorted(spans.items(), key=lambda item: item[0][1] - item[0][0]):
        inner = [f for f in found if start <= f.start and f.stop <= stop]
        level = 1 + max((f.level for f in inner), default=0)
        if level > MOST_NESTED and count == 1:
            continue
        cells = range(start, stop)
        made = {a.id for i in cells for a in view.cells[i].outputs}
        readers = {a.id for i, cell in enumerate(view.cells) if i not in cells for a in cell.inputs} | kept
        taken = {a.id for i in cells for a in view.cells[i].inputs} - readers
        arrays = tuple(sorted((made | taken) & set(columns.arrays))) or tuple(made)
        within = [column_of[i] for i in cells]
        found.append(Fence(title, level, min(within), max(within), arrays, count, start, stop))
    return sorted(found, key=lambda f: -f.level)


def _common(view: View, start: int, stop: int) -> tuple[str, ...]:
    paths = [c.region for c in view.cells[start:stop]]
    shared = paths[0]
    for path in paths[1:]:
        n = 0
        while n < min(len(shared), len(path)) and shared[n] == path[n]:
            n += 1
        shared = shared[:n]
    return shared


def _regions(view: View) -> list[tuple[int, int, str]]:
    """Runs of at least two cells of one module: first cell, one past the last, name."""
    found = []
    deepest = max((len(cell.region) for cell in view.cells), default=0)
    for depth in range(1, deepest + 1):
        start = 0
        while start < len(view.cells):
            path = view.cells[start].region[:depth]
            stop = start + 1
            while stop < len(view.cells) and view.cells[stop].region[:depth] == path:
                stop += 1
            if len(path) == depth and stop - start > 1:
                found.append((start, stop, view.title(path)))
            start = stop
    return found
