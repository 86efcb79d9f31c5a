"""The symbol of each cell, and the wires between it and both of its columns."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from circuit_diagrams.regions import Cell

from .coordinates import ROW
from .ports import MOST_EXTRA, Port, Ports, ends_of, is_contraction, ports_of
from .scene import Box, Cup, Curve, Dot, Part, Tag, Text

LETTER = 7.1
"""Width of a letter in a symbol."""
MARGIN = 6.0
"""Of a symbol around its outermost wires."""
RUN = 26.0
"""Width in which wires bend on either side of a symbol."""
BAR = 7.0
"""Width of the bar that binds and unbinds axes."""
SYMBOLS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "neg": "−", "sum": "Σ", "matmul": "", "relu": "ReLU"}


@dataclass(frozen=True)
class Frame:
    """Left and right edge of a function column."""

    left: float
    right: float

    @property
    def middle(self) -> float:
        """Half way between its edges."""
        return (self.left + self.right) / 2


def caption(cell: Cell) -> str:
    """What is written in the symbol of a cell."""
    name = SYMBOLS.get(cell.name, cell.name.strip("_").replace("_", " "))
    if cell.kind == "region" or not cell.ops:
        return cell.name
    if cell.name == "einsum" and cell.parameters and len(cell.inputs) == 1:
        return "linear"
    found = cell.ops[0].attributes
    kernel = found.get("kernel_size")
    if cell.name.startswith("conv") and cell.parameters:
        kernel = list(cell.parameters[0].shape[2:])
        name = "conv" if "transpose" not in name else "conv transpose"
    if "pool" in name:
        name = " ".join(re.sub(r"\d[dD]", "", word) for word in name.split())
    if isinstance(kernel, list | tuple) and kernel:
        name += " " + "×".join(map(str, kernel))
    scalar = found.get("other")
    if cell.name in {"add", "sub", "mul", "div", "pow"} and len(cell.inputs) == 1 and isinstance(scalar, int | float):
        name += f" {scalar:.3g}"
    return name


def width_of(cell: Cell) -> float:
    """Width that a function column needs for a cell."""
    if is_contraction(cell) or cell.kind == "rearrange":
        return 2 * RUN + 12
    return 2 * RUN + symbol_width(cell)


def symbol_width(cell: Cell) -> float:
    """Width of a cell's symbol."""
    if cell.kind == "rearrange":
        return BAR
    letter = LETTER * (1.1 if cell.parameters else 1)
    return max(22.0, letter * len(caption(cell)) + 12)


def draw_cell(cell: Cell, top: Mapping[int, float], frame: Frame) -> list[Part]:
    """Parts of a cell's picture, those behind first."""
    ports = ports_of(cell, top)
    if is_contraction(cell):
        return _contraction(cell, ports, top, frame)
    width = symbol_width(cell)
    x0, x1 = frame.middle - width / 2, frame.middle + width / 2
    if cell.kind == "elementwise" or (not ports.acted_in and not ports.acted_out and cell.kind != "rearrange"):
        return _elementwise(cell, ports, frame, x0, x1)
    if cell.kind == "rearrange" and not ports.acted_in and not ports.acted_out:
        return _passing(ports, frame.left, frame.right, frame.right, "wire")
    if cell.kind == "index" and not ports.acted_out and ports.acted_in and not cell.parameters:
        return _index(cell, ports, frame)
    return _boxed(cell, ports, frame, x0, x1)


def _passing(ports: Ports, left: float, bend: float, right: float, css: str) -> list[Part]:
    """Wires of the axes over which a cell is broadcast; those that several arrays share meet in a dot."""
    parts: list[Part] = []
    inner = {p.axis.id: p.y for p in reversed(ports.passing_out)}
    met: dict[int, int] = {}
    for port in ports.passing_in:
        parts.append(_curve(left, port.y, bend, inner[port.axis.id], port, css))
        met[port.axis.id] = met.get(port.axis.id, 0) + 1
    parts += [
        _curve(bend, inner[out.axis.id], right, out.y, out, css)
        for out in ports.passing_out
        if bend < right or out.y != inner[out.axis.id]
    ]
    parts += [Dot(bend, inner[i]) for i, n in met.items() if n > 1]
    return parts


