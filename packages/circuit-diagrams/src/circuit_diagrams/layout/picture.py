"""The whole picture of a view: columns from left to right, broken into lines where they are too many."""

from collections.abc import Sequence
from dataclasses import dataclass

from circuit_diagrams.elements import Array
from circuit_diagrams.regions import Cell, View

from .cells import Frame, draw_cell, width_of
from .columns import Columns, columns_of
from .coordinates import GAP, ROW, heights_of
from .fences import Fence, fences_of
from .order import orders_of
from .ports import n_rows_of
from .scene import Box, Curve, Group, Part, Scene, Text

LABEL = 5.6
"""Width of a letter of a label."""
EDGE = 24.0
HEAD = 34.0
"""Room above the first line."""
BETWEEN = 46.0
"""Room between two lines."""
WRAP = 1180.0


@dataclass(frozen=True)
class Span:
    """Where a column stands in its line: left and right edge."""

    left: float
    right: float


@dataclass(frozen=True)
class Line:
    """Columns that stand in one line, the first and one past the last; the data column before them begins it."""

    start: int
    stop: int


class Layout:
    """The heights of arrays and the places of columns of a view.

    Args:
        view: What is drawn.
        wrap: Width at which a line is broken; never if None.
        show_sizes: Whether labels of named axes give the size too.
    """

    def __init__(self, view: View, wrap: float | None = WRAP, *, show_sizes: bool = True) -> None:
        self.view, self.show_sizes = view, show_sizes
        self.columns: Columns = columns_of(view)
        self.orders = orders_of(view, self.columns)
        makers = {i: view.cells[c] for i, c in self.columns.maker.items()}
        self.n_rows = {i: n_rows_of(a, makers.get(i)) for i, a in self.columns.arrays.items()}
        self.top = heights_of(view, self.columns, self.orders, self.n_rows)
        self.labeled = _labeled(view, self.columns)
        self.edge = max(EDGE, 14 + 6.6 * max((len(a.name) for a in view.inputs), default=0))
        self.functions, self.data, self.lines = self._place(wrap)

    def label(self, array: Array, i: int) -> str:
        """What is written on the wire of an axis."""
        axis = array.axes[i]
        size = str(axis.size)
        if not axis.label or axis.label == size:
            return size
        return f"{axis.label}={size}" if self.show_sizes else axis.label

    def _place(self, wrap: float | None) -> tuple[list[Span], list[Span], list[Line]]:
        columns = self.columns
        edge = self.edge
        functions, data, lines = [Span(edge, edge)], [], []
        start, x = 0, edge
        x += self._data_width(0)
        data.append(Span(edge, x))
        for column in range(1, len(columns)):
            width = max((width_of(self.view.cells[i]) for i in columns.cells[column]), default=20.0)
            room = self._data_width(column)
            if wrap is not None and x + width + room > wrap and column - start > 1:
                lines.append(Line(start, column))
                start, x = column, edge + self._data_width(column - 1)
            functions.append(Span(x, x + width))
            data.append(Span(x + width, x + width + room))
            x += width + room
        return functions, data, [*lines, Line(start, len(columns))]

    def _data_width(self, column: int) -> float:
        letters = [
            len(self.label(self.columns.arrays[i], k))
            for i in self.columns.alive(column)
            if i in self.labeled and (self.columns.born[i] == column)
            for k in range(len(self.columns.arrays[i].axes))
        ]
        return max(14.0, LABEL * max(letters, default=0) + 10)

    def scene(self) -> Scene:
        """The picture."""
        parts: list[Part] = []
        y, width = HEAD, 0.0
        fences = fences_of(self.view, self.columns)
        for number, line in enumerate(self.lines):
            low, high = self._extent(line)
            depth = max((f.level for f in fences if f.first < line.stop and f.last >= max(line.start, 1)), default=0)
            y += 18 * depth
            drawing = _Drawing(self, line, y - low, is_first=number == 0)
            parts.append(Group(tuple(drawing.parts(fences)), "line", data={"line": str(number)}))
            width = max(width, self.data[line.stop - 1].right + 2 * EDGE)
            y += high - low + BETWEEN + 6 * depth
        n = len(self.view.cells)
        description = f"{n} operations from {len(self.view.inputs)} inputs to {len(self.view.outputs)} outputs"
        title = Text(EDGE, 18, self.view.name, "title", "start")
        return Scene(self.view.name, description, width, y - BETWEEN + EDGE, (title, *parts))

    def _extent(self, line: Line) -> tuple[float, float]:
        """Top and bottom of all that a line holds."""
        shown = {i for column in range(max(line.start - 1, 0), line.stop) for i in self.columns.alive(column)}
        low = min((self.top[i] for i in shown), default=0.0)
        return low, max((self.top[i] + self.n_rows[i] * ROW for i in shown), default=ROW)


