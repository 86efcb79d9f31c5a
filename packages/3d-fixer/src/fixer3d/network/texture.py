"""The texturing stage in a small form: a flow over the active voxels' latents, decoded to color and surface offset.

The released models use sparse convolutions for up to tens of thousands of voxels; this is dense attention over at most
512 of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from fixer3d.configs import TEXTURE_CHANNELS, FlowConfig

from .attention import Tokens
from .blocks import ControlBlock, TrunkBlock, initialize, zero
from .embeddings import TimestepEmbedder, position_embedding
from .trunk import FINAL_EPS

MAX_VOXELS = 512
"""The most voxels of an object that are textured at once."""
SCENE_CHANNELS = 32
"""Channels of the scene encoder's features that are sampled for each voxel."""
MAX_OFFSET = 3**0.5 / 2
"""The largest offset of a surface from the center of a voxel that it touches, in voxels."""

VoxelLatents = Float[Tensor, "batch n channels"]
Coordinates = Int[Tensor, "batch n 3"]
Exists = Bool[Tensor, "batch n"]
Times = Float[Tensor, "batch"]


@dataclass(frozen=True)
class Voxels:
    """The active voxels of a batch of objects, padded to as many in each.

    Args:
        coordinates: Indices along x, y and z.
        exists: False for what only pads.
    """

    coordinates: Coordinates
    exists: Exists

    @classmethod
    def from_occupancy(cls, occupancy: Bool[Tensor, "batch R R R"], n: int = MAX_VOXELS) -> "Voxels":
        """The occupied voxels of each object, evenly thinned where there are more than n.

        Raises:
            ValueError: if an object has none.
        """
        found = [_thinned(one.nonzero(), n) for one in occupancy]
        if not all(len(one) for one in found):
            raise ValueError("an object has no occupied voxel to texture")
        coordinates = nn.utils.rnn.pad_sequence(found, batch_first=True)
        lengths = torch.tensor([len(one) for one in found], device=occupancy.device)
        return cls(coordinates, torch.arange(coordinates.shape[1], device=occupancy.device) < lengths[:, None])

    def centers(self, resolution: int) -> Float[Tensor, "batch n 3"]:
        """The voxels' centers in the cube from -0.5 to 0.5."""
        return (self.coordinates + 0.5) / resolution - 0.5


@dataclass(frozen=True)
class TextureConditions:
    """What a texture is conditioned on.

    Args:
        masked_crop: Tokens of the crop, masked to the object; for the trunk.
        instance: The mean of the tokens of the crop and of its mask.
        scene: Tokens of the whole image and of the object's mask in it.
        features: The scene encoder's features where each voxel's center is seen; see `sample_features`.
        visibility: Fraction of the voxels that are seen inside the object's mask; see `visibility_ratio`.
    """

    masked_crop: Float[Tensor, "batch m c"]
    instance: Float[Tensor, "batch m c"]
    scene: Float[Tensor, "batch k c"]
    features: Float[Tensor, "batch n scene_channels"]
    visibility: Float[Tensor, "batch"]


def instance_tokens(crop: Float[Tensor, "batch m c"], mask: Float[Tensor, "batch m c"]) -> Float[Tensor, "batch m c"]:
    """The mean of the tokens of a crop and of its mask."""
    return (crop + mask) / 2


def sample_features(
    features: Float[Tensor, "batch c h w"], places: Float[Tensor, "batch n 2"]
) -> Float[Tensor, "batch n c"]:
    """Features of an image at places, bilinearly; zeros outside.

    Args:
        features: A map of the whole image.
        places: Right and down from -1 to 1 at the image's outer edges.
    """
    sampled = F.grid_sample(features, places[:, None].to(features.dtype), mode="bilinear", align_corners=False)
    return sampled[:, :, 0].transpose(1, 2)


def visibility_ratio(
    mask: Float[Tensor, "batch h w"], places: Float[Tensor, "batch n 2"], exists: Exists
) -> Float[Tensor, "batch"]:
    """The fraction of an object's voxels that are seen inside its mask.

    Args:
        mask: One inside the mask, zero outside.
        places: Of the voxels' centers in the image, as for `sample_features`.
        exists: Which voxels count.
    """
    inside = sample_features(mask[:, None], places)[..., 0] * exists
    return inside.sum(1) / exists.sum(1).clamp(min=1)


