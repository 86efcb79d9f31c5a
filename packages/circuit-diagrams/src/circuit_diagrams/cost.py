"""Costs of operations: multiply-adds, floating-point operations, element operations, bytes."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

from .contraction import as_written, paired, path_macs, sizes_of
from .elements import Array, Op, operands
from .ir import Diagram
from .memory import BYTES, peak_bytes
from .resizing import symbols_of
from .signatures.registry import OWN_COSTS
from .sizes import DEGREE, Polynomial, interpolated

FREE = {"rearrange", "index", "join"}
"""Kinds that only move data."""
Count = Callable[[Op], int]


@dataclass(frozen=True)
class Cost:
    """What one operation costs.

    Args:
        op: The operation.
        macs: Multiply-adds of products.
        element_ops: Elements on which anything else is computed.
        output_bytes: Bytes of what it gives.
        parameters: Elements of learned arrays that it takes.
    """

    op: Op
    macs: int
    element_ops: int
    output_bytes: int
    parameters: int

    @property
    def flops(self) -> int:
        """Floating-point operations of products: two for each multiply-add."""
        return 2 * self.macs


@dataclass(frozen=True)
class CostTable:
    """Costs of a diagram, operation by operation.

    Args:
        rows: One for each operation.
        parameters: Elements of all learned arrays, each counted once.
        peak_bytes: Most bytes of inputs and intermediate arrays at any time, if each is freed after its last use.
    """

    rows: tuple[Cost, ...]
    parameters: int
    peak_bytes: int

    @property
    def macs(self) -> int:
        """Multiply-adds of all products."""
        return sum(row.macs for row in self.rows)

    @property
    def flops(self) -> int:
        """Floating-point operations of all products, as `torch.utils.flop_counter` counts them."""
        return 2 * self.macs

    @property
    def element_ops(self) -> int:
        """Elements on which anything else is computed."""
        return sum(row.element_ops for row in self.rows)

    def by_region(self, depth: int = 1) -> dict[str, int]:
        """Multiply-adds of each module at a depth."""
        found: dict[str, int] = {}
        for row in self.rows:
            path = ".".join(row.op.region[:depth])
            found[path] = found.get(path, 0) + row.macs
        return found

    def to_json(self) -> dict[str, Any]:
        """Totals and rows for programs."""
        totals = {key: getattr(self, key) for key in ("macs", "flops", "element_ops", "parameters", "peak_bytes")}
        return {**totals, "rows": self.table()}

    def table(self) -> list[dict[str, Any]]:
        """Rows for people and programs."""
        return [
            {
                "operation": row.op.name,
                "region": ".".join(row.op.region),
                "output": "×".join(str(s) for a in row.op.outputs[:1] for s in a.shape) or "scalar",
                "signature": row.op.signature,
                "macs": row.macs,
                "element_ops": row.element_ops,
                "bytes": row.output_bytes,
                "parameters": row.parameters,
            }
            for row in self.rows
        ]


def cost(diagram: Diagram, **sizes: int) -> CostTable:
    """What a diagram costs.

    A product of arrays costs the product of the sizes of all its axes in multiply-adds: |A| |B| |C| for a linear map
    from axes A to B that is broadcast over C. Convolutions count every position of a window, padding included.

    Args:
        diagram: The diagram.
        sizes: Other sizes of its inputs, by the names of axes, if it was traced with `symbolic=True`.

    Raises:
        ValueError: if it has no such symbols, or none of these sizes.
    """
    if sizes:
        diagram = diagram.at(**sizes)
    rows = tuple(_cost(op) for op in diagram.ops)
    learned = {a.id: a for op in diagram.ops for a in op.parameters if a.role == "parameter"}
    return CostTable(rows, sum(map(_numel, learned.values())), peak_bytes(diagram))


@dataclass(frozen=True)
class CostPolynomials:
    """Costs as polynomials in the sizes of named axes.

    Args:
        macs: Multiply-adds of all products.
        element_ops: Elements on which anything else is computed.
        rows: Multiply-adds, or else elements, of each operation.
    """

    macs: Polynomial
    element_ops: Polynomial
    rows: tuple[Polynomial, ...]


def cost_polynomials(diagram: Diagram) -> CostPolynomials:
    """Costs of a diagram that was traced with `symbolic=True`, as exact polynomials.

    Raises:
        ValueError: if it has no symbols.
    """
    symbols = symbols_of(diagram)
    names = list(symbols.base)
    grid = {name: [symbols.base[name] + symbols.steps[name] * k for k in range(DEGREE + 2)] for name in names}
    tables = {}
    for at in itertools.product(*grid.values()):
        rows = [_cost(op) for op in diagram.at(**dict(zip(names, at, strict=True))).ops]
        tables[at] = [(row.macs, row.element_ops) for row in rows]

    def fitted(count: Callable[[list[tuple[int, int]]], int]) -> Polynomial:
        return interpolated(names, grid, {at: count(rows) for at, rows in tables.items()})

    every = tuple(fitted(lambda rows, i=i: rows[i][0] or rows[i][1]) for i in range(len(diagram.ops)))  # type: ignore[misc]
    macs, elements = (fitted(lambda rows, k=k: sum(row[k] for row in rows)) for k in (0, 1))  # type: ignore[misc]
    return CostPolynomials(macs, elements, every)


def product_macs(op: Op) -> int:
    """Multiply-adds of one operation."""
    name = op.target.split(".")[1] if op.target.count(".") else op.name
    count = OWN_COSTS.get("::".join(op.target.split(".")[:2])) or COUNTS.get(name)
    return count(op) if count else _einsum(op) if op.einsum else 0


def _cost(op: Op) -> Cost:
    macs = product_macs(op)
    moves = op.kind in FREE
    elements = 0 if macs or moves else max(map(_numel, (*op.inputs, *op.outputs)), default=0)
    size = sum(_numel(a) * BYTES.get(a.dtype, 4) for a in op.outputs)
    return Cost(op, macs, elements, size, sum(_numel(a) for a in op.parameters if a.role == "parameter"))


def _numel(array: Array) -> int:
    return prod(array.shape)


def _einsum(op: Op) -> int:
    """Multiply-adds of an Einstein sum, two arrays at a time, in the order in which it is computed."""
    left, _, right = (op.einsum or "").partition("->")
    words, shapes = left.split(","), [a.shape for a in operands(op)]
    if len(words) < 2 or len(words) != len(shapes):
        return 0
    given = op.arguments.get("path")
    path = paired(given) if given else as_written(len(words))
    return path_macs(words, right, sizes_of(words, shapes), path)


def _linear(op: Op) -> int:
    return _numel(op.outputs[0]) * operands(op)[0].shape[-1]


def _product(op: Op, place: int = 0) -> int:
    return _numel(op.outputs[0]) * operands(op)[place].shape[-1]


def _convolution(op: Op) -> int:
    """Every output position times a window of one group; of a transposed one, every input position."""
    x, weight = operands(op)[:2]
    window = prod(weight.shape[1:])
    return _numel(x if "transpose" in op.target else op.outputs[0]) * window


def _convolution_backward(op: Op) -> int:
    """As much as forward for each of the gradients of the input and of the weight."""
    gradient, x, weight = operands(op)[:3]
    is_transposed = bool(op.arguments.get("transposed"))
    forward = _numel(x if is_transposed else gradient) * prod(weight.shape[1:])
    return forward * sum(map(bool, op.arguments.get("output_mask", [True, True])[:2]))


def _attention(op: Op) -> int:
    q, k, v = operands(op)[:3]
    return prod(q.shape[:-1]) * k.shape[-2] * (q.shape[-1] + v.shape[-1])


COUNTS: dict[str, Count] = {
    "linear": _linear,
    "matmul": _product,
    "mm": _product,
    "bmm": _product,
    "mv": _product,
    "addmm": partial(_product, place=1),
    "baddbmm": partial(_product, place=1),
    "scaled_dot_product_attention": _attention,
    "convolution": _convolution,
    "convolution_backward": _convolution_backward,
    **{f"conv{t}{n}d": _convolution for n in (1, 2, 3) for t in ("", "_transpose")},
}
