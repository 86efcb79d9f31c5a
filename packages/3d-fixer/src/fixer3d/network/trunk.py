"""The object prior: a flow transformer from noise to latents, conditioned on an image (TRELLIS's sparse structure)."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fixer3d.configs import FlowConfig

from .attention import KeysValues, Tokens
from .blocks import TrunkBlock, initialize, zero
from .embeddings import TimestepEmbedder, grid_positions, position_embedding

Latent = Float[Tensor, "batch channels r r r"]
FINAL_EPS = 1e-5
"""Of the last normalization, which is PyTorch's own in the released models, unlike those of the blocks."""


def tokens_from_grid(x: Float[Tensor, "batch c r r r"], patch_size: int) -> Float[Tensor, "batch n cp"]:
    """Cut a grid into patches: one token each, z fastest, that holds each channel's voxels in turn."""
    b, c, r = x.shape[:3]
    n, p = r // patch_size, patch_size
    cut = x.reshape(b, c, n, p, n, p, n, p).permute(0, 2, 4, 6, 1, 3, 5, 7)
    return cut.reshape(b, n**3, c * p**3)


def grid_from_tokens(tokens: Float[Tensor, "batch n cp"], patch_size: int) -> Float[Tensor, "batch c r r r"]:
    """Put patches together; the inverse of `tokens_from_grid`."""
    b, p = len(tokens), patch_size
    n = round(tokens.shape[1] ** (1 / 3))
    cut = tokens.reshape(b, n, n, n, -1, p, p, p).permute(0, 4, 1, 5, 2, 6, 3, 7)
    return cut.reshape(b, -1, n * p, n * p, n * p)


class FlowTrunk(nn.Module):
    """The velocity of a latent on its way from noise, given tokens of one object's image.

    Conditioned on the crop that is masked to the object, it is what the control branch is added to; conditioned on
    tokens of zeros, it is unconditional.

    Args:
        config: Sizes.
    """

    pos_emb: Tensor

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        width, channels = config.width, config.in_channels * config.patch_size**3
        self.t_embedder = TimestepEmbedder(width)
        self.input_layer = nn.Linear(channels, width)
        initialize(self.input_layer)
        self.blocks = nn.ModuleList(TrunkBlock(config) for _ in range(config.n_blocks))
        self.out_layer = zero(nn.Linear(width, channels))
        positions = grid_positions(config.resolution // config.patch_size)
        self.register_buffer("pos_emb", position_embedding(positions, width))

    def prepare(self, cond: Float[Tensor, "batch m cond_width"]) -> list[KeysValues]:
        """What each block makes of image tokens, for several calls with the same ones."""
        cond = self.cast(cond)
        return [cast("TrunkBlock", block).cross_attn.keys_values(cond) for block in self.blocks]

    def forward(
        self,
        x: Latent,
        t: Float[Tensor, "batch"],
        cond: Float[Tensor, "batch m cond_width"] | list[KeysValues],
        *,
        hidden: bool = False,
    ) -> Latent | tuple[Latent, list[Tokens]]:
        """The velocity.

        Args:
            x: Noisy latents.
            t: Times, 0 (clean) to 1000 (noise).
            cond: Image tokens, or what `prepare` made of them.
            hidden: Whether the tokens after each block are returned, too.

        Returns:
            The velocity, or it and the tokens after each block.
        """
        h, embedded = self.embed(x), self.t_embedder(t)
        states = []
        for block, seen in zip(self.blocks, self.prepare(cond) if isinstance(cond, Tensor) else cond, strict=True):
            h = block(h, embedded, seen)
            states.append(h)
        v = self.project(h).to(x.dtype)
        return (v, states) if hidden else v

    def cast(self, x: Tensor) -> Tensor:
        """A tensor in the precision of the weights."""
        return x.to(self.input_layer.weight.dtype)

    def embed(self, x: Latent) -> Tokens:
        """Tokens of noisy latents, with their places.

        Raises:
            ValueError: if the latents do not have the shape of the configuration.
        """
        r, c = self.config.resolution, self.config.in_channels
        if x.shape[1:] != (c, r, r, r):
            raise ValueError(f"latents must have shape (batch, {c}, {r}, {r}, {r}), not {tuple(x.shape)}")
        return self.input_layer(tokens_from_grid(self.cast(x), self.config.patch_size)) + self.pos_emb

    def project(self, h: Tokens) -> Latent:
        """The velocity, from the tokens after the last block."""
        normal = F.layer_norm(h.float(), h.shape[-1:], eps=FINAL_EPS)
        return grid_from_tokens(self.out_layer(self.cast(normal)), self.config.patch_size)