def _curve(x0: float, y0: float, x1: float, y1: float, port: Port, css: str = "wire") -> Curve:
    return Curve(x0, y0, x1, y1, css, {"axis": str(port.axis.id)})


def _elementwise(cell: Cell, ports: Ports, frame: Frame, x0: float, x1: float) -> list[Part]:
    """A capsule through which all wires pass."""
    parts: list[Part] = []
    known = {p.axis.id: p.y for p in reversed((*ports.passing_out, *ports.acted_out))}
    outs = (*ports.passing_out, *ports.acted_out)
    ys = [p.y for p in outs] or [p.y for p in ports.acted_in] or [_top(ports, frame)]
    low, high = min(ys), max(ys)
    capsule = Box(x0, low - ROW / 2 + 1, x1 - x0, high - low + ROW - 2, 8, _css(cell, "capsule"))
    for port in (*ports.passing_in, *ports.acted_in):
        y = known.get(port.axis.id, min(max(port.y, low), high))
        parts.append(_curve(frame.left, port.y, x0, y, port))
    parts += [_curve(x1, p.y, frame.right, p.y, p) for p in outs]
    inside = [Curve(x0, p.y, x1, p.y, "wire faint") for p in outs]
    return [*parts, capsule, *inside, *_words(caption(cell), frame.middle, (low + high) / 2, is_on_wires=bool(outs))]


def _top(ports: Ports, frame: Frame) -> float:
    every = [p.y for p in (*ports.passing_in, *ports.acted_in, *ports.passing_out, *ports.acted_out)]
    return min(every, default=frame.left * 0 + ROW / 2)


def _words(text: str, x: float, y: float, *, is_on_wires: bool = False) -> list[Part]:
    return [Text(x, y + 4, text, "name halo" if is_on_wires else "name")] if text else []


def _css(cell: Cell, shape: str) -> str:
    learned = " learned" if cell.parameters else ""
    return f"box {shape} {cell.kind}{learned}"


def _contraction(cell: Cell, ports: Ports, top: Mapping[int, float], frame: Frame) -> list[Part]:
    """A product of arrays: shared wires meet in a dot, summed ones are joined by a cup."""
    found = ends_of(cell, top)
    if found is None:
        parts = _passing(ports, frame.left, frame.middle + 6, frame.right, "wire")
        ends: dict[int, list[Port]] = {}
        for port in ports.acted_in:
            ends.setdefault(port.axis.id, []).append(port)
        return [*parts, *_cups(list(ends.values()), frame)]
    parts = []
    for starts, end in found:
        if end is None:
            continue
        parts += [_curve(frame.left, p.y, frame.middle + 6, end.y, p) for p in starts]
        parts.append(_curve(frame.middle + 6, end.y, frame.right, end.y, end))
        if len(starts) > 1:
            parts.append(Dot(frame.middle + 6, end.y))
    return [*parts, *_cups([starts for starts, end in found if end is None], frame)]


def _cups(summed: list[list[Port]], frame: Frame) -> list[Part]:
    """Ends of wires over which a product sums."""
    parts: list[Part] = []
    for k, found in enumerate(summed):
        x = frame.left + 4 + 5 * k
        parts += [_curve(frame.left, port.y, x, port.y, port) for port in found]
        if len(found) == 1:
            parts.append(Dot(x, found[0].y, 3, "dot sum"))
        for a, b in pairwise(found):
            parts.append(Cup(x, a.y, b.y, min(20.0, 8 + abs(a.y - b.y) / 6)))
    return parts


def _index(cell: Cell, ports: Ports, frame: Frame) -> list[Part]:
    """Wires that end in a tag with the index."""
    parts = _passing(ports, frame.left, frame.middle, frame.right, "wire")
    found = cell.ops[0].attributes if cell.ops else {}
    text = str(found.get("index", found.get("start", "")))
    width = max(16.0, LETTER * len(text) + 10)
    for port in ports.acted_in:
        x = frame.left + 10
        parts += [_curve(frame.left, port.y, x, port.y, port), Tag(x, port.y - 7, width, 14)]
        parts += [Text(x + width / 2 - 1, port.y + 4, text, "index")]
    return parts


