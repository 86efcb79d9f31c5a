"""Revival: past decisions of a search path, encoded anew with the graphs in which they were made, and remembered."""

import math
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

if TYPE_CHECKING:
    from revibranch.configs import PolicyConfig

    from .graphs import GraphBatch


def sinusoidal_encoding(positions: Int[Tensor, "n"], size: int) -> Float[Tensor, "n size"]:
    """Sines and cosines of positions at wavelengths from 2 pi to 20,000 pi, in turn (Vaswani et al. 2017, 3.5)."""
    rates = torch.exp(torch.arange(0, size, 2, device=positions.device) * (-math.log(10_000.0) / size))
    angles = positions[:, None] * rates
    return torch.stack((angles.sin(), angles.cos()), 2).flatten(1)[:, :size]


def segment_softmax(scores: Float[Tensor, "n"], segments: Int[Tensor, "n"], n_segments: int) -> Float[Tensor, "n"]:
    """Softmax of the scores within each segment."""
    low = torch.full((n_segments,), -math.inf, device=scores.device)
    largest = low.scatter_reduce(0, segments, scores.detach(), "amax")
    weights = (scores - largest[segments]).exp()
    return weights / torch.zeros_like(low).index_add(0, segments, weights)[segments]


class ActionEmbedding(nn.Module):
    """What was branched on: a linear map of the chosen variable's embedding, plus an encoding of its depth.

    An index means another variable in every instance; an embedding means the same everywhere.

    Args:
        size: Width of the embeddings.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, size)

    def forward(self, chosen: Float[Tensor, "b d"], depths: Int[Tensor, "b"]) -> Float[Tensor, "b d"]:
        """Embeddings of actions, from those of the chosen variables and their depths on the path."""
        return self.linear(chosen) + sinusoidal_encoding(depths, chosen.shape[1])


class StepBuilder(nn.Module):
    """The decision R_i = LayerNorm(MLP([g_i ; a_i])): action a_i, and the graph V_i as the action attends to it.

    g_i = sum_v softmax_v(K v . Q a_i / sqrt(d)) v, over the variables v of the graph.

    Args:
        size: Width of the embeddings.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.key, self.query = nn.Linear(size, size, bias=False), nn.Linear(size, size, bias=False)
        self.mlp = nn.Sequential(nn.Linear(2 * size, size), nn.ReLU(), nn.Linear(size, size))
        self.norm = nn.LayerNorm(size)

    def forward(
        self, embeddings: Float[Tensor, "n d"], graphs: "GraphBatch", actions: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b d"]:
        """Embeddings of decisions, one for each graph, from those of its variables and of its action."""
        # K v . Q a = v . (K^T Q a): a product for each action, none for each variable.
        queries = self.query(actions) @ self.key.weight
        of = graphs.variable_batch
        scores = (embeddings * queries[of]).sum(1) / math.sqrt(embeddings.shape[1])
        weights = segment_softmax(scores, of, graphs.n_graphs)
        summary = torch.zeros_like(actions).index_add(0, of, weights[:, None] * embeddings)
        return self.norm(self.mlp(torch.cat((summary, actions), 1)))


class PathMemory(nn.Module):
    """A causal Transformer over the decisions of a path, after a learned token that says where it starts.

    Args:
        config: Width, heads, layers, dropout.
    """

    def __init__(self, config: "PolicyConfig") -> None:
        super().__init__()
        size = config.embedding_size
        self.start = nn.Parameter(torch.randn(size) / math.sqrt(size))
        layer = nn.TransformerEncoderLayer(
            size, config.n_heads, config.feedforward_size, config.dropout, batch_first=True, norm_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, config.n_layers, nn.LayerNorm(size), enable_nested_tensor=False)

    def forward(
        self, steps: Float[Tensor, "b l d"], mask: Bool[Tensor, "b l"]
    ) -> tuple[Float[Tensor, "b l+1 d"], Bool[Tensor, "b l+1"]]:
        """The memory and where there is any, beginning with the start token, which always is.

        Args:
            steps: Decisions in the order of the path.
            mask: True where there is one.
        """
        n, length, size = steps.shape
        x = torch.cat((self.start.expand(n, 1, size), steps), 1)
        known = torch.cat((mask.new_ones(n, 1), mask), 1)
        future = torch.ones(length + 1, length + 1, dtype=torch.bool, device=x.device).triu(1)
        # At a node of a search nothing is padded; PyTorch loads SymPy, which takes a second, to check a mask.
        padding = None if known.all() else ~known
        return self.transformer(x, mask=future, src_key_padding_mask=padding), known