class TextureFlow(nn.Module):
    """The velocity of the active voxels' latents: a trunk on the masked crop, with a control branch added.

    The control tokens are the sampled scene features; the control blocks are those of the structure's flow with the
    visibility ratio in place of the depth ratio. Without control, as in the unconditional pass, the trunk is alone.

    Args:
        config: Sizes; `resolution` is that of the voxel grid, and a token is one voxel.
        scene_channels: Channels of the sampled features.

    Raises:
        ValueError: if a token is to be more than one voxel.
    """

    def __init__(self, config: FlowConfig, scene_channels: int = SCENE_CHANNELS) -> None:
        super().__init__()
        if config.patch_size != 1:
            raise ValueError(f"textures have one token for each voxel; patch_size must be 1, not {config.patch_size}")
        self.config = config
        width, channels = config.width, config.in_channels
        self.t_embedder, self.vis_ratio_embedder = TimestepEmbedder(width), TimestepEmbedder(width)
        self.input_layer, self.input_layer_cond = nn.Linear(channels, width), nn.Linear(scene_channels, width)
        initialize(self.input_layer)
        initialize(self.input_layer_cond)
        self.blocks = nn.ModuleList(TrunkBlock(config) for _ in range(config.n_blocks))
        self.control_blocks = nn.ModuleList(ControlBlock(config) for _ in range(config.n_control_blocks))
        self.control_path = nn.Sequential(*[zero(nn.Linear(width, width)) for _ in range(config.n_control_blocks)])
        self.out_layer = zero(nn.Linear(width, channels))

    @torch.no_grad()
    def start_control(self, *, live_ratio: bool = False) -> None:
        """Copy the trunk's blocks and embedder into the control branch; see `ControlBranch.copy_trunk`."""
        self.vis_ratio_embedder.load_state_dict(self.t_embedder.state_dict())
        for block, source in zip(self.control_blocks, self.blocks, strict=False):
            cast("ControlBlock", block).copy_trunk(cast("TrunkBlock", source), live_depth_ratio=live_ratio)

    @property
    def trunk_parts(self) -> list[nn.Module]:
        """The modules of the trunk."""
        return [self.t_embedder, self.input_layer, self.blocks, self.out_layer]

    @property
    def control_parts(self) -> list[nn.Module]:
        """The modules of the control branch."""
        return [self.vis_ratio_embedder, self.input_layer_cond, self.control_blocks, self.control_path]

    def trunk(
        self, z: VoxelLatents, t: Times, voxels: Voxels, crop: Float[Tensor, "batch m c"]
    ) -> tuple[VoxelLatents, list[Tokens]]:
        """The velocity by the trunk alone, and its tokens after each block.

        Args:
            z: Noisy latents of each voxel.
            t: Times, 0 (clean) to 1000 (noise).
            voxels: Where they are.
            crop: Image tokens; zeros for the unconditional velocity.
        """
        h, embedded, states = self.input_layer(z) + self._positions(z, voxels), self.t_embedder(t), []
        for block in self.blocks:
            h = block(h, embedded, crop, voxels.exists)
            states.append(h)
        return self._project(h, voxels), states

    def forward(
        self,
        z: VoxelLatents,
        t: Times,
        voxels: Voxels,
        conditions: TextureConditions | None,
        *,
        hidden: bool = False,
    ) -> VoxelLatents | tuple[VoxelLatents, list[Tokens]]:
        """The velocity.

        Args:
            z: Noisy latents of each voxel.
            t: Times, 0 (clean) to 1000 (noise).
            voxels: Where they are.
            conditions: Those of the first objects; for as many as they are fewer than the latents, the rest is
                unconditional: image tokens of zeros and no control.
            hidden: Whether the trunk's tokens after each block and its control are returned, too.
        """
        if conditions is None:
            v, states = self.trunk(z, t, voxels, z.new_zeros(len(z), 1, self.config.cond_width))
            return (v, states) if hidden else v
        positions, embedded, states = self._positions(z, voxels), self.t_embedder(t), []
        n = len(conditions.visibility)
        crop = F.pad(conditions.masked_crop, (0, 0, 0, 0, 0, len(z) - n))
        h, c = self.input_layer(z) + positions, self.input_layer_cond(conditions.features) + positions[:n]
        ratio = self.vis_ratio_embedder(1000 * conditions.visibility)
        for i, block in enumerate(self.blocks):
            h = block(h, embedded, crop, voxels.exists)
            if i < len(self.control_blocks):
                inputs = embedded[:n], ratio, conditions.instance, conditions.scene, voxels.exists[:n]
                c = self.control_blocks[i](c, *inputs)
                h = torch.cat([h[:n] + self.control_path[i](c), h[n:]])
            states.append(h)
        return (self._project(h, voxels), states) if hidden else self._project(h, voxels)

    def _positions(self, z: VoxelLatents, voxels: Voxels) -> Tensor:
        return position_embedding(voxels.coordinates, self.config.width).to(z.dtype)

    def _project(self, h: Tensor, voxels: Voxels) -> VoxelLatents:
        return self.out_layer(F.layer_norm(h, h.shape[-1:], eps=FINAL_EPS)) * voxels.exists[..., None]


