"""The vision transformer."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .transformer import EncoderBlock


class VisionTransformer(nn.Module):
    """Patches of an image and a class token go through the encoder of a transformer."""

    def __init__(
        self, size: int = 32, patch: int = 8, width: int = 48, n_heads: int = 4, n_blocks: int = 3, n_classes: int = 10
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, stride=patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn((size // patch) ** 2 + 1, width))
        self.blocks = nn.Sequential(*(EncoderBlock(width, n_heads, 2 * width, nn.GELU) for _ in range(n_blocks)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_classes)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b classes"]:
        """What the network computes."""
        tokens = self.patches(image).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.token.expand(len(image), -1, -1), tokens), 1) + self.positions
        return self.head(self.norm(self.blocks(tokens))[:, 0])
