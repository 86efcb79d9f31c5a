"""Small transformers for the experiments: a GPT, a BERT-style masked model and a ViT of the same blocks."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from .configs import NetworkConfig, TransformerConfig
from .regression import ResidualMLP


class Attention(nn.Module):
    """Multi-head self-attention; queries, keys and values come from one linear layer."""

    def __init__(self, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch length width"]:
        """Attend within each sequence."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, causal=causal)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch length width"]:
        """Attention and the MLP, each with its residual connection."""
        x = x + self.attention(self.norm_1(x))
        return x + self.down(F.gelu(self.up(self.norm_2(x))))


class SequenceModel(nn.Module):
    """Logits for every place of a sequence: a GPT if causal, else a BERT-style encoder.

    Args:
        n_tokens: Size of the vocabulary.
        length: Longest sequence.
        config: Shape of the transformer.
        causal: Whether a place sees only those before it.
    """

    def __init__(self, n_tokens: int, length: int, config: TransformerConfig, *, causal: bool) -> None:
        super().__init__()
        self.tokens = nn.Embedding(n_tokens, config.width)
        self.places = nn.Parameter(0.02 * torch.randn(length, config.width))
        nn.init.normal_(self.tokens.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(config.width, config.heads, causal=causal) for _ in range(config.depth))
        self.norm, self.head = nn.LayerNorm(config.width), nn.Linear(config.width, n_tokens)

    def forward(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length n_tokens"]:
        """Logits of the next token (causal) or of the token at each place."""
        x = self.tokens(tokens) + self.places[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class ViT(nn.Module):
    """A vision transformer that averages over patches.

    Args:
        size: Pixels on a side of the square images.
        channels: Channels of the images.
        patch: Pixels on a side of a patch.
        n_classes: Number of classes.
        config: Shape of the transformer.

    Raises:
        ValueError: if patches do not fill the image.
    """

    def __init__(self, size: int, channels: int, patch: int, n_classes: int, config: TransformerConfig) -> None:
        super().__init__()
        if size % patch:
            raise ValueError(f"patches of {patch} pixels do not fill an image of {size}")
        self.patches = nn.Conv2d(channels, config.width, patch, patch)
        self.places = nn.Parameter(0.02 * torch.randn((size // patch) ** 2, config.width))
        self.blocks = nn.ModuleList(Block(config.width, config.heads, causal=False) for _ in range(config.depth))
        self.norm, self.head = nn.LayerNorm(config.width), nn.Linear(config.width, n_classes)

    def forward(self, images: Float[Tensor, "batch channels size size"]) -> Float[Tensor, "batch n_classes"]:
        """Logits of the classes."""
        x = self.patches(images).flatten(2).transpose(1, 2) + self.places
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


def make_network(network: NetworkConfig, config: TransformerConfig) -> nn.Module:
    """A network with initial weights from PyTorch's global generator.

    Args:
        network: Its inputs and outputs.
        config: The shape of its transformer; a residual MLP has the width and the depth.

    Raises:
        ValueError: if patches do not fill the image.
    """
    if network.kind == "curve":
        return ResidualMLP(config.width, config.depth)
    if network.kind == "classes":
        return ViT(network.length, network.channels, network.patch, network.n_outputs, config)
    return SequenceModel(network.n_outputs, network.length, config, causal=network.kind == "next")
