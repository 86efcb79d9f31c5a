"""Splits: what a branch knows of nodes, s (h - p) >= 0, and their multipliers (beta-CROWN)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bab_verify.graph import Graph
from bab_verify.intervals import Interval, gamma

from .errors import Errors
from .propagation import Bounds


@dataclass
class Splits:
    """The split histories of a batch of branches, padded to one length.

    The k-th split of a branch says sign (h - point) >= 0 of element `element` of the flattened node `node`; where
    `node` is -1 there is none.

    Args:
        node: (batch, depth), int.
        element: (batch, depth), int.
        sign: (batch, depth), 1 or -1.
        point: (batch, depth).
        beta: Multipliers, (batch, depth).
        influence: How much each raised the bound when it was made, (batch, depth).
    """

    node: Tensor
    element: Tensor
    sign: Tensor
    point: Tensor
    beta: Tensor
    influence: Tensor

    @property
    def depth(self) -> int:
        """Splits of the longest history."""
        return self.node.shape[1]

    def __len__(self) -> int:
        return len(self.node)

    def fields(self) -> tuple[Tensor, ...]:
        """All tensors, in order."""
        return self.node, self.element, self.sign, self.point, self.beta, self.influence

    def __getitem__(self, index: Tensor) -> "Splits":
        return Splits(*(x[index] for x in self.fields()))

    @staticmethod
    def none(batch: int, like: Tensor) -> "Splits":
        """Histories without a split."""
        whole = torch.zeros(batch, 0, dtype=torch.long, device=like.device)
        return Splits(whole, whole, *(like.new_zeros(batch, 0) for _ in range(4)))

    @staticmethod
    def cat(parts: "list[Splits]") -> "Splits":
        """Those of several batches, padded."""
        depth = max(part.depth for part in parts)
        padded = [part.padded(depth) for part in parts]
        return Splits(*(torch.cat(tensors) for tensors in zip(*(part.fields() for part in padded), strict=True)))

    def padded(self, depth: int) -> "Splits":
        """With room for `depth` splits."""
        missing = depth - self.depth
        if missing <= 0:
            return self
        pad = torch.nn.functional.pad
        fill = (-1, 0, 0, 0, 0, 0)
        return Splits(*(pad(x, (0, missing), value=v) for x, v in zip(self.fields(), fill, strict=True)))

    def lengths(self) -> Tensor:
        """Up to where each history reaches, (batch,)."""
        place = torch.arange(1, self.depth + 1, device=self.node.device)
        return ((self.node >= 0) * place).amax(1) if self.depth else self.node.new_zeros(len(self))

    def extended(self, node: Tensor, element: Tensor, sign: Tensor, point: Tensor) -> "Splits":
        """With one split more, (batch,) each."""
        zero = torch.zeros_like(point)
        new = (node, element, sign, point, zero, zero)
        length = self.lengths()
        room = self.padded(int(length.max()) + 1) if len(self) else self
        where = length.unsqueeze(1)
        return Splits(
            *(x.scatter(1, where, y.unsqueeze(1).to(x.dtype)) for x, y in zip(room.fields(), new, strict=True))
        )

    def compact(self) -> "Splits":
        """Without columns that no branch uses, each history moved to the front."""
        used = self.node >= 0
        order = used.to(torch.int8).argsort(dim=1, descending=True, stable=True)
        depth = int(used.sum(1).max()) if len(self) and self.depth else 0
        return Splits(*(x.gather(1, order)[:, :depth] for x in self.fields()))

    def apply(self, bounds: Bounds, graph: Graph) -> Bounds:
        """Bounds (batch, *shape) of nodes, cut down by the splits.

        Args:
            bounds: Of all branches alike, (1 or batch, *shape).
            graph: The network.
        """
        result = dict(bounds)
        batch = len(self)
        for index in torch.unique(self.node).tolist():
            if index < 0:
                continue
            lower, upper = (x.flatten(1).expand(batch, -1) for x in bounds[index])
            here = self.node == index
            row, column = here.nonzero(as_tuple=True)
            element, sign, point = self.element[row, column], self.sign[row, column], self.point[row, column]
            flat = row * lower.shape[1] + element
            above, below = sign > 0, sign < 0
            new_lower = lower.reshape(-1).scatter_reduce(0, flat[above], point[above], "amax")
            new_upper = upper.reshape(-1).scatter_reduce(0, flat[below], point[below], "amin")
            shape = (batch, *graph.nodes[index].shape)
            result[index] = Interval(new_lower.reshape(shape), new_upper.reshape(shape))
        return {
            index: Interval(*(x.expand(batch, *x.shape[1:]) for x in interval)) for index, interval in result.items()
        }

    def multipliers(self, graph: Graph, beta: Tensor) -> tuple[dict[int, Tensor], Tensor]:
        """What the multipliers add: to the coefficients of nodes, (batch, 1, *shape), and to the bound, (batch, 1).

        From the Lagrangian, f - beta s (h - p): coefficients of h fall by beta s, and the bound rises by beta s p.
        """
        added: dict[int, Tensor] = {}
        weighted = (beta * self.sign).masked_fill(self.node < 0, 0)
        for index in torch.unique(self.node).tolist():
            if index < 0:
                continue
            here = self.node == index
            dense = weighted.new_zeros(len(self), graph.nodes[index].size)
            dense = dense.scatter_add(1, torch.where(here, self.element, 0), torch.where(here, -weighted, 0.0))
            added[index] = dense.reshape(len(self), 1, *graph.nodes[index].shape)
        return added, (weighted * self.point).sum(1, keepdim=True)

    def rounding(self, bounds: Bounds, errors: Errors, n_constants: int) -> Tensor:
        """What rounding may add per unit of each split's multiplier, (batch, depth).

        Args:
            bounds: Of the nodes, in the branches, (batch or 1, *shape).
            errors: What it may add per unit of a node's coefficient.
            n_constants: How many constants a backward pass adds up.
        """
        share = gamma(self.depth + n_constants, self.point.dtype)
        found = (share * self.point.abs()).masked_fill(self.node < 0, 0)
        for index in torch.unique(self.node).tolist():
            if index < 0:
                continue
            here = self.node == index
            element = torch.where(here, self.element, 0)
            each = (share * bounds[index].magnitude + errors.nodes[index]).flatten(1).expand(len(self), -1)
            found = found + each.gather(1, element).masked_fill(~here, 0)
        return found
