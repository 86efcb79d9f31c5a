"""Branch and bound on the states of ReLUs, each node a linear program, each pruning certified."""

import heapq
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from bab_verify.bounds.propagation import Bounds
from bab_verify.graph import Graph
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Affine
from bab_verify.operators.rearrangements import Rearrangement
from bab_verify.operators.relu import Relu

from .hull_cuts import hull_cuts
from .linear_program import LinearProgram, Vector
from .relu_program import ReluProgram
from .simplex import Simplex

States = NDArray[np.int8]
K = 4
GAP = 1e-6
ROUNDS = 20
AGE = 10
RESTORE = True
LIMIT = 50
NODE_ROUNDS = 2


@dataclass(order=True)
class _Node:
    bound: float
    number: int
    states: States = field(compare=False)


class MixedIntegerSearch:
    """Refutes clauses over one box by branching on the states of ReLUs, with a linear program in each branch.

    Every program is the triangle relaxation with hull cuts, and a branch is closed only where `certified_minimum` of
    its multipliers is above zero, so no tolerance of the solver is trusted. `run` goes on where it ended if `deadline`
    is moved.

    Args:
        graph: Of affine operations and ReLUs, in double precision.
        box: (1, inputs).
        bounds: Of nodes at the root, (1, *shape).
        clauses: C (clauses, rows, outputs) and d (clauses, rows).
        violated: Takes inputs (n, inputs) and gives one that is a counterexample, if there is one.
        deadline: On `time.monotonic`.
        progress: Told branches that were visited, that are open, and the least margin.
        allowances: For affine nodes by their index, what rounded constants may change each element by.
    """

    def __init__(  # noqa: PLR0913
        self,
        graph: Graph,
        box: Interval,
        bounds: Bounds,
        clauses: tuple[Tensor, Tensor],
        *,
        violated: Callable[[Tensor], Tensor | None],
        deadline: float = float("inf"),
        progress: Callable[[int, int, float], None] | None = None,
        allowances: Mapping[int, Tensor] | None = None,
    ) -> None:
        self.deadline, self.progress = deadline, progress
        with torch.no_grad():
            self.searches = [
                ClauseSearch(graph, box, bounds, c, d, violated, allowances) for c, d in zip(*clauses, strict=True)
            ]

    @staticmethod
    def applies(graph: Graph, bounds: Bounds, most_units: int = 600, most_weights: int = 2**20) -> bool:
        """Whether a network is of affine operations and ReLUs alone, and small enough."""
        unstable = weights = 0
        for node in graph.nodes[1:]:
            if not isinstance(node.operator, Affine | Relu):
                return False
            if isinstance(node.operator, Relu):
                known = bounds.get(node.inputs[0])
                size = node.size if known is None else int(((known.lower < 0) & (known.upper > 0)).sum())
                unstable += size
            elif not isinstance(node.operator, Rearrangement):
                weights += node.size * sum(graph.nodes[i].size for i in node.inputs)
        return unstable <= most_units and weights <= most_weights

    @property
    def visited(self) -> int:
        """Branches so far."""
        return sum(search.visited for search in self.searches)

    @property
    def found(self) -> bool:
        """Whether a counterexample was confirmed."""
        return any(search.found for search in self.searches)

    @property
    def unresolved(self) -> int:
        """Branches in which every unit is fixed, and that are not refuted."""
        return sum(search.unresolved for search in self.searches)

    def run(self) -> tuple[bool, float]:
        """Whether all clauses are refuted, and the least certified margin of what is open."""
        for search in self.searches:
            proven, margin = search.run(self.deadline, self.progress)
            if not proven:
                return False, margin
        return True, 0.0


