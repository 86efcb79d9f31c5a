"""The ends of wires at both sides of a cell, and which of them it acts on."""

from collections.abc import Mapping
from dataclasses import dataclass

from circuit_diagrams.elements import Array, Axis, operands
from circuit_diagrams.regions import Cell

from .coordinates import ROW

MOST_EXTRA = 3
"""Rows by which a box may be higher than what leaves it."""


@dataclass(frozen=True)
class Port:
    """The end of a wire.

    Args:
        axis: Its axis.
        y: Its height.
        array: Number of the array among the cell's inputs or outputs.
    """

    axis: Axis
    y: float
    array: int


@dataclass(frozen=True)
class Ports:
    """Ends of all wires of a cell."""

    passing_in: tuple[Port, ...]
    passing_out: tuple[Port, ...]
    acted_in: tuple[Port, ...]
    acted_out: tuple[Port, ...]


def ports_of(cell: Cell, top: Mapping[int, float]) -> Ports:
    """Where the wires of a cell begin and end, given the top of each array."""
    ins, outs = _ports(cell.inputs, top), _ports(cell.outputs, top)
    led = {p.axis.id for p in outs if ("out", p.array, p.axis.id) in cell.passing}
    led &= {p.axis.id for p in ins if ("in", p.array, p.axis.id) in cell.passing}

    def passes(side: str, port: Port) -> bool:
        return port.axis.id in led and (side, port.array, port.axis.id) in cell.passing

    return Ports(
        tuple(p for p in ins if passes("in", p)),
        tuple(p for p in outs if passes("out", p)),
        tuple(p for p in ins if not passes("in", p)),
        tuple(p for p in outs if not passes("out", p)),
    )


def _ports(arrays: tuple[Array, ...], top: Mapping[int, float]) -> list[Port]:
    return [Port(axis, top[a.id] + (i + 0.5) * ROW, k) for k, a in enumerate(arrays) for i, axis in enumerate(a.axes)]


def ends_of(cell: Cell, top: Mapping[int, float]) -> list[tuple[list[Port], Port | None]] | None:
    """For each letter of an Einstein sum, its wires on the left and, if it is not summed, its wire on the right.

    Two axes of one array are never the same, so that keys stand beside queries; the formula says which wires of the
    next array they meet. None if the cell is no Einstein sum of its inputs.
    """
    op = cell.ops[0] if len(cell.ops) == 1 else None
    if op is None or op.einsum is None:
        return None
    left, _, right = op.einsum.partition("->")
    words, given = left.split(","), operands(op)
    places = {a.id: k for k, a in enumerate(cell.inputs)}
    if len(words) != len(given) or any(a.id not in places for a in given):
        return None
    starts: dict[str, list[Port]] = {}
    for word, array in zip(words, given, strict=True):
        for i, letter in enumerate(word):
            port = Port(array.axes[i], top[array.id] + (i + 0.5) * ROW, places[array.id])
            starts.setdefault(letter, []).append(port)
    (output,) = cell.outputs
    ends = {
        letter: Port(axis, top[output.id] + (i + 0.5) * ROW, 0)
        for i, (letter, axis) in enumerate(zip(right, output.axes, strict=True))
    }
    return [(found, ends.get(letter)) for letter, found in starts.items()]


def is_contraction(cell: Cell) -> bool:
    """Whether a cell is drawn by its wires alone: a product of data arrays, summed over what they share."""
    return cell.kind == "linear" and len(cell.inputs) > 1 and not cell.parameters and len(cell.outputs) == 1


def n_rows_of(array: Array, maker: Cell | None) -> int:
    """Rows that an array needs: its wires, and room below for a box that is higher than what leaves it."""
    rows = max(len(array.axes), 1)
    if maker is None or is_contraction(maker) or maker.kind in ("elementwise", "index") or len(maker.outputs) > 1:
        return rows
    ports = ports_of(maker, {a.id: 0.0 for a in (*maker.inputs, *maker.outputs)})
    n_in, n_out = len(ports.acted_in), len(ports.acted_out)
    if n_in == 0 or (n_out and ports.acted_out[-1].axis.id != array.axes[-1].id):
        return rows
    if maker.kind == "rearrange":
        return rows
    if n_out == 0:
        return rows + (min(n_in, MOST_EXTRA) if len(maker.inputs) > 1 else 1) if array.axes else rows
    return rows + min(max(n_in - n_out, 0), MOST_EXTRA)
