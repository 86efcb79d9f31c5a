"""Attention, from its bare form to several heads and to images."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class DotProductAttention(nn.Module):
    """Scaled dot-product attention, written out: similarity, softmax over the keys, weighted mean of the values."""

    def forward(
        self, q: Float[Tensor, "y k h"], k: Float[Tensor, "x k h"], v: Float[Tensor, "x k h"]
    ) -> Float[Tensor, "y k h"]:
        """What the network computes."""
        scores = torch.einsum("ykh,xkh->yxh", q, k) / math.sqrt(q.shape[1])
        return torch.einsum("yxh,xkh->ykh", scores.softmax(1), v)


class MultiHeadAttention(nn.Module):
    """Multi-head cross-attention: queries of y tokens look at x tokens."""

    def __init__(self, width: int = 128, key_width: int = 16, n_heads: int = 4) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query = nn.Linear(width, key_width * n_heads, bias=False)
        self.key = nn.Linear(width, key_width * n_heads, bias=False)
        self.value = nn.Linear(width, key_width * n_heads, bias=False)
        self.attend = DotProductAttention()
        self.out = nn.Linear(key_width * n_heads, width, bias=False)

    def forward(self, y: Float[Tensor, "y m"], x: Float[Tensor, "x m"]) -> Float[Tensor, "y m"]:
        """What the network computes."""
        q, k, v = (
            layer(tokens).unflatten(-1, (-1, self.n_heads))
            for layer, tokens in ((self.query, y), (self.key, x), (self.value, x))
        )
        return self.out(self.attend(q, k, v).flatten(-2))


class VisualAttention(nn.Module):
    """Attention between pixels: queries at each, keys and values at the places of a strided convolution."""

    def __init__(
        self, channels: int = 33, key_width: int = 8, n_heads: int = 4, kernel: int = 3, stride: int = 3
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        inner = key_width * n_heads
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key = nn.Conv2d(channels, inner, kernel, stride, bias=False)
        self.value = nn.Conv2d(channels, inner, kernel, stride, bias=False)
        self.out = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """What the network computes."""
        q, k, v = (
            layer(image).unflatten(1, (self.n_heads, -1)).flatten(-2) for layer in (self.query, self.key, self.value)
        )
        scores = torch.einsum("bhky,bhkx->bhyx", q, k) / math.sqrt(q.shape[2])
        found = torch.einsum("bhyx,bhkx->bhky", scores.softmax(-1), v)
        return self.out(found.flatten(1, 2).unflatten(-1, image.shape[-2:]))
