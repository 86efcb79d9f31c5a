"""Cutting planes on the states of ReLUs, and bound propagation with them (GCP-CROWN)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bab_verify.graph import Graph
from bab_verify.intervals import Interval, gamma, n_roundings, summed
from bab_verify.operators.relaxation import felt
from bab_verify.operators.relu import Relu

from .splits import Splits

Literal = tuple[int, int, int]
"""The node before a ReLU, the element of it, and 1 for active (z = 1) or -1 for inactive (z = 0)."""
Cut = frozenset[Literal]
"""A set of states that no violation has all at once: sum over active ones of z - sum over inactive ones of z <= number
of active ones - 1."""


@dataclass
class CutMatrix:
    """Cuts as a matrix: Q z <= limits, over the elements of nodes before ReLUs that any cut speaks of.

    Args:
        node: Node of each column, (columns,).
        element: Element of each column, (columns,).
        q: (cuts, columns), entries 1, -1 and 0.
        limits: (cuts,).
    """

    node: Tensor
    element: Tensor
    q: Tensor
    limits: Tensor

    def __len__(self) -> int:
        return len(self.limits)

    @staticmethod
    def of(cuts: Sequence[Cut], like: Tensor) -> "CutMatrix":
        """The matrix of some cuts.

        Args:
            cuts: At least one.
            like: A tensor of the wanted type and device.
        """
        columns = {key: i for i, key in enumerate(sorted({literal[:2] for cut in cuts for literal in cut}))}
        q = torch.zeros(len(cuts), len(columns))
        for row, cut in enumerate(cuts):
            for node, element, sign in cut:
                q[row, columns[node, element]] = sign
        limits = (q > 0).sum(1) - 1
        where = torch.tensor(list(columns), dtype=torch.long, device=like.device).reshape(-1, 2)
        return CutMatrix(where[:, 0], where[:, 1], q.to(like), limits.to(like))

    def to(self, like: Tensor) -> "CutMatrix":
        """In numbers of the type of a tensor."""
        return CutMatrix(self.node, self.element, self.q.to(like), self.limits.to(like))

    def pull(self, graph: Graph, beta: Tensor) -> dict[int, Tensor]:
        """beta^T Q as one tensor (batch, *shape) for each ReLU node, under that node's index.

        Args:
            graph: The network.
            beta: (batch, cuts).
        """
        weights = beta @ self.q
        found: dict[int, Tensor] = {}
        for index in torch.unique(self.node).tolist():
            here = (self.node == index).nonzero().squeeze(1)
            dense = weights.new_zeros(len(weights), graph.nodes[index].size)
            dense = dense.index_add(1, self.element[here], weights[:, here])
            relu = next(i for i in graph.consumers[index] if is_indicated(graph, i))
            found[relu] = dense.reshape(len(weights), *graph.nodes[index].shape)
        return found

    def rounding(self, n_constants: int) -> Tensor:
        """What rounding may add per unit of each multiplier, to the costs of states and to limits, (cuts,)."""
        size = self.q.abs().sum(1) + self.limits.abs()
        return gamma(len(self) + n_constants, size.dtype) * size

    def covers(self, splits: Splits) -> Tensor:
        """Which branches a cut refutes, (batch,): their histories hold every literal of it."""
        literals = (self.q != 0).sum(1)
        same = (splits.node.unsqueeze(2) == self.node) & (splits.element.unsqueeze(2) == self.element)
        # A split elsewhere than at zero says nothing of the state here, and one that is made twice counts once.
        same &= (splits.point == 0).unsqueeze(2)
        state = (same * splits.sign.unsqueeze(2)).sum(1).clamp(-1, 1)
        agree = torch.einsum("bk,ck->bc", state.to(self.q), self.q)
        return (agree >= literals).any(1)


def is_indicated(graph: Graph, index: int) -> bool:
    """Whether a node is a ReLU, whose states cuts may speak of."""
    return isinstance(graph.nodes[index].operator, Relu)


def cut_backward(
    a: Tensor, x: Interval, slope: Tensor, q: Tensor, error: Tensor | None = None, n_constants: int = 1
) -> tuple[Tensor, Tensor, Tensor | float]:
    """Coefficients through a ReLU whose indicator z also has a cost q: a lower bound of A relu(h) + q z.

    With P = max(-A, 0) and pi = clamp((u P - q) / (u - l), 0, P), over l < 0 < u,

        A relu(h) + q z >= alpha max(A, 0) h - pi h + l pi + min(0, q - u P + (u - l) pi);

    without a cost it is CROWN's upper plane. Where the state is known, the cost is q or 0.

    Args:
        a: A, (batch, rows, *shape).
        x: Bounds of h, (batch, 1, *shape).
        slope: alpha of the plane below, (batch, rows or 1, *shape).
        q: (batch, 1, *shape).
        error: What rounding may add per unit of A, (batch, 1, *shape), as `cut_error` gives it.
        n_constants: How many constants a backward pass adds up.

    Returns:
        Coefficients of h, the constant, (batch, rows), and what rounding may change the bound by.
    """
    lower, upper = x
    active, unstable = lower >= 0, (lower < 0) & (upper > 0)
    positive, p = a.clamp(min=0), (-a).clamp(min=0)
    width = torch.where(unstable, upper - lower, torch.ones_like(upper))
    pi = torch.minimum(((upper * p - q) / width).clamp(min=0), p)
    coefficient = slope * positive - pi
    constant = lower * pi + (q - upper * p + width * pi).clamp(max=0)
    coefficient = torch.where(unstable, coefficient, torch.where(active, a, torch.zeros_like(a)))
    constant = torch.where(unstable, constant, torch.where(active, q.expand_as(a), torch.zeros_like(a))).flatten(2)
    if error is None:
        return coefficient, summed(constant), 0.0
    with torch.no_grad():
        n = n_roundings(constant.shape[-1]) + n_constants
        sizes = gamma(n, a.dtype) * summed(constant.abs()) + gamma(6, a.dtype) * summed(q.abs().flatten(2))
    return coefficient, summed(constant), felt(a, error) + sizes


def cut_error(x: Interval, below: Tensor, n_parts: int) -> Tensor:
    """What rounding may add per unit of A where `cut_backward` goes through a ReLU.

    Its sums have terms u P, (u - l) pi and l pi, of at most 4 |h| |A|, and few of them.

    Args:
        x: Bounds of h, (batch, 1, *shape).
        below: What it may change a unit coefficient of h by, of that shape.
        n_parts: How many parts a coefficient of h is the sum of, at most.
    """
    return below + gamma(40 + n_parts, below.dtype) * x.magnitude