class ClauseSearch:
    """The search for one clause."""

    def __init__(self, graph, box, bounds, c, d, violated, allowances=None):
        self.graph = graph
        self.violated = violated
        self.relaxation = ReluProgram(graph, box, bounds, c, d, allowances)
        program, allowed = self.relaxation.program()
        self.low, self.high = program.lower.copy(), program.upper.copy()
        layers = self.relaxation.layers
        cat = lambda name: np.concatenate([getattr(l, name) for l in layers]) if layers else np.zeros(0, int)
        self.z, self.y, self.floor = cat("z"), cat("y"), cat("floor")
        self.first = np.cumsum([0, *[len(l.z) for l in layers]])
        self.simplex = Simplex(program, allowed)
        unit = np.full(len(program.row_lower), -1)
        unit[self.floor + 1] = np.arange(len(self.z))
        self.unit_of_row = unit
        self.n_fixed = len(unit)
        self.now = np.zeros(len(self.z), np.int8)
        self.heap = [_Node(-np.inf, 0, self.now.copy())]
        self.numbers = count(1)
        self.visited = 0
        self.unresolved = 0
        self.found = False
        self.points = []
        self.age = np.zeros(0, int)
        self.solves = 0
        self.n_in = graph.n_inputs

    def set(self, states):
        k = np.flatnonzero(states != self.now)
        if not len(k):
            return
        s = states[k]
        z, y, f = self.z[k], self.y[k], self.floor[k]
        self.simplex.columns(
            np.r_[z, y],
            np.r_[np.where(s > 0, 0.0, self.low[z]), self.low[y]],
            np.r_[np.where(s < 0, 0.0, self.high[z]), np.where(s < 0, 0.0, self.high[y])],
        )
        for row, t in zip(f, s):
            self.simplex.row(row, 0.0, 0.0 if t > 0 else np.inf)
        self.now = states.copy()

    def solve(self, limit=None):
        self.solves += 1
        v = self.simplex.solve(limit)
        self.value = v
        return self.simplex.certified()

    def separate(self):
        x = self.simplex.x
        n = 0
        parts = []
        ends = []
        units = []
        for f, L in zip(self.first, self.relaxation.layers):
            a, e, viol = hull_cuts(L, self.low, self.high, x)
            ok = (viol > 1e-4 * (1 + np.abs(x[L.y]))) & (self.now[f : f + len(L.z)] == 0) & np.isfinite(e)
            for j in np.flatnonzero(ok):
                u = a[j] != 0
                parts.append((np.r_[L.y[j], L.v[u]], np.r_[1.0, -a[j, u]]))
                ends.append(e[j])
                units.append(f + j)
        if not parts:
            return 0
        p = self.simplex.program
        m = csr_array(
            (
                np.concatenate([v for _, v in parts]),
                np.concatenate([c for c, _ in parts]),
                np.cumsum([0, *[len(c) for c, _ in parts]]),
            ),
            shape=(len(parts), len(p.cost)),
        )
        self.simplex.add(LinearProgram(p.cost, 0.0, m, np.full(len(parts), -np.inf), np.array(ends), p.lower, p.upper))
        self.unit_of_row = np.r_[self.unit_of_row, units]
        self.age = np.r_[self.age, np.zeros(len(parts), int)]
        return len(parts)

    def purge(self, most):
        y = self.simplex.y[self.n_fixed :]
        self.age = np.where(y != 0, 0, self.age + 1)
        if (self.age > most).any():
            keep = np.r_[np.ones(self.n_fixed, bool), self.age <= most]
            self.simplex.keep(keep)
            self.unit_of_row = self.unit_of_row[keep]
            self.age = self.age[keep[self.n_fixed :]]

    def gaps(self):
        x = self.simplex.x
        gap = np.where(self.now == 0, x[self.y] - np.maximum(x[self.z], 0), 0.0)
        return gap

    def scores(self):
        gap = self.gaps()
        l = self.simplex.y
        w = np.bincount(
            self.unit_of_row[(self.unit_of_row >= 0)], np.maximum(-l[self.unit_of_row >= 0], 0), minlength=len(self.z)
        )
        return (w + 1e-9) * gap, gap

    def step(self):
        node = heapq.heappop(self.heap)
        self.visited += 1
        self.set(node.states)
        states = node.states.copy()
        cert = self.solve()
        rounds = ROUNDS if self.visited == 1 else NODE_ROUNDS
        last = cert
        while True:
            if cert > 0:
                return
            if rounds:
                rounds -= 1
                if self.separate():
                    cert = self.solve()
                    if cert - last < 0.02 * abs(last) and self.visited > 1:
                        rounds = 0
                    last = cert
                    continue
                rounds = 0
            scores, gap = self.scores()
            self.points.append(self.simplex.x[: self.n_in])
            cand = np.argsort(-scores)[:K]
            cand = cand[gap[cand] > GAP]
            if len(cand) == 0:
                self.try_points()
            elif len(self.points) >= 16:
                self.try_points()
            if self.found:
                return
            if len(cand) == 0:
                open_ = np.flatnonzero(states == 0)
                if self.value > 1e-12 or not len(open_):
                    pass
                if not len(open_):
                    self.unresolved += 1
                    return
                cand = open_[:1]
            self.purge(AGE)
            best = None
            parent = cert
            fixed = False
            basis = self.simplex._highs.getBasis() if RESTORE else None
            for k in cand:
                got = []
                for s in (-1, 1):
                    st = states.copy()
                    st[k] = s
                    self.set(st)
                    RESTORE and self.simplex._highs.setBasis(basis)
                    got.append(self.solve(LIMIT))
                closed = [g > 0 for g in got]
                if all(closed):
                    return
                if any(closed):
                    states[k] = 1 if closed[0] else -1
                    fixed = True
                    if best is None or True:
                        self.set(states)
                        cert = self.solve()
                        last = cert
                    break
                gain = [min(max(g - parent, 0), -parent) for g in got]
                sc = (gain[0] + 1e-6) * (gain[1] + 1e-6)
                if best is None or sc > best[0]:
                    best = (sc, k, got)
            if fixed:
                continue
            _, k, got = best
            for s, g in zip((-1, 1), got):
                st = states.copy()
                st[k] = s
                heapq.heappush(self.heap, _Node(max(g, parent), next(self.numbers), st))
            return

    def try_points(self):
        pts, self.points = self.points, []
        if self.violated(torch.from_numpy(np.array(pts))) is not None:
            self.found = True

    def run(self, deadline, progress=None):
        while self.heap and not self.found and time.monotonic() < deadline:
            self.step()
            if progress:
                progress(self.visited, len(self.heap), self.heap[0].bound if self.heap else 0.0)
        return not self.heap and not self.found and not self.unresolved, (self.heap[0].bound if self.heap else 0.0)
