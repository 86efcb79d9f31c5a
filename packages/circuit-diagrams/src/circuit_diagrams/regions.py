"""What a picture shows of a diagram: regions collapsed to a depth, equal blocks in a row drawn once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from .elements import Array, Axis, Op
from .ir import Diagram

End = tuple[str, int, int]
"""The end of a wire at a cell: side, place of its array, number of its axis."""


@dataclass(frozen=True)
class Cell:
    """What is drawn as one symbol: an operation, or a region of several.

    Args:
        name: What is written in it.
        kind: Kind of the operation, or "region".
        inputs: Data that enters.
        outputs: Data that leaves.
        parameters: Learned tensors of all its operations.
        passing: Ends of wires on which it does not act: side ("in" or "out"), place of the array, number of the axis.
        ops: Its operations.
        region: Path of modules in which it stands; of a region, its own.
    """

    name: str
    kind: str
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    parameters: tuple[Array, ...]
    passing: frozenset[End]
    ops: tuple[Op, ...]
    region: tuple[str, ...]


@dataclass(frozen=True)
class Repeat:
    """A block that stands several times in a row.

    Args:
        start: Its first cell.
        stop: One past its last cell.
        count: How often it stands there.
        is_shared: Whether all repetitions use the same learned tensors.
    """

    start: int
    stop: int
    count: int
    is_shared: bool


@dataclass(frozen=True)
class View:
    """What is drawn: cells in topological order."""

    name: str
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    cells: tuple[Cell, ...]
    repeats: tuple[Repeat, ...] = ()
    classes: Mapping[str, str] = field(default_factory=dict)

    def title(self, path: tuple[str, ...]) -> str:
        """What a region is called: its name, or its class where it only has a number."""
        return self.classes.get(".".join(path), path[-1]) if path[-1].isdigit() else path[-1]


def view_of(diagram: Diagram, depth: int | None = None, *, is_folded: bool = True) -> View:
    """What is drawn of a diagram.

    Args:
        diagram: The diagram.
        depth: Levels of modules that are opened; all if None, and 0 draws one box.
        is_folded: Whether equal blocks in a row are drawn once, with their number.

    Raises:
        ValueError: if the depth is negative.
    """
    if depth is not None and depth < 0:
        raise ValueError(f"depth must be 0 or more levels of modules, not {depth}")
    cells = _collapse(diagram, depth)
    view = View(diagram.name, diagram.inputs, diagram.outputs, cells, (), diagram.classes)
    return fold(view) if is_folded else view


def _collapse(diagram: Diagram, depth: int | None) -> tuple[Cell, ...]:
    """Cells of the operations, those of one region at the depth in one cell.

    Only operations that follow one another are merged, so that no path leaves a cell and comes back.
    """
    groups: list[list[Op]] = []
    for op in diagram.ops:
        is_inner = depth is not None and len(op.region) >= depth
        if is_inner and groups and depth is not None and _key(groups[-1][-1], depth) == _key(op, depth):
            groups[-1].append(op)
        else:
            groups.append([op])
    needed: dict[int, int] = {}
    for i, group in enumerate(groups):
        for op in group:
            for array in op.inputs:
                needed[array.id] = i
    kept = {array.id for array in diagram.outputs}
    return tuple(
        _merge(group, diagram, depth or 0, lambda a, i=i: a.id in kept or needed.get(a.id, -1) > i)
        for i, group in enumerate(groups)
    )


def _key(op: Op, depth: int) -> tuple[str, ...] | None:
    """The region at the depth in which an operation stands; none if it stands above."""
    return op.region[:depth] if len(op.region) >= depth else None


def _merge(group: Sequence[Op], diagram: Diagram, depth: int, is_needed: Any) -> Cell:  # noqa: ANN401 - a predicate
    if len(group) == 1:
        op = group[0]
        return Cell(op.name, op.kind, op.inputs, op.outputs, op.parameters, _passing(op), (op,), op.region)
    made = {array.id for op in group for array in op.outputs}
    inputs = {a.id: a for op in group for a in op.inputs if a.id not in made}
    outputs = tuple(a for op in group for a in op.outputs if is_needed(a))
    parameters = {a.id: a for op in group for a in op.parameters}
    acted: set[int] = set()
    for op in group:
        free = _passing(op)
        for side, arrays in (("in", op.inputs), ("out", op.outputs)):
            acted |= {axis.id for k, a in enumerate(arrays) for axis in a.axes if (side, k, axis.id) not in free}
    sides = (("in", tuple(inputs.values())), ("out", outputs))
    passing = {(side, k, x.id) for side, arrays in sides for k, a in enumerate(arrays) for x in a.axes}
    region = group[0].region[:depth]
    title = diagram.name
    if region:
        title = diagram.classes.get(".".join(region), region[-1]) if region[-1].isdigit() else region[-1]
    return Cell(
        title,
        "region",
        tuple(inputs.values()),
        outputs,
        tuple(parameters.values()),
        frozenset(end for end in passing if end[2] not in acted),
        tuple(group),
        region,
    )


def _passing(op: Op) -> frozenset[End]:
    """Ends of the wires over which an operation is broadcast."""
    n = len(op.inputs)
    ins = {("in", k, link.axis.id) for link in op.broadcast for k in link.inputs if k < n}
    return frozenset(ins | {("out", k, link.axis.id) for link in op.broadcast for k in link.outputs})


def fold(view: View) -> View:
    """Draw equal blocks in a row once.

    A block is a run of cells of one region. Two are equal if they do the same to arrays of the same sizes; they are
    folded if each takes what the one before it gives, and nothing else looks between them.
    """
    cells = list(view.cells)
    repeats: list[Repeat] = []
    outputs = view.outputs
    deepest = max((len(cell.region) for cell in cells), default=0)
    for depth in range(1, deepest + 2):
        start = 0
        while start < len(cells):
            blocks = _blocks(cells, start, depth)
            count = _n_equal(cells, blocks, outputs)
            if count < 2:
                start = blocks[0][1]
                continue
            first, last = blocks[0], blocks[count - 1]
            is_shared = _parameters(cells, blocks[0]) == _parameters(cells, blocks[1]) != ()
            swap = _Substitution(cells[last[0] : last[1]], cells[first[0] : first[1]])
            rest = [swap.cell(cell) for cell in cells[last[1] :]]
            outputs = tuple(swap.array(a) for a in outputs)
            removed = last[1] - first[1]
            cells = cells[: first[1]] + rest
            repeats = [
                replace(r, start=r.start - removed, stop=r.stop - removed) if r.start >= last[1] else r
                for r in repeats
                if not first[1] <= r.start < last[1]
            ]
            repeats.append(Repeat(*first, count, is_shared))
            start = first[1]
    ordered = tuple(sorted(repeats, key=lambda r: (r.start, -r.stop)))
    return replace(view, outputs=outputs, cells=tuple(cells), repeats=ordered)


def _blocks(cells: Sequence[Cell], start: int, depth: int) -> list[tuple[int, int]]:
    """The block at a cell, and those of sibling regions that follow it."""
    found: list[tuple[int, int]] = []
    parent = cells[start].region[: depth - 1]
    i = start
    while i < len(cells):
        path = cells[i].region
        if len(path) < depth or path[: depth - 1] != parent:
            break
        j = i + 1
        while j < len(cells) and cells[j].region[:depth] == path[:depth]:
            j += 1
        found.append((i, j))
        i = j
    return found or [(start, start + 1)]


def _n_equal(cells: Sequence[Cell], blocks: Sequence[tuple[int, int]], outputs: Sequence[Array]) -> int:
    """How many of the blocks, from the first on, are equal and make a chain."""
    if len(blocks) < 2:
        return 1
    described = [_describe(cells[i:j]) for i, j in blocks[:1]]
    kept = {a.id for a in outputs}
    links: tuple[int | None, ...] | None = None
    count = 1
    for previous, block in pairwise(blocks):
        before, now = described[-1], _describe(cells[block[0] : block[1]])
        if now[0] != before[0]:
            break
        given = {a.id: place for place, a in enumerate(_made(cells[previous[0] : previous[1]]))}
        found = tuple(given.get(id_) for id_ in now[1])
        if not any(place is not None for place in found):
            break
        if any(p is None and x != y for p, x, y in zip(found, now[1], before[1], strict=True)):
            break
        if links is not None and found != links:
            break
        later = {a.id for cell in cells[block[1] :] for a in cell.inputs} | kept
        if later & set(given):
            break
        links = found
        described.append(now)
        count += 1
    return count


def _made(block: Sequence[Cell]) -> list[Array]:
    return [a for cell in block for a in cell.outputs]


def _describe(block: Sequence[Cell]) -> tuple[Any, tuple[int, ...]]:
    """What a block does, in numbers of its own, and the arrays that it takes from outside."""
    arrays: dict[int, int] = {}
    axes: dict[int, int] = {}
    made = {a.id for a in _made(block)}
    outside: list[int] = []

    def told(array: Array) -> tuple[Any, ...]:
        if array.id not in arrays:
            arrays[array.id] = len(arrays)
            if array.id not in made:
                outside.append(array.id)
        own = tuple((axes.setdefault(axis.id, len(axes)), axis.size) for axis in array.axes)
        return arrays[array.id], own, array.dtype

    rows = []
    for cell in block:
        does = tuple((op.target, op.kind, op.einsum, repr(sorted(op.attributes.items(), key=str))) for op in cell.ops)
        name = cell.name if cell.kind != "region" else ""
        shapes = tuple(tuple(axis.size for axis in a.axes) for a in cell.parameters)
        rows.append((name, does, tuple(map(told, cell.inputs)), tuple(map(told, cell.outputs)), shapes))
    return tuple(rows), tuple(outside)


def _parameters(cells: Sequence[Cell], block: tuple[int, int]) -> tuple[int, ...]:
    return tuple(a.id for cell in cells[block[0] : block[1]] for a in cell.parameters)


class _Substitution:
    """Puts what the first of equal blocks gives in the place of what the last one gives."""

    def __init__(self, last: Sequence[Cell], first: Sequence[Cell]) -> None:
        self.arrays: dict[int, Array] = {}
        self.axes: dict[int, Axis] = {}
        for old, new in zip(_made(last), _made(first), strict=True):
            self.arrays[old.id] = new
            self.axes.update({a.id: b for a, b in zip(old.axes, new.axes, strict=True) if a.id != b.id})

    def array(self, array: Array) -> Array:
        if array.id not in self.arrays:
            axes = tuple(self.axes.get(axis.id, axis) for axis in array.axes)
            self.arrays[array.id] = array if axes == array.axes else replace(array, axes=axes)
        return self.arrays[array.id]

    def cell(self, cell: Cell) -> Cell:
        return replace(
            cell,
            inputs=tuple(map(self.array, cell.inputs)),
            outputs=tuple(map(self.array, cell.outputs)),
            passing=frozenset((s, k, self.axes[i].id if i in self.axes else i) for s, k, i in cell.passing),
        )
