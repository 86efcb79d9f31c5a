"""ReLU networks as linear programs: the triangle of each unstable unit, and states of units as bounds of columns."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from bab_verify.bounds.inference import inference_error
from bab_verify.bounds.propagation import Bounds, Propagator
from bab_verify.graph import Graph
from bab_verify.intervals import FEW, Interval, gamma
from bab_verify.operators.affine import Affine
from bab_verify.operators.rearrangements import Rearrangement
from bab_verify.operators.relu import Relu

from .linear_program import TINY, UNIT, LinearProgram, Vector

Columns = NDArray[np.int64]
NOTHING = -1
"""The column of what is zero."""


@dataclass
class Layer:
    """The unstable units of one affine node: z = W v + b and y = relu(z), over columns of a program.

    Args:
        weight: W, (units, inputs).
        bias: b, (units,).
        allowance: What z may differ from W v + b by, (units,).
        v: Columns of the inputs, (inputs,).
        z: Columns before the ReLUs, (units,).
        y: Columns after them, (units,).
        floor: Rows y - z >= 0, (units,).
    """

    weight: NDArray[np.float64]
    bias: Vector
    allowance: Vector
    v: Columns
    z: Columns
    y: Columns
    floor: Columns


class ReluProgram:
    """The least of the largest row of C f(x) - d over a box, relaxed to a linear program.

    Its columns are the inputs, the values z of affine nodes, y = relu(z) of unstable units, and t, at least every row
    of C f(x) - d. A unit becomes *active* or *inactive* by bounds of z, of y and of the row y - z alone, so one program
    does for all branches.

    Args:
        graph: Of affine operations and ReLUs, in double precision.
        box: (1, inputs).
        bounds: Bounds of nodes that are known, (1, *shape).
        c: C, (rows, outputs).
        d: (rows,).

    Raises:
        TypeError: if there is an operation of another kind.
    """

    def __init__(self, graph: Graph, box: Interval, bounds: Bounds, c: Tensor, d: Tensor) -> None:
        self.graph = graph
        self.layers: list[Layer] = []
        self._lower: list[float] = []
        self._upper: list[float] = []
        self._rows: list[tuple[Columns, Vector, float, float]] = []
        self._allowed: list[float] = []
        propagator = Propagator(graph)
        known = propagator.intervals(box, bounds)
        self.columns: dict[int, Columns] = {0: self._new(*(end.flatten() for end in known[0]))}
        """Columns of each node that the output depends on."""
        self._affine: dict[int, tuple[NDArray[np.float64], Vector, Vector, Columns]] = {}
        self._defined: dict[int, tuple[int, int]] = {}
        for index in reversed(propagator.ancestors(len(graph.nodes) - 1)):
            operator = graph.operator(index)
            if isinstance(operator, Relu):
                self._rectify(index, known)
            elif isinstance(operator, Rearrangement):
                self._rearrange(index, operator)
            elif isinstance(operator, Affine):
                self._combine(index, operator, known)
            else:
                raise TypeError(f"{type(operator).__name__} is neither affine nor a ReLU")
        self._objective(c.double().cpu().numpy(), d.double().cpu().numpy())

    def program(self) -> tuple[LinearProgram, Vector]:
        """The triangle relaxation, and what each of its rows may miss its limits by."""
        cost = np.zeros(len(self._lower))
        cost[-1] = 1
        columns, values, lower, upper = zip(*self._rows, strict=True)
        starts = np.cumsum([0, *map(len, columns)])
        shape = (len(self._rows), len(cost))
        matrix = csr_array((np.concatenate(values), np.concatenate(columns), starts), shape=shape)
        limits = (np.array(x) for x in (lower, upper, self._lower, self._upper))
        return LinearProgram(cost, 0.0, matrix, *limits), np.array(self._allowed)

    def _new(self, lower: Tensor | Vector, upper: Tensor | Vector) -> Columns:
        """Columns within bounds."""
        begin = len(self._lower)
        self._lower.extend(lower.tolist())
        self._upper.extend(upper.tolist())
        return np.arange(begin, len(self._lower))

    def _row(self, columns: Columns, values: Vector, lower: float, upper: float) -> int:
        self._rows.append((columns, values, lower, upper))
        self._allowed.append(0.0)
        return len(self._rows) - 1

    def _distinct(self, columns: Columns) -> Columns:
        """The same values, none of them in the same column as another."""
        found = columns.copy()
        seen: set[int] = set()
        for k, column in enumerate(columns.tolist()):
            if column in seen:
                (found[k],) = self._new(np.array([self._lower[column]]), np.array([self._upper[column]]))
                self._row(np.array([found[k], column]), np.array([1.0, -1.0]), 0.0, 0.0)
            seen.add(column)
        return found

    def _rearrange(self, index: int, operator: Rearrangement) -> None:
        """Elements of other nodes are their columns."""
        nodes = self.graph.nodes
        places = [
            torch.from_numpy(self.columns[i] - NOTHING).double().reshape(1, *nodes[i].shape)
            for i in nodes[index].inputs
        ]
        self.columns[index] = operator(*places).flatten().long().numpy() + NOTHING

    def _combine(self, index: int, operator: Affine, known: Bounds) -> None:
        """A column for each element, and the row that defines it."""
        node = self.graph.nodes[index]
        unit = torch.eye(node.size, dtype=torch.float64).reshape(node.size, *node.shape)
        # Of unit vectors the adjoint is the matrix itself, to the last digit.
        weight = torch.cat([part.flatten(1) for part in operator.adjoint(unit)], 1).numpy()
        constant = operator.constant()
        bias = np.zeros(node.size) if constant is None else constant.expand(node.shape).double().numpy().reshape(-1)
        allowed = allowance(self.graph, index, known).double().cpu().numpy().reshape(-1)
        v = np.concatenate([self.columns[i] for i in node.inputs])
        weight, v = weight[:, v != NOTHING], self._distinct(v[v != NOTHING])
        z = self._new(*(end.double().cpu().flatten() for end in known[index]))
        for k in range(node.size):
            used = weight[k] != 0
            side = float(bias[k])
            self._row(np.r_[z[k], v[used]], np.r_[1.0, -weight[k, used]], side, side)
            self._allowed[-1] = float(allowed[k])
        self.columns[index] = z
        self._affine[index] = (weight, bias, allowed, v)
        self._defined.update({int(column): (index, k) for k, column in enumerate(z)})

    def _rectify(self, index: int, known: Bounds) -> None:
        """A column for each unstable unit, with the rows of its triangle."""
        (source,) = self.graph.nodes[index].inputs
        low, high = (end.double().cpu().flatten().numpy() for end in known[source])
        z = self.columns[source]
        y = np.where(low >= 0, z, NOTHING)
        owners: dict[int | None, list[tuple[int, int, int]]] = {}
        for k in np.flatnonzero((low < 0) & (high > 0) & (z != NOTHING)):
            (y[k],) = self._new(np.zeros(1), high[k : k + 1])
            floor = self._row(np.array([y[k], z[k]]), np.array([1.0, -1.0]), 0.0, np.inf)
            slope, intercept = chord(float(low[k]), float(high[k]))
            self._row(np.array([y[k], z[k]]), np.array([1.0, -slope]), -np.inf, intercept)
            owner, row = self._defined.get(int(z[k]), (None, 0))
            owners.setdefault(owner, []).append((int(k), row, floor))
        for owner, units in owners.items():
            at, rows, floors = (np.array(x) for x in zip(*units, strict=True))
            if owner is None:
                weight, v = np.eye(len(at)), z[at]
                bias = allowed = np.zeros(len(at))
            else:
                weight, bias, allowed, v = self._affine[owner]
                weight, bias, allowed = weight[rows], bias[rows], allowed[rows]
            self.layers.append(Layer(weight, bias, allowed, v, z[at], y[at], floors))
        self.columns[index] = y

    def _objective(self, c: NDArray[np.float64], d: Vector) -> None:
        """t, which no row of C f(x) - d is above."""
        outputs = self.columns[len(self.graph.nodes) - 1]
        c, outputs = c[:, outputs != NOTHING], self._distinct(outputs[outputs != NOTHING])
        reach = np.maximum(np.abs(self._lower), np.abs(self._upper))[outputs]
        most = np.array([2 * float((np.abs(c) @ reach + np.abs(d)).max()) + 1])
        (t,) = self._new(-most, most)
        for row, limit in zip(c, d, strict=True):
            used = row != 0
            self._row(np.r_[t, outputs[used]], np.r_[1.0, -row[used]], -float(limit), np.inf)


def allowance(graph: Graph, index: int, bounds: Bounds) -> Tensor:
    """What an affine node may be off the operation that its constants describe, in the node's shape.

    They may be rounded ones where they were computed from those of the network, as in layers that are fused, or where
    an element of the matrix is a sum; and a graph of inference in floating point rounds besides.

    Args:
        graph: In double precision.
        index: The node.
        bounds: Of all nodes that it takes, (1, *shape).
    """
    node, operator = graph.nodes[index], graph.operator(index)
    assert isinstance(operator, Affine)  # noqa: S101
    magnitudes = tuple(bounds[source].magnitude for source in node.inputs)
    size, constant = operator.spread(*magnitudes), operator.constant()
    if constant is not None:
        size = size + constant.abs()
    found = gamma(operator.n_terms + FEW, size.dtype) * size
    perturbation = operator.perturbation(*magnitudes)
    if perturbation is not None:
        found = found + perturbation
    if graph.inference is not None:
        found = found + inference_error(operator, magnitudes, graph.inference)
    return found.expand(1, *node.shape)[0] if found.shape[1:] != node.shape else found[0]


def chord(low: float, high: float) -> tuple[float, float]:
    """Slope and intercept, both not below zero, of a line that max(z, 0) is not above over low <= z <= high.

    Args:
        low: Below zero.
        high: Above zero.
    """
    slope = min(1.0, high / (high - low))
    # slope low + intercept >= 0 and slope high + intercept >= high, each rounded once or twice.
    intercept = max(-slope * low, high - slope * high)
    return slope, intercept + 8 * UNIT * max(-low, high) + TINY
