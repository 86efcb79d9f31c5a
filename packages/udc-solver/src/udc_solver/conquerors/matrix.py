"""Shortest paths in matrices of costs: sub-problems of the asymmetric traveling salesman problem (MatNet)."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from udc_solver.configs import ConquerorConfig, ConquerorSizes
from udc_solver.graphs import gather_nodes

from .aft import over_nodes
from .conqueror import SubProblems
from .decoding import DecodingConqueror, Inputs
from .path import PathEpisode


@dataclass(frozen=True)
class MatrixPaths(SubProblems):
    """Windows of tours: the first and the last node stay where they are.

    Args:
        costs: Between the nodes of each window in the present order, divided by the largest.
        seeds: Which component of its first embedding is 1 for each node; all different.
    """

    costs: Float[Tensor, "subs nodes nodes"]
    seeds: Int[Tensor, "subs nodes"]


def matrix_path_length(
    costs: Float[Tensor, "subs nodes nodes"], order: Int[Tensor, "subs *starts nodes"]
) -> Float[Tensor, "subs *starts"]:
    """Cost of the open path through the nodes in this order."""
    n_nodes = costs.shape[-1]
    steps = order[..., :-1] * n_nodes + order[..., 1:]
    return costs.flatten(1).gather(1, steps.flatten(1)).view(steps.shape).sum(-1)


class MixedAttention(nn.Module):
    """Attention of the nodes of one kind over those of the other, whose scores are mixed with costs.

    The score of head h is f_h(q_h . k_h / sqrt(d), cost), where f_h is a perceptron of its own.

    Args:
        dim: Width of the embeddings.
        hidden: Width of the feedforward network.
        heads: Attention heads.
        mixer: Width of the perceptrons that mix.
    """

    def __init__(self, dim: int, hidden: int, heads: int, mixer: int = 16) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.combine = nn.Linear(dim, dim)
        bound = 1 / math.sqrt(2)
        self.mix_in = nn.Parameter(torch.empty(heads, 2, mixer).uniform_(-bound, bound))
        self.mix_bias = nn.Parameter(torch.empty(heads, 1, mixer).uniform_(-bound, bound))
        bound = 1 / math.sqrt(mixer)
        self.mix_out = nn.Parameter(torch.empty(heads, mixer, 1).uniform_(-bound, bound))
        self.feedforward = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        self.norms = nn.ModuleList(nn.InstanceNorm1d(dim, affine=True) for _ in range(2))

    def forward(
        self,
        own: Float[Tensor, "subs nodes dim"],
        other: Float[Tensor, "subs others dim"],
        costs: Float[Tensor, "subs nodes others"],
    ) -> Float[Tensor, "subs nodes dim"]:
        """New embeddings of `own`; costs are from its nodes (rows) to those of `other` (columns)."""
        query = by_heads(self.query(own), self.heads)
        key, value = (by_heads(linear(other), self.heads) for linear in (self.key, self.value))
        scores = query @ key.mT / math.sqrt(query.shape[-1])
        out = self._mix(scores, costs).softmax(-1) @ value
        merged = out.transpose(1, 2).flatten(2)
        h = over_nodes(self.norms[0], own + self.combine(merged))
        return over_nodes(self.norms[1], h + self.feedforward(h))

    def _mix(
        self, scores: Float[Tensor, "subs heads nodes others"], costs: Float[Tensor, "subs nodes others"]
    ) -> Float[Tensor, "subs heads nodes others"]:
        pairs = torch.stack([scores, costs[:, None].expand_as(scores)], -1)
        shape = pairs.shape[:-1]
        flat = pairs.flatten(2, 3)
        hidden = torch.relu(flat @ self.mix_in + self.mix_bias)
        return (hidden @ self.mix_out).view(shape)


def by_heads(h: Float[Tensor, "subs nodes dim"], heads: int) -> Float[Tensor, "subs heads nodes width"]:
    """The parts of embeddings that belong to each head."""
    return h.unflatten(-1, (heads, -1)).transpose(1, 2)


class _Encoded(NamedTuple):
    rows: Float[Tensor, "subs nodes dim"]
    columns: Float[Tensor, "subs nodes dim"]
    key: Float[Tensor, "subs heads nodes width"]
    value: Float[Tensor, "subs heads nodes width"]


class MatrixConqueror(DecodingConqueror):
    """MatNet for open paths with fixed ends, from the first node to the last.

    Args:
        config: Sizes.
    """

    DEFAULTS = ConquerorSizes(dim=256, layers=5, hidden=512, heads=16, clip=10.0)
    default_starts = 1

    def __init__(self, config: ConquerorConfig | None = None) -> None:
        super().__init__()
        self.config = config or ConquerorConfig()
        sizes = self.config.sizes(self.DEFAULTS)
        dim = self.dim = sizes.dim
        self.heads, self.clip = sizes.heads, sizes.clip
        self.embed_row_ends, self.embed_column_ends = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.row_blocks, self.column_blocks = (
            nn.ModuleList(MixedAttention(dim, sizes.hidden, sizes.heads) for _ in range(sizes.layers)) for _ in range(2)
        )
        self.query_end, self.query_current, self.key, self.value = (nn.Linear(dim, dim, bias=False) for _ in range(4))
        self.combine = nn.Linear(dim, dim)

    def encode(self, sub: MatrixPaths) -> _Encoded:
        """Embeddings of the nodes as rows, where paths come from, and as columns, where they go.

        Raises:
            ValueError: if windows have more nodes than embeddings have components.
        """
        n_nodes, dim = sub.seeds.shape[1], self.dim
        if n_nodes > dim:
            raise ValueError(f"windows of {n_nodes} nodes need a dim of at least {n_nodes}, not {dim}")
        columns = nn.functional.one_hot(sub.seeds, dim).to(sub.costs)
        rows = torch.zeros_like(columns)
        rows, columns = _with_ends(self.embed_row_ends, rows), _with_ends(self.embed_column_ends, columns)
        for row_block, column_block in zip(self.row_blocks, self.column_blocks, strict=True):
            rows, columns = row_block(rows, columns, sub.costs), column_block(columns, rows, sub.costs.mT)
        return _Encoded(
            rows, columns, by_heads(self.key(columns), self.heads), by_heads(self.value(columns), self.heads)
        )

    def episode(self, sub: MatrixPaths, n_starts: int) -> PathEpisode:
        """Paths of the first node."""
        return PathEpisode(sub, n_starts, lambda order: matrix_path_length(sub.costs, order), both_ways=False)

    def logits(
        self, encoded: _Encoded, inputs: Inputs, allowed: Bool[Tensor, "subs some nodes"]
    ) -> Float[Tensor, "subs some nodes"]:
        """Logits of the next node, given the current one and the end."""
        here, end = gather_nodes(encoded.rows, inputs["current"]), gather_nodes(encoded.rows, inputs["end"])
        query = by_heads(self.query_end(end) + self.query_current(here), self.heads)
        out = attention(query, encoded.key, encoded.value, allowed)
        score = self.combine(out) @ encoded.columns.mT / math.sqrt(self.dim)
        return self.clip * torch.tanh(score)


def attention(
    query: Float[Tensor, "subs heads some width"],
    key: Float[Tensor, "subs heads nodes width"],
    value: Float[Tensor, "subs heads nodes width"],
    allowed: Bool[Tensor, "subs some nodes"],
) -> Float[Tensor, "subs some dim"]:
    """Attention over the nodes that are allowed, with the heads side by side."""
    out = nn.functional.scaled_dot_product_attention(query, key, value, allowed[:, None])
    return out.transpose(1, 2).flatten(2)


def _with_ends(linear: nn.Linear, h: Float[Tensor, "subs nodes dim"]) -> Float[Tensor, "subs nodes dim"]:
    """The embeddings, those of the first and the last node mapped."""
    return torch.cat([linear(h[:, :1]), h[:, 1:-1], linear(h[:, -1:])], 1)
