"""Small ReLU networks decided by linear programs: branch and bound on the states of units, each refutation certified.

This is what a mixed-integer solver does, with bounds of layers, hull cuts and a choice of branches that know of the
network, and without a tolerance: a branch counts as refuted where weak duality says so, rounding included.
"""

import copy
import time
from collections.abc import Callable

import torch
from torch import Tensor

from bab_verify.bounds.proof import Proof
from bab_verify.bounds.propagation import Bounds, Propagator
from bab_verify.graph import Graph
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Affine
from bab_verify.operators.rearrangements import Rearrangement
from bab_verify.operators.relu import Relu

from .clause_search import ClauseSearch
from .relu_program import ReluProgram

MOST_UNITS = 600
"""Units that may be either, up to which a linear program of them is solved in well under a second."""
MOST_WEIGHTS = 2**20
"""Elements of matrices, up to which the program is built in about a second."""


class MixedIntegerSearch:
    """Refutes clauses over one box by branching on the states of ReLUs, with a linear program in each branch.

    `run` goes on where it ended if `deadline` is moved.

    Args:
        graph: Of affine operations and ReLUs, in double precision.
        box: (1, inputs).
        bounds: Of nodes at the root, (1, *shape).
        clauses: C (clauses, rows, outputs) and d (clauses, rows).
        violated: Takes inputs (n, inputs), on the CPU, and gives one that is a counterexample, if there is one.
        deadline: On `time.monotonic`.
        most: Largest number of branches to visit.
        progress: Told branches that were visited, that are open, and the least margin.

    Raises:
        TypeError: if there is an operation of another kind.
    """

    def __init__(
        self,
        graph: Graph,
        box: Interval,
        bounds: Bounds,
        clauses: tuple[Tensor, Tensor],
        *,
        violated: Callable[[Tensor], Tensor | None],
        deadline: float = float("inf"),
        most: float = float("inf"),
        progress: Callable[[int, int, float], None] | None = None,
    ) -> None:
        self.most, self.progress = most, progress
        graph = copy.deepcopy(graph).cpu()
        box = Interval(*(end.cpu() for end in box))
        bounds = {index: Interval(*(end.cpu() for end in x)) for index, x in bounds.items()}
        with torch.no_grad():
            self.searches = [
                ClauseSearch(ReluProgram(graph, box, bounds, c.cpu(), d.cpu()), violated, deadline)
                for c, d in zip(*clauses, strict=True)
            ]
        self.deadline = deadline

    @staticmethod
    def applies(graph: Graph, box: Interval, bounds: Bounds) -> bool:
        """Whether a network is of affine operations and ReLUs alone, with finite bounds, and small enough."""
        if not all(isinstance(operator, Affine | Relu) for operator in graph.operators):
            return False
        nodes = graph.nodes
        weights = sum(
            node.size * sum(nodes[i].size for i in node.inputs)
            for node in nodes[1:]
            if isinstance(node.operator, Affine) and not isinstance(node.operator, Rearrangement)
        )
        if weights > MOST_WEIGHTS:
            return False
        known = Propagator(graph).intervals(box, bounds)
        rectified = [known[node.inputs[0]] for node in nodes if isinstance(node.operator, Relu)]
        unstable = sum(int(((x.lower < 0) & (x.upper > 0)).sum()) for x in rectified)
        return unstable <= MOST_UNITS and all(bool(x.magnitude.isfinite().all()) for x in known.values())

    @property
    def deadline(self) -> float:
        """On `time.monotonic`, when the search ends."""
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        self._deadline = deadline
        for search in self.searches:
            search.deadline = search.program.simplex.deadline = deadline

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

    @property
    def proof(self) -> Proof:
        """How much room is in what was refuted."""
        found = Proof()
        for search in self.searches:
            found.join(search.proof)
        return found

    def run(self) -> tuple[bool, float]:
        """Whether all clauses are refuted, and the least certified margin of what is open."""
        for search in self.searches:
            while search.n_open and not search.found:
                if time.monotonic() > self.deadline or self.visited >= self.most:
                    return False, search.margin
                search.step()
                if self.progress:
                    self.progress(self.visited, search.n_open, search.margin)
            if not search.proven:
                return False, search.margin
        return True, 0.0
