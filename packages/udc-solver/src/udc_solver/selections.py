"""Instances of the problems that select: routes that collect prizes, knapsacks, and independent sets of graphs."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .instances import Instance, check_per_node, check_points

ABSENT = -1
"""In a list of edges: there is none, where graphs of one batch have different numbers of edges."""


@dataclass(frozen=True)
class Orienteering(Instance):
    """Points with prizes, and a limit of the length of a closed route from the depot: the orienteering problem.

    Args:
        points: The depot first.
        prizes: 0 at the depot.
        limit: Of the length of the route, in the units of the points.
    """

    points: Float[Tensor, "batch nodes 2"]
    prizes: Float[Tensor, "batch nodes"]
    limit: Float[Tensor, " batch"]

    DIMENSIONS: ClassVar[dict[str, int]] = {"points": 3, "prizes": 2, "limit": 1}

    @property
    def n_nodes(self) -> int:
        """The depot and the points with prizes."""
        return self.points.shape[1]

    def check(self) -> None:
        """Refuse negative limits and prizes."""
        super().check()
        check_points(self.points, at_least=2)
        _check_amounts("prizes", self.prizes, self.points)
        if (self.limit < 0).any():
            raise ValueError(f"the limit of a route's length must not be negative, but is {float(self.limit.min()):g}")


@dataclass(frozen=True)
class PrizeCollecting(Instance):
    """Points with prizes, of which a minimum must be collected, and penalties for what is left out: the PCTSP.

    Args:
        points: The depot first.
        prizes: 0 at the depot.
        penalties: 0 at the depot; in the units of the points.
        minimum: Prize to be collected.
    """

    points: Float[Tensor, "batch nodes 2"]
    prizes: Float[Tensor, "batch nodes"]
    penalties: Float[Tensor, "batch nodes"]
    minimum: Float[Tensor, " batch"]

    DIMENSIONS: ClassVar[dict[str, int]] = {"points": 3, "prizes": 2, "penalties": 2, "minimum": 1}

    @property
    def n_nodes(self) -> int:
        """The depot and the points with prizes."""
        return self.points.shape[1]

    def check(self) -> None:
        """Refuse negative prizes and penalties, and a minimum above the sum of all prizes."""
        super().check()
        check_points(self.points, at_least=2)
        _check_amounts("prizes", self.prizes, self.points)
        _check_amounts("penalties", self.penalties, self.points)
        total = self.prizes.double().sum(1)
        if (short := total < self.minimum).any():
            row = int(short.nonzero()[0])
            raise ValueError(
                f"the prizes add up to {total[row]:g}, but {self.minimum[row]:g} must be collected; lower the minimum"
            )


@dataclass(frozen=True)
class StochasticPrizes(PrizeCollecting):
    """A PCTSP whose prizes are known only on the spot: the SPCTSP.

    Args:
        realized: The prizes that are found there; `prizes` are those that are expected.
    """

    realized: Float[Tensor, "batch nodes"]

    DIMENSIONS: ClassVar[dict[str, int]] = {**PrizeCollecting.DIMENSIONS, "realized": 2}

    def check(self) -> None:
        """Refuse what `PrizeCollecting` does, and negative realized prizes."""
        super().check()
        _check_amounts("realized prizes", self.realized, self.points)


@dataclass(frozen=True)
class Items(Instance):
    """Items with weights and values, and what a knapsack holds.

    Args:
        weights: Not negative.
        values: Not negative.
        capacity: Of each knapsack.
    """

    weights: Float[Tensor, "batch items"]
    values: Float[Tensor, "batch items"]
    capacity: Float[Tensor, " batch"]

    DIMENSIONS: ClassVar[dict[str, int]] = {"weights": 2, "values": 2, "capacity": 1}

    @property
    def n_nodes(self) -> int:
        """The items, and a dummy that choices begin with."""
        return self.weights.shape[1] + 1

    def check(self) -> None:
        """Refuse negative numbers, and items that are heavier than the capacity."""
        super().check()
        if self.weights.shape[1] < 2:
            raise ValueError(f"an instance needs at least 2 items, not {self.weights.shape[1]}")
        if self.values.shape != self.weights.shape:
            raise ValueError(f"there are {self.weights.shape[1]} weights, but {self.values.shape[1]} values")
        if (self.weights < 0).any() or (self.values < 0).any():
            raise ValueError("weights and values must not be negative")
        if (over := self.weights > self.capacity[:, None]).any():
            row, item = over.nonzero()[0].tolist()
            raise ValueError(
                f"item {item} weighs {self.weights[row, item]:g}, more than the capacity {self.capacity[row]:g}; leave "
                f"it out"
            )


@dataclass(frozen=True)
class Networks(Instance):
    """Simple undirected graphs of equally many nodes, for independent sets.

    Args:
        edges: Each once, in any direction, behind them rows of `ABSENT`.
        size: Number of nodes of each graph.
    """

    edges: Int[Tensor, "batch edges 2"]
    size: Int[Tensor, " batch"]

    DIMENSIONS: ClassVar[dict[str, int]] = {"edges": 3, "size": 1}

    @property
    def n_nodes(self) -> int:
        """Nodes of each graph."""
        return int(self.size[0])

    def check(self) -> None:
        """Refuse loops, edges to nodes that there are not, and graphs of different sizes."""
        super().check()
        if self.edges.is_floating_point() or self.size.is_floating_point():
            raise ValueError("edges and size must be whole numbers")
        if self.edges.shape[2] != 2:
            raise ValueError(f"an edge has 2 nodes, not {self.edges.shape[2]}")
        if (self.size < 1).any() or (self.size != self.size[0]).any():
            raise ValueError("all graphs of a batch must have the same number of nodes, at least 1")
        is_there = (self.edges != ABSENT).all(2)
        known = ((self.edges >= 0) & (self.edges < self.n_nodes)).all(2)
        if (is_there & ~known).any() or ((self.edges == ABSENT).any(2) & is_there).any():
            raise ValueError(f"an edge leads to a node that is not 0 to {self.n_nodes - 1}")
        if ((self.edges[..., 0] == self.edges[..., 1]) & is_there).any():
            raise ValueError("a node is its own neighbor; remove the loop, since no set could hold the node")

    def directed(self) -> Int[Tensor, "2 both"]:
        """All edges in both directions, each once, sorted, with nodes numbered through the batch.

        Node i of graph b is b * n_nodes + i.
        """
        offsets = torch.arange(len(self), device=self.device)[:, None, None] * self.n_nodes
        pairs = (self.edges + offsets)[(self.edges != ABSENT).all(2)]
        n = len(self) * self.n_nodes
        both = torch.cat([pairs[:, 0] * n + pairs[:, 1], pairs[:, 1] * n + pairs[:, 0]]).unique()
        return torch.stack([both // n, both % n])


def network_from_edges(n: int, edges: Int[np.ndarray, "m 2"]) -> Networks:
    """A batch of one graph, checked."""
    held = Networks(torch.as_tensor(edges, dtype=torch.long).view(1, -1, 2), torch.tensor([n]))
    held.check()
    return held


def stack_networks(edges: list[Int[Tensor, "_ 2"]], n: int) -> Networks:
    """Graphs with any numbers of edges, as one batch."""
    padded = torch.nn.utils.rnn.pad_sequence(edges, batch_first=True, padding_value=ABSENT)
    return Networks(padded, torch.full((len(edges),), n))


def _check_amounts(name: str, values: Tensor, points: Tensor) -> None:
    check_per_node(name, values, points)
    if (values < 0).any():
        raise ValueError(f"{name} must not be negative")
    if (values[:, 0] != 0).any():
        raise ValueError(f"the first node is the depot; its entry of the {name} must be 0")
