"""Multi-head attention within tokens and from tokens to an image's, under the parameter names of TRELLIS."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

Tokens = Float[Tensor, "batch n width"]
Mask = Bool[Tensor, "batch n"]
KeysValues = tuple[Float[Tensor, "batch heads _ head_width"], Float[Tensor, "batch heads _ head_width"]]
Context = Float[Tensor, "batch _ cond_width"] | KeysValues
"""Tokens of a condition, or what `CrossAttention.keys_values` made of them."""


class HeadRMSNorm(nn.Module):
    """Root-mean-square normalization of each head of queries or keys, with a gain for every channel.

    Args:
        n_heads: Heads.
        head_width: Channels of each.
    """

    def __init__(self, n_heads: int, head_width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(n_heads, head_width))

    def forward(self, x: Float[Tensor, "batch heads n channels"]) -> Float[Tensor, "batch heads n channels"]:
        """Normalize in single precision."""
        gain = self.gamma.float()[:, None] * x.shape[-1] ** 0.5
        return (F.normalize(x.float(), dim=-1) * gain).to(x.dtype)


class SelfAttention(nn.Module):
    """Attention of tokens to one another.

    Args:
        width: Channels of a token.
        n_heads: Heads.
        qk_rms_norm: Whether queries and keys are normalized.
    """

    def __init__(self, width: int, n_heads: int, *, qk_rms_norm: bool) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.to_qkv = nn.Linear(width, 3 * width)
        if qk_rms_norm:
            self.q_rms_norm = HeadRMSNorm(n_heads, width // n_heads)
            self.k_rms_norm = HeadRMSNorm(n_heads, width // n_heads)
        self.qk_rms_norm = qk_rms_norm
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tokens, mask: Mask | None = None) -> Tokens:
        """Attend.

        Args:
            x: Tokens.
            mask: True for tokens that exist, where a batch is padded; others are not attended to.

        Returns:
            What is to be added to the tokens.
        """
        q, k, v = (_split(part, self.n_heads) for part in self.to_qkv(x).chunk(3, dim=-1))
        if self.qk_rms_norm:
            q, k = self.q_rms_norm(q), self.k_rms_norm(k)
        keys = None if mask is None else mask[:, None, None, :]
        return self.to_out(_join(F.scaled_dot_product_attention(q, k, v, attn_mask=keys)))


class CrossAttention(nn.Module):
    """Attention of tokens to those of a condition.

    Args:
        width: Channels of a token.
        cond_width: Channels of a token of the condition.
        n_heads: Heads.
    """

    def __init__(self, width: int, cond_width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.to_q = nn.Linear(width, width)
        self.to_kv = nn.Linear(cond_width, 2 * width)
        self.to_out = nn.Linear(width, width)

    def keys_values(self, context: Float[Tensor, "batch _ cond_width"]) -> KeysValues:
        """Keys and values of a condition, for several calls with the same one."""
        k, v = (_split(part, self.n_heads) for part in self.to_kv(context).chunk(2, dim=-1))
        return k, v

    def forward(self, x: Tokens, context: Context) -> Tokens:
        """Attend to the condition; what is returned is to be added to the tokens."""
        q = _split(self.to_q(x), self.n_heads)
        k, v = self.keys_values(context) if isinstance(context, Tensor) else context
        return self.to_out(_join(F.scaled_dot_product_attention(q, k, v)))


def _split(x: Tensor, n_heads: int) -> Tensor:
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def _join(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)
