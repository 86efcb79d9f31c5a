"""The encoder-decoder transformer that reads a task and writes a trace and a plan."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .configs import EncoderDecoderConfig
from .rotary import RotaryEmbedding


class SwiGLU(nn.Module):
    """Gated feed-forward layer, w2 (silu(w1 x) * w3 x)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.w13 = nn.Linear(dim, 2 * hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Apply it to each position."""
        gate, value = self.w13(x).chunk(2, -1)
        return self.w2(F.silu(gate) * value)


def _split(x: Tensor, n_heads: int) -> Tensor:
    """(batch, length, heads · d) to (batch, heads, length, d)."""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def _join(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """Multi-head attention with rotary positions."""

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.rotary = RotaryEmbedding(dim // n_heads)

    def project(self, x: Float[Tensor, "batch length dim"], offset: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (batch, heads, length, features), turned by their positions."""
        q, k, v = (_split(part, self.n_heads) for part in self.qkv(x).chunk(3, -1))
        return self.rotary(q, offset), self.rotary(k, offset), v

    def forward(
        self,
        x: Float[Tensor, "batch length dim"],
        mask: Bool[Tensor, "batch 1 1 length"] | None = None,
        *,
        is_causal: bool = False,
    ) -> Float[Tensor, "batch length dim"]:
        """Attend to all positions that `mask` allows, or to earlier ones."""
        q, k, v = self.project(x)
        return self.out(_join(F.scaled_dot_product_attention(q, k, v, mask, is_causal=is_causal)))


class CrossAttention(nn.Module):
    """Multi-head attention from the decoder to the encoder's features, without positions."""

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.q = nn.Linear(dim, dim, bias=False)
        self.kv = nn.Linear(dim, 2 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)

    def project(self, features: Float[Tensor, "batch prompt dim"]) -> tuple[Tensor, Tensor]:
        """Keys and values of the features, each (batch, heads, prompt, features)."""
        k, v = (_split(part, self.n_heads) for part in self.kv(features).chunk(2, -1))
        return k, v

    def attend(
        self,
        x: Float[Tensor, "batch length dim"],
        keys_values: tuple[Tensor, Tensor],
        mask: Bool[Tensor, "batch 1 1 prompt"],
    ) -> Float[Tensor, "batch length dim"]:
        """Attend to what `project` gave."""
        q = _split(self.q(x), self.n_heads)
        return self.out(_join(F.scaled_dot_product_attention(q, *keys_values, mask)))


class EncoderBlock(nn.Module):
    """Self-attention and a feed-forward layer, each added to the normed input."""

    def __init__(self, config: EncoderDecoderConfig) -> None:
        super().__init__()
        self.attention_norm, self.feed_forward_norm = RMSNorm(config.dim), RMSNorm(config.dim)
        self.attention = SelfAttention(config.dim, config.n_heads)
        self.feed_forward = SwiGLU(config.dim, config.hidden)

    def forward(
        self, x: Float[Tensor, "batch length dim"], mask: Bool[Tensor, "batch 1 1 length"]
    ) -> Float[Tensor, "batch length dim"]:
        """Apply it to a batch of sequences."""
        x = x + self.attention(self.attention_norm(x), mask)
        return x + self.feed_forward(self.feed_forward_norm(x))


class DecoderBlock(nn.Module):
    """Causal self-attention, cross-attention and a feed-forward layer, each added to the normed input."""

    def __init__(self, config: EncoderDecoderConfig) -> None:
        super().__init__()
        self.attention_norm, self.cross_norm = RMSNorm(config.dim), RMSNorm(config.dim)
        self.feed_forward_norm = RMSNorm(config.dim)
        self.attention = SelfAttention(config.dim, config.n_heads)
        self.cross = CrossAttention(config.dim, config.n_heads)
        self.feed_forward = SwiGLU(config.dim, config.hidden)

    def forward(
        self,
        x: Float[Tensor, "batch length dim"],
        features: Float[Tensor, "batch prompt dim"],
        mask: Bool[Tensor, "batch 1 1 prompt"],
    ) -> Float[Tensor, "batch length dim"]:
        """Apply it to a batch of sequences."""
        x = x + self.attention(self.attention_norm(x), is_causal=True)
        x = x + self.cross.attend(self.cross_norm(x), self.cross.project(features), mask)
        return x + self.feed_forward(self.feed_forward_norm(x))


class RMSNorm(nn.RMSNorm):
    """Root mean square norm with weights, in single precision at least."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, eps=1e-5)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Norm the last axis."""
        if x.dtype in (torch.float32, torch.float64):
            return super().forward(x)
        return F.rms_norm(x.float(), self.normalized_shape, self.weight.float(), self.eps).to(x.dtype)


class EncoderDecoder(nn.Module):
    """The paper's transformer: pre-norm blocks with RMSNorm, SwiGLU and rotary positions, without biases and dropout.

    Padding is masked in the encoder as well as in cross-attention, so that a sequence's logits do not depend on those
    beside it in the batch.

    Args:
        config: Its shape.
    """

    def __init__(self, config: EncoderDecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder_embedding = nn.Embedding(config.vocab_size, config.dim)
        self.encoder = nn.ModuleList(EncoderBlock(config) for _ in range(config.n_layers))
        self.encoder_norm = RMSNorm(config.dim)
        self.encoder_head = nn.Linear(config.dim, config.dim, bias=False)
        self.decoder_embedding = nn.Embedding(config.vocab_size, config.dim)
        self.decoder = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))
        self.decoder_norm = RMSNorm(config.dim)
        self.decoder_head = nn.Linear(config.dim, config.vocab_size, bias=False)

    def encode(
        self, prompt: Int[Tensor, "batch prompt"], prompt_mask: Bool[Tensor, "batch prompt"]
    ) -> Float[Tensor, "batch prompt dim"]:
        """Features of the prompts.

        Args:
            prompt: Numbers of the tokens.
            prompt_mask: True where there is a token, False where there is padding.
        """
        x, mask = self.encoder_embedding(prompt), prompt_mask[:, None, None]
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_head(self.encoder_norm(x))

    def decode(
        self,
        features: Float[Tensor, "batch prompt dim"],
        prompt_mask: Bool[Tensor, "batch prompt"],
        target: Int[Tensor, "batch length"],
    ) -> Float[Tensor, "batch length vocab"]:
        """Logits of the token after each of the target's tokens."""
        x, mask = self.decoder_embedding(target), prompt_mask[:, None, None]
        for block in self.decoder:
            x = block(x, features, mask)
        return self.decoder_head(self.decoder_norm(x))

    def forward(
        self,
        prompt: Int[Tensor, "batch prompt"],
        prompt_mask: Bool[Tensor, "batch prompt"],
        target: Int[Tensor, "batch length"],
    ) -> Float[Tensor, "batch length vocab"]:
        """Logits of the token after each of the target's; padding at a target's end changes nothing before it."""
        return self.decode(self.encode(prompt, prompt_mask), prompt_mask, target)


def make_model(config: EncoderDecoderConfig, seed: int) -> EncoderDecoder:
    """A model with PyTorch's default initialization from a seed; leaves the global random state unchanged."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return EncoderDecoder(config)
