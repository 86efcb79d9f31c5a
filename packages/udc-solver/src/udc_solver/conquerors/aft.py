"""Attention that adapts to the instance: an attention-free transformer whose weights decay with distance (ICAM)."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

SMALLEST = 1e-30
"""Keeps a denominator away from 0."""


def adaptation(
    costs: Float[Tensor, "batch rows nodes"], alpha: Float[Tensor, ""], n_nodes: int
) -> Float[Tensor, "batch rows nodes"]:
    """The adaptation bias, -alpha * log2(n) * costs."""
    return (-math.log2(n_nodes)) * alpha * costs


def weighted_values(
    key: Float[Tensor, "batch nodes dim"], value: Float[Tensor, "batch nodes dim"]
) -> Float[Tensor, "batch nodes 2*dim"]:
    """The terms of the sums over nodes, but for the bias: exp(k) v and exp(k), side by side.

    They are scaled by the largest key of each channel, which the quotient of the sums does not change with.
    """
    weights = torch.exp(key - key.amax(1, keepdim=True))
    return torch.cat([weights * value, weights], -1)


def aft(
    query: Float[Tensor, "batch rows dim"],
    weighted: Float[Tensor, "batch nodes 2*dim"],
    bias: Float[Tensor, "batch rows nodes"],
    allowed: Bool[Tensor, "batch rows nodes"] | None = None,
) -> Float[Tensor, "batch rows dim"]:
    """Attention without products of queries and keys.

    In row i, it is sigmoid(q_i) * sum_j exp(bias_ij) exp(k_j) v_j / sum_j exp(bias_ij) exp(k_j).

    Args:
        query: Gates the output.
        weighted: Of keys and values, by `weighted_values`.
        bias: By how much the weight of each node changes, for all channels alike.
        allowed: Which nodes count; all by default, and one at least in each row.
    """
    if allowed is not None:
        bias = bias.masked_fill(~allowed, -torch.inf)
    # The quotient does not change with the largest bias of a row, either.
    a = torch.exp(bias - bias.amax(-1, keepdim=True))
    numerator, denominator = (a @ weighted).chunk(2, -1)
    return torch.sigmoid(query) * numerator / denominator.clamp(min=SMALLEST)


class AFTLayer(nn.Module):
    """AFT attention and a feedforward network, each with a residual connection and instance normalization.

    Args:
        dim: Width of the embeddings.
        hidden: Width of the feedforward network.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.alpha = nn.Parameter(torch.ones(()))
        self.feedforward = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        self.norms = nn.ModuleList(nn.InstanceNorm1d(dim, affine=True) for _ in range(2))

    def forward(
        self, h: Float[Tensor, "batch nodes dim"], costs: Float[Tensor, "batch nodes nodes"]
    ) -> Float[Tensor, "batch nodes dim"]:
        """New embeddings of the nodes, whose costs of going from one to another are given."""
        query, key, value = self.qkv(h).chunk(3, -1)
        mixed = aft(query, weighted_values(key, value), adaptation(costs, self.alpha, h.shape[1]))
        h = over_nodes(self.norms[0], h + mixed)
        return over_nodes(self.norms[1], h + self.feedforward(h))


def over_nodes(norm: nn.Module, h: Float[Tensor, "batch nodes dim"]) -> Float[Tensor, "batch nodes dim"]:
    """A normalization of each channel over the nodes of a sub-problem."""
    normalized: Tensor = norm(h.mT)
    return normalized.mT


class AFTEncoder(nn.Module):
    """Several AFT layers.

    Args:
        dim: Width of the embeddings.
        hidden: Width of the feedforward networks.
        layers: How many.
    """

    def __init__(self, dim: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(AFTLayer(dim, hidden) for _ in range(layers))

    def forward(
        self, h: Float[Tensor, "batch nodes dim"], costs: Float[Tensor, "batch nodes nodes"]
    ) -> Float[Tensor, "batch nodes dim"]:
        """Embeddings of the nodes."""
        for layer in self.layers:
            h = layer(h, costs)
        return h


class AFTDecoder(nn.Module):
    """Scores all nodes as the next one.

    The score of node j is AFT(query) . h_j / sqrt(dim) - alpha' log2(n) costs_j, and its logit clip * tanh(score).

    Args:
        dim: Width of the embeddings.
        clip: Bound of the logits.
    """

    def __init__(self, dim: int, clip: float) -> None:
        super().__init__()
        self.key_value = nn.Linear(dim, 2 * dim, bias=False)
        self.alpha = nn.Parameter(torch.ones(()))
        self.score_alpha = nn.Parameter(torch.ones(()))
        self.clip = clip

    def prepare(self, h: Float[Tensor, "batch nodes dim"]) -> Float[Tensor, "batch nodes 2*dim"]:
        """What is the same for all steps."""
        return weighted_values(*self.key_value(h).chunk(2, -1))

    def forward(
        self,
        query: Float[Tensor, "batch rows dim"],
        h: Float[Tensor, "batch nodes dim"],
        prepared: Float[Tensor, "batch nodes 2*dim"],
        costs: Float[Tensor, "batch rows nodes"],
        allowed: Bool[Tensor, "batch rows nodes"],
    ) -> Float[Tensor, "batch rows nodes"]:
        """Logits of the nodes; costs are those of going there from where each row is."""
        n_nodes, dim = h.shape[1:]
        out = aft(query, prepared, adaptation(costs, self.alpha, n_nodes), allowed)
        score = out @ h.mT / math.sqrt(dim) + adaptation(costs, self.score_alpha, n_nodes)
        return self.clip * torch.tanh(score)