def _boxed(cell: Cell, ports: Ports, frame: Frame, x0: float, x1: float) -> list[Part]:
    """A box on the wires on which a cell acts; the others pass it by."""
    low, high = _range(cell, ports)
    parts = _around(ports, frame, (x0, x1), (low, high))
    ins, outs = _spread(ports.acted_in, low, high), _spread(ports.acted_out, low, high)
    parts += [_curve(frame.left, p.y, x0, y, p) for p, y in ins]
    parts += [_curve(x1, y, frame.right, p.y, p) for p, y in outs]
    css = _css(cell, "bar" if cell.kind == "rearrange" else "shape")
    box = Box(x0, low - ROW / 2 + 1.5, x1 - x0, high - low + ROW - 3, 2 if cell.kind == "rearrange" else 3, css)
    text = "" if cell.kind == "rearrange" else caption(cell)
    return [*parts, box, *_words(text, frame.middle, (low + high) / 2)]


def _around(ports: Ports, frame: Frame, box: tuple[float, float], span: tuple[float, float]) -> list[Part]:
    """Wires that pass a box: straight where they are above or below it, else led round it."""
    x0, x1 = box
    low, high = span
    inner = {p.axis.id: p.y for p in reversed(ports.passing_out)}
    above = sorted((y for y in inner.values() if low <= y < (low + high) / 2), reverse=True)
    below = sorted(y for y in inner.values() if (low + high) / 2 <= y <= high)
    moved = {y: low - (k + 1) * ROW * 0.6 for k, y in enumerate(above)}
    moved.update({y: high + (k + 1) * ROW * 0.6 for k, y in enumerate(below)})
    parts: list[Part] = []
    met: dict[int, int] = {}
    for port in ports.passing_in:
        y = inner[port.axis.id]
        parts.append(_curve(frame.left, port.y, x0, moved.get(y, y), port))
        met[port.axis.id] = met.get(port.axis.id, 0) + 1
    for axis, y in inner.items():
        port = next(p for p in ports.passing_out if p.axis.id == axis)
        parts.append(_curve(x0, moved.get(y, y), x1, moved.get(y, y), port))
        if met[axis] > 1:
            parts.append(Dot(x0, moved.get(y, y)))
    parts += [_curve(x1, moved.get(inner[p.axis.id], inner[p.axis.id]), frame.right, p.y, p) for p in ports.passing_out]
    return parts


def _range(cell: Cell, ports: Ports) -> tuple[float, float]:
    """Heights of a box's first and last row."""
    ys = [p.y for p in ports.acted_out]
    passing = [p.y for p in ports.passing_out]
    if ys:
        low, high = min(ys), max(ys)
        extra = 0 if cell.kind == "rearrange" or len(cell.outputs) > 1 else len(ports.acted_in) - len(ys)
        if not any(y > high for y in passing):
            high += ROW * min(max(extra, 0), MOST_EXTRA)
        return low, high
    if not passing:
        every = [p.y for p in ports.acted_in] or [ROW / 2]
        return (min(every), max(every)) if len(every) < 5 else (min(every), min(every) + 3 * ROW)
    below = max(passing) + ROW
    n = len(ports.acted_in) if len(cell.inputs) > 1 else 1
    return below, below + ROW * (min(n, MOST_EXTRA) - 1)


def _spread(ports: Iterable[Port], low: float, high: float) -> list[tuple[Port, float]]:
    """Heights at which wires meet the side of a box: their own where they are inside, else evenly spread."""
    found = list(ports)
    if all(low <= p.y <= high for p in found) and len({p.y for p in found}) == len(found):
        return [(p, p.y) for p in found]
    order = sorted(found, key=lambda p: p.y)
    reach = high - low + ROW * 0.5
    step = min(ROW, reach / max(len(order), 1))
    start = (low + high) / 2 - step * (len(order) - 1) / 2
    return [(p, start + i * step) for i, p in enumerate(order)]
