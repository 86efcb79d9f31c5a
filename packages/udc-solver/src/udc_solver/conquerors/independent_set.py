"""Independent sets of subgraphs: sub-problems of the maximum independent set."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from udc_solver.configs import ConquerorConfig, ConquerorSizes
from udc_solver.graph_network import GraphNetwork
from udc_solver.graphs import EdgeGraph

from .conqueror import SubProblems
from .decoding import DecodingConqueror, Inputs

MAX_ELEMENTS = 2**25
"""Numbers that the features of the edges of a batch of subgraphs may have."""


@dataclass(frozen=True)
class Subgraphs(SubProblems):
    """Subgraphs. An answer says which of the nodes are selected.

    Args:
        adjacency: Symmetric.
        free: Nodes that are not adjacent to a selected node outside.
    """

    adjacency: Bool[Tensor, "subs nodes nodes"]
    free: Bool[Tensor, "subs nodes"]


class SubgraphConqueror(DecodingConqueror):
    """A second graph neural network, whose heat map over the free nodes is drawn from without replacement.

    Answers to one subgraph differ in the node that they begin with.

    Args:
        config: Sizes; `dim` is the width, and `layers` the graph convolutions.
    """

    DEFAULTS = ConquerorSizes(dim=256, layers=12, hidden=256, clip=10.0)
    default_starts = 8

    def __init__(self, config: ConquerorConfig | None = None) -> None:
        super().__init__()
        self.config = config or ConquerorConfig()
        sizes = self.config.sizes(self.DEFAULTS)
        self.network = GraphNetwork(1, 1, sizes.dim, sizes.layers)
        self.head = nn.Linear(sizes.dim, 1)

    def encode(self, sub: Subgraphs) -> Float[Tensor, "subs nodes"]:
        """A logit for each node."""
        most = int(sub.adjacency.sum((1, 2)).max()) * self.head.in_features
        size = max(1, MAX_ELEMENTS // max(most, 1))
        return torch.cat([self._encode(sub[first : first + size]) for first in range(0, len(sub), size)])

    def _encode(self, sub: Subgraphs) -> Float[Tensor, "subs nodes"]:
        n_nodes = sub.free.shape[1]
        which, source, target = sub.adjacency.nonzero(as_tuple=True)
        x = sub.free[..., None].to(self.head.weight.dtype)
        index = which * n_nodes + torch.stack([source, target])
        embedded, _ = self.network(EdgeGraph(x, index, x.new_ones(len(which), 1)))
        return self.head(embedded)[..., 0]

    def episode(self, sub: Subgraphs, n_starts: int) -> "SubgraphEpisode":
        """Empty sets."""
        return SubgraphEpisode(sub, n_starts)

    def logits(
        self,
        encoded: Float[Tensor, "subs nodes"],
        inputs: Inputs,  # noqa: ARG002 - there are none
        allowed: Bool[Tensor, "subs some nodes"],
    ) -> Float[Tensor, "subs some nodes"]:
        """The same at every step."""
        return encoded[:, None].expand(allowed.shape)


class SubgraphEpisode:
    """Sets that grow until every free node is selected or adjacent to one that is."""

    def __init__(self, sub: Subgraphs, n_starts: int) -> None:
        self.sub = sub
        n_subs, n_nodes = sub.free.shape
        self.open = sub.free[:, None].expand(-1, n_starts, -1)
        self.selected = torch.zeros(n_subs, n_starts, n_nodes, dtype=torch.bool, device=sub.free.device)
        # The first start is free; the others begin with the nodes of the fewest neighbors.
        degree = (sub.adjacency & sub.free[:, None]).sum(-1).masked_fill(~sub.free, n_nodes)
        ranked = degree.argsort(dim=1, stable=True)
        order = (torch.arange(n_starts, device=sub.free.device) - 1).clamp(min=0) % n_nodes
        begin = nn.functional.one_hot(ranked[:, order], n_nodes).bool()
        begin[:, 0] = True
        self.begin: Bool[Tensor, "subs starts nodes"] | None = begin

    def is_over(self) -> bool:
        """Whether no node is left."""
        return not bool(self.open.any())

    def inputs(self) -> Inputs:
        """Nothing: the heat map does not depend on what is selected."""
        return {}

    def allowed(self) -> Bool[Tensor, "subs starts nodes"]:
        """Nodes that are left; the first node, which then does not count, in a set that is complete."""
        allowed = self.open
        if self.begin is not None:
            forced = allowed & self.begin
            allowed = torch.where(forced.any(-1, keepdim=True), forced, allowed)
        complete = ~self.open.any(-1)
        first = torch.zeros_like(allowed)
        first[..., 0] = complete
        return allowed | first

    def advance(self, chosen: Tensor) -> None:
        """Select the chosen nodes."""
        self.begin = None
        one = nn.functional.one_hot(chosen, self.open.shape[-1]).bool() & self.open
        self.selected = self.selected | one
        # The rows of the chosen nodes, where something was chosen.
        rows = self.sub.adjacency.gather(1, chosen[..., None].expand(-1, -1, self.open.shape[-1]))
        self.open = self.open & ~one & ~(rows & one.any(-1, keepdim=True))

    def finish(self) -> tuple[Tensor, Float[Tensor, "subs starts"]]:
        """What is selected, and the negative sizes."""
        return self.selected, -self.selected.sum(-1).float()