def make_texture_velocity(
    flow: TextureFlow, voxels: Voxels, conditions: TextureConditions
) -> Callable[[Tensor, Tensor, bool], Tensor]:
    """The texture's flow under conditions, for `fixer3d.flow.sampling.sample`; unconditional without control."""
    both = Voxels(voxels.coordinates.repeat(2, 1, 1), voxels.exists.repeat(2, 1))

    def velocity(z: Tensor, t: Tensor, guided: bool) -> Tensor:
        return flow(z, t, both if guided else voxels, conditions)

    return velocity


class TextureAutoencoder(nn.Module):
    """Between a voxel's appearance and its latent: color and the surface's offset, by two small networks.

    Args:
        width: Channels of their hidden layers.
        latent_channels: Channels of a latent.
    """

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, width: int = 64, latent_channels: int = TEXTURE_CHANNELS) -> None:
        super().__init__()
        self.encoder = _network(4, width, latent_channels)
        self.decoder = _network(latent_channels, width, 4)
        self.register_buffer("latent_mean", torch.zeros(latent_channels))
        self.register_buffer("latent_std", torch.ones(latent_channels))

    @torch.no_grad()
    def normalize(self, rgb: Float[Tensor, "n 3"], offset: Float[Tensor, "n"]) -> None:
        """Have the latents of some voxels mean 0 and variance 1 in each channel, for the flow to be trained on them."""
        z = self.encode(rgb, offset) * self.latent_std + self.latent_mean
        self.latent_mean, self.latent_std = z.mean(0), z.std(0).clamp(min=1e-6)

    def encode(self, rgb: Float[Tensor, "*n 3"], offset: Float[Tensor, "*n"]) -> Float[Tensor, "*n channels"]:
        """Normalized latents of colors from 0 to 1, and of offsets in voxels."""
        z = self.encoder(torch.cat([2 * rgb - 1, offset[..., None] / MAX_OFFSET], dim=-1))
        return (z - self.latent_mean) / self.latent_std

    def decode(self, z: Float[Tensor, "*n channels"]) -> tuple[Float[Tensor, "*n 3"], Float[Tensor, "*n"]]:
        """Colors from 0 to 1, and offsets along the surface's normal, in voxels."""
        out = self.decoder(z * self.latent_std + self.latent_mean)
        return out[..., :3].sigmoid(), MAX_OFFSET * out[..., 3].tanh()


def _network(n_in: int, width: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, n_out))


def _thinned(found: Int[Tensor, "n 3"], n: int) -> Int[Tensor, "m 3"]:
    if len(found) <= n:
        return found
    return found[torch.linspace(0, len(found) - 1, n, device=found.device).round().long()]
