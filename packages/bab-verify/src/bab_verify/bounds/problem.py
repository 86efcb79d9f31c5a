"""What is to be proved over one box: a network and clauses, and the part of the network that they are about."""

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bab_verify.graph import Graph
from bab_verify.intervals import Interval
from bab_verify.properties.specification import Clause, Query
from bab_verify.rewriting.fusion import fuse, restrict
from bab_verify.rewriting.pruning import prune

from .rounding import outward


@dataclass
class Problem:
    """One box and the clauses to refute over it, on the device.

    Args:
        graph: The network as a function of the free inputs, fused.
        free: Which inputs those are.
        box: (1, free inputs).
        c: C, (clauses, rows, outputs); a clause of fewer rows repeats one.
        d: (clauses, rows).
    """

    graph: Graph
    free: Tensor
    box: Interval
    c: Tensor
    d: Tensor

    @classmethod
    def of(cls, network: Graph, query: Query) -> "Problem":
        """Of a network and a query about it."""
        device = network.example().device
        lower, upper = query.lower.to(device), query.upper.to(device)
        graph, free = restrict(network, Interval(lower, upper))
        c, d = stacked(query.clauses)
        box = Interval(lower[free][None], upper[free][None])
        return cls(fuse(graph), free, box, c.to(device), d.to(device))

    @property
    def size(self) -> int:
        """Values of the network, without its input and output."""
        return sum(node.size for node in self.graph.nodes[1:-1])

    def to(self, dtype: torch.dtype) -> "Problem":
        """In other numbers; the box is rounded outward."""
        if dtype == self.c.dtype:
            return self
        graph = copy.deepcopy(self.graph).to(dtype)
        return Problem(graph, self.free, outward(self.box, dtype), self.c.to(dtype), self.d.to(dtype))

    def only(self, clauses: Tensor) -> "Problem":
        """With some of the clauses."""
        return replace(self, c=self.c[clauses], d=self.d[clauses])

    def pruned(self) -> "Problem":
        """Without the parts of the network that the clauses do not depend on; the same problem if there are few."""
        outputs = (self.c != 0).flatten(0, 1).any(0).nonzero().squeeze(1)
        if not len(outputs):
            return self
        found = replace(self, graph=prune(self.graph, outputs), c=self.c[..., outputs])
        return found if found.size < 0.9 * self.size else self

    def violations(self, x: Tensor) -> Tensor:
        """How far from violated the nearest clause is at inputs (n, free inputs), (n,)."""
        rows = torch.einsum("kro,no->nkr", self.c, self.graph(x)) - self.d
        return rows.amax(2).amin(1)


def stacked(clauses: tuple[Clause, ...]) -> tuple[Tensor, Tensor]:
    """The constraints of clauses as C (clauses, rows, outputs) and d (clauses, rows); the first row fills up."""
    rows = max(len(clause.d) for clause in clauses)
    c, d = [], []
    for clause in clauses:
        index = torch.arange(rows).clamp(max=len(clause.d) - 1)
        c.append(clause.C[index])
        d.append(clause.d[index])
    return torch.stack(c), torch.stack(d)
