"""Sparse graphs, which is what the divider sees of an instance, and the search for nearest nodes in chunks."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

MAX_ELEMENTS = 8_000_000
"""Numbers of a chunk of a distance matrix, so that memory never grows with the square of the nodes."""


@dataclass(frozen=True)
class NeighborGraph:
    """Every node has edges to k others, so that sums over edges are those over a dimension.

    Args:
        x: Features of the nodes.
        neighbors: Where the edges of each node lead; a node may be its own neighbor.
        edges: Features of the edges.
    """

    x: Float[Tensor, "batch nodes features"]
    neighbors: Int[Tensor, "batch nodes k"]
    edges: Float[Tensor, "batch nodes k edge_features"]

    def sources(self, x: Float[Tensor, "batch nodes units"]) -> Float[Tensor, "batch nodes 1 units"]:
        """What edges see of the nodes that they leave."""
        return x[:, :, None]

    def targets(self, x: Float[Tensor, "batch nodes units"]) -> Float[Tensor, "batch nodes k units"]:
        """What edges see of the nodes that they lead to."""
        return gather_nodes(x, self.neighbors)

    def mean(self, messages: Float[Tensor, "batch nodes k units"]) -> Float[Tensor, "batch nodes units"]:
        """The mean over the edges that leave each node."""
        return messages.mean(2)


@dataclass(frozen=True)
class EdgeGraph:
    """Any graphs of equally many nodes, as one list of directed edges.

    Args:
        x: Features of the nodes.
        index: Of each edge, the node that it leaves and the one that it leads to, numbered through the batch: node i of
            graph b is b * nodes + i.
        edges: Features of the edges.
    """

    x: Float[Tensor, "batch nodes features"]
    index: Int[Tensor, "2 edges"]
    edges: Float[Tensor, "edges edge_features"]

    def sources(self, x: Float[Tensor, "batch nodes units"]) -> Float[Tensor, "edges units"]:
        """What edges see of the nodes that they leave."""
        return x.flatten(0, 1)[self.index[0]]

    def targets(self, x: Float[Tensor, "batch nodes units"]) -> Float[Tensor, "edges units"]:
        """What edges see of the nodes that they lead to."""
        return x.flatten(0, 1)[self.index[1]]

    def mean(self, messages: Float[Tensor, "edges units"]) -> Float[Tensor, "batch nodes units"]:
        """The mean over the edges that leave each node; 0 where none does."""
        batch, n_nodes, _ = self.x.shape
        sums = messages.new_zeros(batch * n_nodes, messages.shape[-1]).index_add(0, self.index[0], messages)
        counts = torch.bincount(self.index[0], minlength=batch * n_nodes).clamp(min=1)
        return (sums / counts[:, None]).view(batch, n_nodes, -1)


Graph = NeighborGraph | EdgeGraph


def gather_nodes(x: Float[Tensor, "batch nodes units"], index: Int[Tensor, "batch *shape"]) -> Float[Tensor, "..."]:
    """What `x` holds of the nodes in `index`, of the same instance each: shape (batch, *shape, units)."""
    batch, n_nodes, units = x.shape
    offsets = torch.arange(batch, device=x.device) * n_nodes
    flat = index + offsets.view(batch, *[1] * (index.ndim - 1))
    return x.reshape(-1, units).index_select(0, flat.flatten()).view(*index.shape, units)


def nearest(
    n_nodes: int,
    k: int,
    distances: Callable[[int, int], Float[Tensor, "batch rows nodes"]],
    batch: int = 1,
) -> tuple[Int[Tensor, "batch nodes k"], Float[Tensor, "batch nodes k"]]:
    """The k nearest nodes of each node, nearest first, and how far they are.

    Args:
        n_nodes: Nodes of each instance.
        k: Neighbors; all nodes, if there are fewer.
        distances: From the nodes from `first` to before `last` (its two arguments) to all; called for a few nodes at a
            time.
        batch: Instances.
    """
    k = min(k, n_nodes)
    rows = max(1, MAX_ELEMENTS // (n_nodes * batch))
    found = [
        distances(first, min(first + rows, n_nodes)).topk(k, largest=False, sorted=True)
        for first in range(0, n_nodes, rows)
    ]
    return torch.cat([one.indices for one in found], 1), torch.cat([one.values for one in found], 1)


def nearest_points(
    points: Float[Tensor, "batch nodes 2"], k: int
) -> tuple[Int[Tensor, "batch nodes k"], Float[Tensor, "batch nodes k"]]:
    """The k nearest points of each point, itself the first, and their Euclidean distances."""
    batch, n_nodes, _ = points.shape

    def distances(first: int, last: int) -> Tensor:
        # Differences, not the expansion of the square: coordinates of maps are large, and their differences small.
        return torch.cdist(points[:, first:last], points, compute_mode="donot_use_mm_for_euclid_dist")

    return nearest(n_nodes, k, distances, batch)


def normalized(points: Float[Tensor, "batch nodes 2"]) -> Float[Tensor, "batch nodes 2"]:
    """Points shifted and scaled into the unit square, as the networks expect them; the shape stays the same."""
    low = points.amin(1, keepdim=True)
    size = (points.amax(1, keepdim=True) - low).amax(2, keepdim=True)
    return (points - low) / size.clamp(min=math.sqrt(torch.finfo(points.dtype).tiny))
