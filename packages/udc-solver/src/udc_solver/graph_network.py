"""The anisotropic graph neural network: embeddings of nodes and edges."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .graphs import Graph


class AnisotropicLayer(nn.Module):
    """A gated graph convolution on features of nodes x and edges w.

    With the old features on the right-hand sides,

        x_i <- x_i + silu(BN(U x_i + mean_{j in N(i)} sigmoid(w_ij) * V x_j))
        w_ij <- w_ij + silu(BN(W w_ij + A x_i + B x_j)).

    Args:
        units: Width of both.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.node_maps = nn.Linear(units, 4 * units)
        self.edge_map = nn.Linear(units, units)
        self.node_norm = nn.BatchNorm1d(units)
        self.edge_norm = nn.BatchNorm1d(units)

    def forward(
        self, graph: Graph, x: Float[Tensor, "batch nodes units"], w: Float[Tensor, "... units"]
    ) -> tuple[Float[Tensor, "batch nodes units"], Float[Tensor, "... units"]]:
        """The new features of nodes and edges."""
        own, message, source, target = self.node_maps(x).chunk(4, -1)
        pair = graph.targets(torch.cat([message, target], -1))
        gathered = graph.mean(torch.sigmoid(w) * pair[..., : x.shape[-1]])
        change = self.edge_map(w) + graph.sources(source) + pair[..., x.shape[-1] :]
        new_x = x + nn.functional.silu(_over_all(self.node_norm, own + gathered))
        return new_x, w + nn.functional.silu(_over_all(self.edge_norm, change))


def _over_all(norm: nn.BatchNorm1d, values: Float[Tensor, "... units"]) -> Float[Tensor, "... units"]:
    """Batch normalization over all dimensions but the last."""
    normalized: Tensor = norm(values.reshape(-1, values.shape[-1]))
    return normalized.view(values.shape)


class GraphNetwork(nn.Module):
    """Embeddings of nodes and edges by several anisotropic layers.

    Args:
        n_node_features: Of the graph.
        n_edge_features: Of the graph.
        units: Width of the embeddings.
        depth: Layers.
    """

    def __init__(self, n_node_features: int, n_edge_features: int, units: int, depth: int) -> None:
        super().__init__()
        self.embed_nodes = nn.Linear(n_node_features, units)
        self.embed_edges = nn.Linear(n_edge_features, units)
        self.layers = nn.ModuleList(AnisotropicLayer(units) for _ in range(depth))

    def forward(self, graph: Graph) -> tuple[Float[Tensor, "batch nodes units"], Float[Tensor, "... units"]]:
        """Embeddings of nodes and edges."""
        x = nn.functional.silu(self.embed_nodes(graph.x))
        w = nn.functional.silu(self.embed_edges(graph.edges))
        for layer in self.layers:
            x, w = layer(graph, x, w)
        return x, w
