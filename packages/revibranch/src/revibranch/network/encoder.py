"""The encoder: a graph convolutional network on the bipartite graph of an LP (Gasse et al. 2019)."""

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .normalization import FeatureNorm

if TYPE_CHECKING:
    from .graphs import GraphBatch

N_VARIABLE_FEATURES, N_ROW_FEATURES = 19, 14
CHUNK = 100_000
"""Numbers held at once for messages on the CPU, so that they stay in its cache."""


class _MessageSum(torch.autograd.Function):
    """Sums of messages ReLU(source + target + edge * weight), without ever holding those of all edges."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - PyTorch's
        source: Tensor,
        target: Tensor,
        weight: Tensor,
        edge_attr: Tensor,
        i: Tensor,
        j: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(source, target, weight, edge_attr, i, j)
        out = torch.zeros_like(target)
        for part in _chunks(target, i):
            out.index_add_(0, j[part], _messages(source, target, weight, edge_attr, i, j, part))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - PyTorch's
        source, target, weight, edge_attr, i, j = ctx.saved_tensors
        grads = torch.zeros_like(source), torch.zeros_like(target), torch.zeros_like(weight)
        for part in _chunks(target, i):
            messages = _messages(source, target, weight, edge_attr, i, j, part)
            g = torch.ops.aten.threshold_backward(grad.index_select(0, j[part]), messages, 0)
            grads[0].index_add_(0, i[part], g)
            grads[1].index_add_(0, j[part], g)
            grads[2].addmv_(g.T, edge_attr[part, 0])
        return *grads, None, None, None


def _chunks(x: Tensor, edges: Tensor) -> list[slice]:
    """The edges in parts; on a GPU, all at once."""
    size = max(1, CHUNK // x.shape[1] if x.device.type == "cpu" else len(edges))
    return [slice(start, start + size) for start in range(0, len(edges), size)]


def _messages(
    source: Tensor, target: Tensor, weight: Tensor, edge_attr: Tensor, i: Tensor, j: Tensor, part: slice
) -> Tensor:
    total = source.index_select(0, i[part]).add_(target.index_select(0, j[part]))
    return total.addcmul_(edge_attr[part], weight).relu_()


def message_sum(
    source: Float[Tensor, "n d"],
    target: Float[Tensor, "m d"],
    weight: Float[Tensor, "d"],
    edge_attr: Float[Tensor, "e 1"],
    i: Int[Tensor, "e"],
    j: Int[Tensor, "e"],
) -> Float[Tensor, "m d"]:
    """For each target j, the sum of ReLU(source_i + target_j + edge_ij weight) over its edges.

    Differentiable in the first three. Messages are made, and made again on the way back, in parts that fit into the
    processor's cache: about three times as fast as holding them all, and without memory that grows with edges.

    Args:
        source: Features at the near ends.
        target: Features at the far ends.
        weight: Of the edges' coefficient.
        edge_attr: The edges' coefficient.
        i: Near end of each edge.
        j: Far end of each edge.
    """
    return _MessageSum.apply(source, target, weight, edge_attr, i, j)


class HalfConvolution(nn.Module):
    """Half a convolution on a bipartite graph: targets take in what their sources tell them (Gasse et al. 2019).

    x_j <- MLP([norm(sum_i W ReLU(L x_i + R x_j + E e_ij) + b) ; x_j]). The linear map after the ReLU commutes with the
    sum, so it is applied once a target, not once an edge.

    Args:
        size: Width of all features.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.source = nn.Linear(size, size, bias=False)
        self.target = nn.Linear(size, size)
        self.edge = nn.Linear(1, size, bias=False)
        self.message = nn.Linear(size, size)
        self.norm = FeatureNorm(size)
        self.update = nn.Sequential(nn.Linear(2 * size, size), nn.ReLU(), nn.Linear(size, size), nn.ReLU())

    def forward(
        self,
        source: Float[Tensor, "n d"],
        target: Float[Tensor, "m d"],
        edge_attr: Float[Tensor, "e 1"],
        i: Int[Tensor, "e"],
        j: Int[Tensor, "e"],
    ) -> Float[Tensor, "m d"]:
        """New features of the targets j from those of the sources i."""
        weight = self.edge.weight[:, 0]
        summed = message_sum(self.source(source), self.target(target), weight, edge_attr, i, j)
        degree = torch.zeros(len(target), 1, device=target.device).index_add_(0, j, torch.ones_like(edge_attr))
        received = torch.addmm(degree * self.message.bias, summed, self.message.weight.T)
        return self.update(torch.cat((self.norm(received), target), 1))


class BipartiteGCN(nn.Module):
    """Embeddings of the variables of LPs: a half convolution from variables to rows, and one back.

    Equivariant to the order of variables and of rows.

    Args:
        size: Width of the embeddings.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.variables, self.rows = _embedding(N_VARIABLE_FEATURES, size), _embedding(N_ROW_FEATURES, size)
        self.coefficients = FeatureNorm(1)
        self.to_rows, self.to_variables = HalfConvolution(size), HalfConvolution(size)

    def forward(self, graphs: "GraphBatch") -> Float[Tensor, "n d"]:
        """Embeddings of all variables of the graphs."""
        columns, rows = graphs.edge_index
        edges = self.coefficients(graphs.edge_attr)
        x, y = self.variables(graphs.variables), self.rows(graphs.rows)
        y = self.to_rows(x, y, edges, columns, rows)
        return self.to_variables(y, x, edges, rows, columns)

    @torch.no_grad()
    def fit_normalization(self, graphs: "GraphBatch") -> None:
        """Fit every normalization, of features and of sums of messages, to these graphs, about a hundred."""
        norms = [module for module in self.modules() if isinstance(module, FeatureNorm)]
        for norm in norms:
            norm.is_fitting = True
        self(graphs)
        for norm in norms:
            norm.is_fitting = False


def _embedding(n_features: int, size: int) -> nn.Sequential:
    return nn.Sequential(
        FeatureNorm(n_features), nn.Linear(n_features, size), nn.ReLU(), nn.Linear(size, size), nn.ReLU()
    )
