"""Transformers: an encoder and decoder, and a small language model."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


class SelfAttention(nn.Module):
    """Self-attention with its heads in one matrix product; causal if asked."""

    def __init__(self, width: int, n_heads: int, *, is_causal: bool = False) -> None:
        super().__init__()
        self.n_heads, self.is_causal = n_heads, is_causal
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(
        self, x: Float[Tensor, "b y m"], memory: Float[Tensor, "b x m"] | None = None
    ) -> Float[Tensor, "b y m"]:
        """What the network computes."""
        seen = x if memory is None else memory
        q, k, v = (
            layer(tokens).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for layer, tokens in ((self.query, x), (self.key, seen), (self.value, seen))
        )
        found = F.scaled_dot_product_attention(q, k, v, is_causal=self.is_causal)
        return self.out(found.transpose(1, 2).flatten(-2))


class FeedForward(nn.Sequential):
    """Two linear layers with a nonlinearity between them, applied to each token."""

    def __init__(self, width: int, hidden: int, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__(nn.Linear(width, hidden), activation(), nn.Linear(hidden, width))


class EncoderBlock(nn.Module):
    """Self-attention and a feed-forward network, each with a residual connection and a normalization before it."""

    def __init__(self, width: int, n_heads: int, hidden: int, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, n_heads)
        self.feed = FeedForward(width, hidden, activation)

    def forward(self, x: Float[Tensor, "b x m"]) -> Float[Tensor, "b x m"]:
        """What the network computes."""
        x = x + self.attention(self.norm1(x))
        return x + self.feed(self.norm2(x))


class DecoderBlock(nn.Module):
    """Causal self-attention, attention to the encoder's output, and a feed-forward network."""

    def __init__(self, width: int, n_heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attention = SelfAttention(width, n_heads, is_causal=True)
        self.cross = SelfAttention(width, n_heads)
        self.feed = FeedForward(width, hidden)

    def forward(self, y: Float[Tensor, "b y m"], memory: Float[Tensor, "b x m"]) -> Float[Tensor, "b y m"]:
        """What the network computes."""
        y = y + self.attention(self.norm1(y))
        y = y + self.cross(self.norm2(y), memory)
        return y + self.feed(self.norm3(y))


class EncoderDecoder(nn.Module):
    """The transformer: source tokens are encoded, target tokens decoded with a view of them."""

    def __init__(
        self,
        n_tokens: int = 100,
        width: int = 32,
        n_heads: int = 4,
        hidden: int = 64,
        n_blocks: int = 2,
        length: int = 64,
    ) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(n_tokens, width), nn.Embedding(n_tokens, width)
        self.positions = nn.Parameter(0.02 * torch.randn(length, width))
        self.encoder = nn.Sequential(*(EncoderBlock(width, n_heads, hidden) for _ in range(n_blocks)))
        self.decoder = nn.ModuleList(DecoderBlock(width, n_heads, hidden) for _ in range(n_blocks))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_tokens)

    def forward(self, source: Int[Tensor, "b x"], target: Int[Tensor, "b y"]) -> Float[Tensor, "b y tokens"]:
        """What the network computes."""
        memory = self.encoder(self.source(source) + self.positions[: source.shape[1]])
        y = self.target(target) + self.positions[: target.shape[1]]
        for block in self.decoder:
            y = block(y, memory)
        return self.head(self.norm(y))
