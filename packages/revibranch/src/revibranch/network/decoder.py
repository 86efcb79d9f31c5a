"""The decoder: candidates look into the memory of their path, and a dueling head values them."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

if TYPE_CHECKING:
    from revibranch.configs import PolicyConfig


def segment_mean(x: Float[Tensor, "n d"], segments: Int[Tensor, "n"], n_segments: int) -> Float[Tensor, "segments d"]:
    """Mean within each segment; 0 for one without members."""
    counts = torch.bincount(segments, minlength=n_segments).clamp_(min=1)
    return torch.zeros(n_segments, x.shape[1], device=x.device).index_add(0, segments, x) / counts[:, None]


class Decoder(nn.Module):
    """Values of candidates, given the memory of the path that led to their node.

    U_a = LayerNorm(V_a + CrossAttention(V_a, memory)), U_a <- U_a + FFN(U_a); then the dueling form (Wang et al. 2016)
    Q(a) = value + advantage(U_a) - mean_a' advantage(U_a'), where the value is of the mean of U over the candidates
    and the mean of the embeddings of all variables.

    Args:
        config: Width, heads, dropout.
    """

    def __init__(self, config: "PolicyConfig") -> None:
        super().__init__()
        size, dropout = config.embedding_size, config.dropout
        self.attention = nn.MultiheadAttention(size, config.n_heads, dropout, batch_first=True)
        self.norm = nn.LayerNorm(size)
        self.feedforward = nn.Sequential(
            nn.Linear(size, config.feedforward_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(config.feedforward_size, size),
            nn.Dropout(dropout),
        )
        self.value = nn.Sequential(nn.Linear(2 * size, size), nn.ReLU(), nn.Linear(size, 1))
        self.advantage = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, 1))

    def forward(
        self,
        candidates: Float[Tensor, "k d"],
        of: Int[Tensor, "k"],
        state: Float[Tensor, "b d"],
        memory: Float[Tensor, "b l d"],
        known: Bool[Tensor, "b l"],
    ) -> Float[Tensor, "k"]:
        """Q of each candidate.

        Args:
            candidates: Embeddings of the candidates, those of one node after those of another.
            of: The node of each.
            state: Mean embedding of all variables at each node.
            memory: What is remembered at each node.
            known: True where there is something.
        """
        n_nodes = len(state)
        counts = torch.bincount(of, minlength=n_nodes)
        places = torch.arange(len(of), device=of.device) - (counts.cumsum(0) - counts)[of]
        queries = candidates.new_zeros(n_nodes, int(counts.max()), candidates.shape[1])
        queries[of, places] = candidates
        # As in the memory, what is not padded takes no mask.
        padding = None if known.all() else ~known
        recalled, _ = self.attention(queries, memory, memory, key_padding_mask=padding, need_weights=False)
        u = self.norm(candidates + recalled[of, places])
        u = u + self.feedforward(u)
        value = self.value(torch.cat((segment_mean(u, of, n_nodes), state), 1))
        advantage = self.advantage(u)
        q = value[of] + advantage - segment_mean(advantage, of, n_nodes)[of]
        return q[:, 0]