class _Drawing:
    """One line of a picture."""

    def __init__(self, layout: Layout, line: Line, shift: float, *, is_first: bool) -> None:
        self.layout, self.line, self.is_first = layout, line, is_first
        self.top = {i: y + shift for i, y in layout.top.items()}
        self.begin = 0 if is_first else line.start - 1

    def span(self, column: int) -> Span:
        """Where a data column stands; the one that was broken off begins the line again."""
        found = self.layout.data[column]
        if column == self.begin and not self.is_first:
            edge = self.layout.edge
            return Span(edge, edge + found.right - found.left)
        return found

    def parts(self, fences: Sequence[Fence]) -> list[Part]:
        parts, titles = self._fences(fences)
        for column in range(self.begin, self.line.stop):
            parts.append(self._data(column))
            if column > self.begin or (self.is_first and column > 0):
                parts += self._functions(column)
        return [*parts, *titles]

    def _data(self, column: int) -> Group:
        """A data column: a wire for each axis, a separator between two arrays."""
        columns, span = self.layout.columns, self.span(column)
        parts: list[Part] = []
        is_again = column == self.begin and not self.is_first
        order = self.layout.orders[column]
        for above, i in zip([None, *order], order, strict=False):
            array, y = columns.arrays[i], self.top[i]
            for k, axis in enumerate(array.axes):
                data = {"axis": str(axis.id), "array": str(i)}
                height = y + (k + 0.5) * ROW
                parts.append(Curve(span.left, height, span.right, height, "wire", data))
                if i in self.layout.labeled and (columns.born[i] == column or is_again):
                    parts.append(Text(span.left + 4, height - 2.5, self.layout.label(array, k), "label", "start"))
            if above is not None:
                middle = y - GAP / 2
                parts.append(Curve(span.left, middle, span.right, middle, "separator"))
        if column in (0, len(columns) - 1):
            parts += self._names(column, span)
        css = "data again" if is_again else "data"
        return Group(tuple(parts), css, data={"column": str(column)})

    def _names(self, column: int, span: Span) -> list[Part]:
        """Names of the inputs."""
        if column:
            return []
        arrays = self.layout.columns.arrays
        return [
            Text(span.left - 4, self.top[i] + len(arrays[i].axes) * ROW / 2 + 4, arrays[i].name, "variable", "end")
            for i in self.layout.orders[0]
            if arrays[i].name
        ]

    def _functions(self, column: int) -> list[Part]:
        """A function column: arrays that live on, and the cells."""
        layout, columns = self.layout, self.layout.columns
        span = layout.functions[column]
        passing = [i for i in layout.orders[column] if columns.born[i] < column]
        wires: list[Part] = [
            Curve(span.left, y, span.right, y, "wire", {"axis": str(axis.id)})
            for i in passing
            for k, axis in enumerate(columns.arrays[i].axes)
            for y in [self.top[i] + (k + 0.5) * ROW]
        ]
        sides = [{self.top[b] - GAP / 2 for b in layout.orders[k][1:]} for k in (column - 1, column)]
        wires += [Curve(span.left, y, span.right, y, "separator") for y in sorted(sides[0] & sides[1])]
        parts: list[Part] = [Group(tuple(wires), "passing")] if wires else []
        for number in columns.cells[column]:
            cell = layout.view.cells[number]
            drawn = tuple(draw_cell(cell, self.top, Frame(span.left, span.right)))
            data = {"cell": str(number), "ops": " ".join(str(op.id) for op in cell.ops)}
            parts.append(Group(drawn, f"cell {cell.kind}", title_of(cell), data))
        return parts

    def _fences(self, fences: Sequence[Fence]) -> tuple[list[Part], list[Part]]:
        """Boxes, to be drawn behind everything, and titles, before."""
        parts: list[Part] = []
        titles: list[Part] = []
        for fence in fences:
            first, last = max(fence.first, self.begin + 1), min(fence.last, self.line.stop - 1)
            if first > last:
                continue
            low = min(self.top[i] for i in fence.arrays if self._is_within(i, first, last)) if fence.arrays else 0
            high = max(
                self.top[i] + self.layout.n_rows[i] * ROW for i in fence.arrays if self._is_within(i, first, last)
            )
            pad = 4.0 + 5 * fence.level
            x0 = self.layout.functions[first].left + 2 - fence.level
            x1 = self.layout.functions[last].right - 2 + fence.level
            head = 13.0 * fence.level
            box = Box(x0, low - head - 4, x1 - x0, high - low + head + pad + 2, 6, "fence")
            css = "repeat" if fence.count > 1 else "once"
            parts.append(Group((box,), css, data={"region": fence.title}))
            titles.append(Group((Text(x0 + 6, low - head + 7, fence.title, "region", "start"),), css))
        return parts, titles

    def _is_within(self, array: int, first: int, last: int) -> bool:
        columns = self.layout.columns
        return columns.born[array] <= last and columns.dies[array] >= first - 1


def _labeled(view: View, columns: Columns) -> set[int]:
    """Arrays whose type is written: inputs, outputs, and those whose axes are not those of what they are made of."""
    found = set()
    kept = {a.id for a in view.outputs}
    for i, array in columns.arrays.items():
        number = columns.maker.get(i)
        sources = view.cells[number].inputs if number is not None else ()
        same = any([a.id for a in s.axes] == [a.id for a in array.axes] for s in sources)
        if not same or i in kept:
            found.add(i)
    return found


def title_of(cell: Cell) -> str:
    """What is shown of a cell when the pointer rests on it: its name, signature and shapes."""
    shapes = " , ".join(_shape(a) for a in cell.inputs), " , ".join(_shape(a) for a in cell.outputs)
    where = ".".join(cell.region)
    signature = cell.ops[0].signature if len(cell.ops) == 1 else f"{len(cell.ops)} operations"
    lines = [f"{cell.name} ({where})" if where else cell.name, signature, " → ".join(shapes)]
    return "\n".join(line for line in lines if line)


def _shape(array: Array) -> str:
    return "×".join(str(axis.size) for axis in array.axes) or "scalar"
