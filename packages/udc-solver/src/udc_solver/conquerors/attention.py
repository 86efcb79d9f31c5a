"""Multi-head attention over the nodes of sub-problems (POMO)."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


def attend(
    query: Float[Tensor, "batch rows dim"],
    key: Float[Tensor, "batch nodes dim"],
    value: Float[Tensor, "batch nodes dim"],
    heads: int,
    allowed: Bool[Tensor, "batch rows nodes"] | None = None,
) -> Float[Tensor, "batch rows dim"]:
    """Scaled dot-product attention, with the channels divided among the heads.

    Args:
        query: Of each row.
        key: Of each node.
        value: Of each node.
        heads: Into how many parts the channels are divided.
        allowed: Which nodes each row looks at; all by default, and one at least.
    """
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value))
    mask = None if allowed is None else allowed[:, None]
    out: Tensor = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return out.transpose(1, 2).flatten(2)


class AttentionLayer(nn.Module):
    """Self-attention and a feedforward network, each with a residual connection and instance normalization.

    Args:
        dim: Width of the embeddings.
        hidden: Width of the feedforward network.
        heads: Attention heads.
    """

    def __init__(self, dim: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.combine = nn.Linear(dim, dim)
        self.feedforward = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        self.norms = nn.ModuleList(nn.InstanceNorm1d(dim, affine=True) for _ in range(2))

    def forward(self, h: Float[Tensor, "batch nodes dim"]) -> Float[Tensor, "batch nodes dim"]:
        """New embeddings of the nodes."""
        query, key, value = self.qkv(h).chunk(3, -1)
        h = self._normalized(0, h + self.combine(attend(query, key, value, self.heads)))
        return self._normalized(1, h + self.feedforward(h))

    def _normalized(self, which: int, h: Float[Tensor, "batch nodes dim"]) -> Float[Tensor, "batch nodes dim"]:
        normalized: Tensor = self.norms[which](h.mT)
        return normalized.mT


class AttentionDecoder(nn.Module):
    """Scores all nodes as the next one, by a glimpse at those that are allowed.

        score_j = combine(attention(query)) . h_j / sqrt(dim), logits = clip * tanh(score)

    Args:
        dim: Width of the embeddings.
        heads: Attention heads.
        clip: Bound of the logits.
    """

    def __init__(self, dim: int, heads: int, clip: float) -> None:
        super().__init__()
        self.heads = heads
        self.key_value = nn.Linear(dim, 2 * dim, bias=False)
        self.combine = nn.Linear(dim, dim)
        self.clip = clip

    def prepare(self, h: Float[Tensor, "batch nodes dim"]) -> Float[Tensor, "batch nodes 2*dim"]:
        """What is the same for all steps."""
        both: Tensor = self.key_value(h)
        return both

    def forward(
        self,
        query: Float[Tensor, "batch rows dim"],
        h: Float[Tensor, "batch nodes dim"],
        prepared: Float[Tensor, "batch nodes 2*dim"],
        allowed: Bool[Tensor, "batch rows nodes"],
    ) -> Float[Tensor, "batch rows nodes"]:
        """Logits of the nodes."""
        key, value = prepared.chunk(2, -1)
        out = self.combine(attend(query, key, value, self.heads, allowed))
        return self.clip * torch.tanh(out @ h.mT / math.sqrt(h.shape[-1]))
