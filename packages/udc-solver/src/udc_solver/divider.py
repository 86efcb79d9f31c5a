"""The network that divides: a graph neural network on a sparse graph, and the heat map that it predicts."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .configs import DividerConfig
from .graph_network import GraphNetwork
from .graphs import Graph, gather_nodes

if TYPE_CHECKING:
    from .problems.problem import AnyProblem, State


def head(units: int, depth: int, n_outputs: int | None = None) -> nn.Sequential:
    """A perceptron of `depth - 1` linear maps with SiLU between them."""
    widths = [units] * (depth - 1) + [n_outputs or units]
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


@dataclass(frozen=True)
class EdgeHeat:
    """A heat map over the edges of each node, which depends on the partial solution through a query.

    The logit of an edge is the product of the query with the edge's key; the heat map is their softmax over the edges
    of a node. Only rows that are asked for are computed, so that memory grows with nodes times neighbors.
    """

    neighbors: Int[Tensor, "batch nodes k"]
    keys: Float[Tensor, "batch nodes k units"]
    first: Float[Tensor, "batch nodes units"]
    last: Float[Tensor, "batch nodes units"]
    visited: Float[Tensor, "batch nodes units"]
    depot: Float[Tensor, "batch units"] | None

    def query(self, state: "State") -> Float[Tensor, "rows units"]:
        """The context of partial solutions: mean of the visited nodes, first, last, and the depot if there is one."""
        batch, n_nodes, units = self.visited.shape
        sequence = state.sequence[:, : state.step]
        shares = torch.zeros(len(sequence), n_nodes, device=sequence.device)
        shares.scatter_add_(1, sequence, torch.full(sequence.shape, 1 / state.step, device=sequence.device))
        mean = (shares.view(batch, -1, n_nodes) @ self.visited).view(-1, units)
        query = mean + self._at(self.first, state.first) + self._at(self.last, state.current)
        return query if self.depot is None else query + self.depot[state.owner]

    def look(self, query: Float[Tensor, "rows units"], state: "State") -> tuple[Tensor, Tensor]:
        """Logits (rows, k) of the edges of each row's current node, and where they lead."""
        _, n_nodes, k, units = self.keys.shape
        flat = state.owner * n_nodes + state.current
        keys = self.keys.view(-1, k, units).index_select(0, flat)
        return (keys @ query[..., None])[..., 0], self.neighbors.view(-1, k).index_select(0, flat)

    def logits(
        self, query: Float[Tensor, "rows units"], current: Int[Tensor, "rows steps"]
    ) -> Float[Tensor, "rows steps k"]:
        """Logits of the edges of many nodes under the same queries, with gradients."""
        batch, n_nodes, k, units = self.keys.shape
        n_rows, _n_steps = current.shape
        all_logits = query.view(batch, -1, units) @ self.keys.view(batch, -1, units).mT
        at = current[..., None].expand(-1, -1, k)
        return all_logits.view(n_rows, n_nodes, k).gather(1, at)

    def _at(self, x: Float[Tensor, "batch nodes units"], node: Int[Tensor, " rows"]) -> Float[Tensor, "rows units"]:
        batch, _, units = x.shape
        return gather_nodes(x, node.view(batch, -1)).view(-1, units)


@dataclass(frozen=True)
class NodeHeat:
    """A heat map over the nodes: a softmax of one logit for each node, the same for all partial solutions."""

    values: Float[Tensor, "batch nodes"]

    def query(self, state: "State") -> Float[Tensor, "rows nodes"]:
        """The logits of each row's instance."""
        return self.values.index_select(0, state.owner)

    def look(self, query: Float[Tensor, "rows nodes"], state: "State") -> tuple[Tensor, Tensor]:  # noqa: ARG002 - as in all problems
        """Logits of all nodes, and their numbers."""
        n_rows, n_nodes = query.shape
        return query, torch.arange(n_nodes, device=query.device).expand(n_rows, n_nodes)

    def logits(
        self, query: Float[Tensor, "rows nodes"], current: Int[Tensor, "rows steps"]
    ) -> Float[Tensor, "rows steps nodes"]:
        """Logits of all nodes, at every step the same."""
        return query[:, None].expand(-1, current.shape[1], -1)


@runtime_checkable
class Heat(Protocol):
    """A heat map, asked row by row while solutions are built."""

    def query(self, state: "State") -> Tensor:
        """What the heat map must know of partial solutions, for as long as it is not asked anew."""
        ...

    def look(self, query: Tensor, state: "State") -> tuple[Tensor, Tensor]:
        """Logits (rows, candidates) of the next choices, and the nodes that they lead to."""
        ...

    def logits(self, query: Tensor, current: Int[Tensor, "rows steps"]) -> Tensor:
        """Logits (rows, steps, candidates) of many choices under the same queries, with gradients."""
        ...


@runtime_checkable
class DividingPolicy(Protocol):
    """Whatever predicts heat maps: a `Divider`, a rule, or an `nn.Module` of your own."""

    config: DividerConfig
    n_neighbors: int
    """Edges of each node that it asks the problem's graph for."""

    def __call__(self, graph: Graph) -> Heat:
        """The heat map of the instances."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """As of every `nn.Module`."""
        ...

    def train(self, mode: bool = True) -> Any:  # noqa: ANN401 - as of every `nn.Module`
        """As of every `nn.Module`."""
        ...


class Divider(nn.Module):
    """The dividing policy: embeds the graph of an instance, and predicts the heat map by which solutions are built.

    Args:
        problem: Gives the numbers of features, whether there is a depot, and what the heat map is over.
        config: Sizes.
    """

    def __init__(self, problem: "AnyProblem", config: DividerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DividerConfig()
        self.n_neighbors = config.n_neighbors or problem.n_neighbors
        self.network = GraphNetwork(problem.n_node_features, problem.n_edge_features, config.units, config.depth)
        if problem.heat == "nodes":
            self.node_head = nn.Linear(config.units, 1)
            return
        names = ["edges", "first", "last", "visited", *(["depot"] if problem.has_depot else [])]
        self.heads = nn.ModuleDict({name: head(config.units, config.head_depth) for name in names})

    def forward(self, graph: Graph) -> Heat:
        """The heat map of the instances, ready for queries."""
        x, w = self.network(graph)
        if hasattr(self, "node_head"):
            return NodeHeat(self.node_head(x)[..., 0])
        if not hasattr(graph, "neighbors"):
            raise ValueError("a heat map over edges needs a graph whose nodes all have as many neighbors")
        depot = self.heads["depot"](x[:, 0]) if "depot" in self.heads else None
        first, last, visited = (self.heads[name](x) for name in ("first", "last", "visited"))
        return EdgeHeat(graph.neighbors, self.heads["edges"](w), first, last, visited, depot)
