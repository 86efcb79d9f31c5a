"""Dividers that are not trained, for ablations: the nearest neighbor, and edges at random."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .configs import DividerConfig
from .graphs import Graph, NeighborGraph
from .problems.problem import AnyProblem, State

Rule = Literal["nearest", "random"]
"""Follow the first feasible edge of a node, which leads to the nearest node, or one at random."""


@dataclass(frozen=True)
class FixedHeat:
    """A heat map that does not depend on the partial solution; see `divider.EdgeHeat`."""

    neighbors: Int[Tensor, "batch nodes k"]
    values: Float[Tensor, "batch nodes k"]

    def query(self, state: State) -> Float[Tensor, " rows"]:
        """Nothing that matters."""
        return torch.zeros(len(state.owner), device=state.owner.device)

    def look(self, query: Float[Tensor, " rows"], state: State) -> tuple[Tensor, Tensor]:  # noqa: ARG002 - as all heat maps
        """Logits (rows, k) of the edges of each row's current node, and where they lead."""
        return self.values[state.owner, state.current], self.neighbors[state.owner, state.current]

    def logits(
        self,
        query: Float[Tensor, " rows"],
        current: Int[Tensor, "rows steps"],
    ) -> Float[Tensor, "rows steps k"]:
        """Logits of the edges of many nodes."""
        batch = len(self.values)
        at = torch.arange(batch, device=current.device).repeat_interleave(len(query) // batch)
        return self.values[at[:, None], current]


class RuleDivider(nn.Module):
    """A divider by a rule, for problems whose heat map is over edges: give it to `UDC` in place of a `Divider`.

    Args:
        problem: Gives the number of neighbors.
        rule: `nearest` follows the edges in the order of the graph, which for tours is from the nearest on; `random` in
            a random order of each node.
        config: Of which only the number of neighbors counts.
        seed: Of the random order.

    Raises:
        ValueError: if the problem's heat map is over nodes.
    """

    def __init__(
        self, problem: AnyProblem, rule: Rule = "nearest", config: DividerConfig | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        if problem.heat != "edges":
            raise ValueError(f"the heat map of {problem.name} is over nodes, which no rule for edges can replace")
        self.config = config or DividerConfig()
        self.n_neighbors = self.config.n_neighbors or problem.n_neighbors
        self.rule, self.seed = rule, seed

    def forward(self, graph: Graph) -> FixedHeat:
        """The heat map of the instances.

        Raises:
            ValueError: if nodes have different numbers of edges.
        """
        if not isinstance(graph, NeighborGraph):
            raise ValueError("a heat map over edges needs a graph whose nodes all have as many neighbors")
        shape, k = graph.neighbors.shape, graph.neighbors.shape[2]
        if self.rule == "nearest":
            values = -torch.arange(k, dtype=torch.float, device=graph.x.device).expand(shape)
        else:
            values = torch.rand(shape, generator=torch.Generator().manual_seed(self.seed)).to(graph.x)
        return FixedHeat(graph.neighbors, values)
