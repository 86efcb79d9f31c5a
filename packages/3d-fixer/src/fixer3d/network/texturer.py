"""The networks of the texturing stage together, and features of the scene where it shows each voxel."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from fixer3d.configs import FlowConfig

from .texture import (
    SCENE_CHANNELS,
    Exists,
    TextureAutoencoder,
    TextureConditions,
    TextureFlow,
    instance_tokens,
    sample_features,
    visibility_ratio,
)

Tokens = Float[Tensor, "batch m c"]


@dataclass(frozen=True)
class TextureTokens:
    """Tokens of objects' images, by frozen encoders.

    Args:
        masked_crop: Of the crop, masked to the object.
        instance: The mean of those of the crop and of its mask.
        scene: Of the whole image, then of the object's mask in it.
    """

    masked_crop: Tokens
    instance: Tokens
    scene: Float[Tensor, "batch k c"]

    @classmethod
    def from_parts(
        cls, masked_crop: Tokens, crop: Tokens, crop_mask: Tokens, scene: Tokens, scene_mask: Tokens
    ) -> "TextureTokens":
        """Tokens from those of each image and mask."""
        return cls(masked_crop, instance_tokens(crop, crop_mask), torch.cat([scene, scene_mask], 1))

    def __getitem__(self, index: slice | Int[Tensor, "b"]) -> "TextureTokens":
        """Those of some objects."""
        return self._map(lambda part: part[index])

    def to(self, device: torch.device | str) -> "TextureTokens":
        """The same on a device."""
        return self._map(lambda part: part.to(device))

    def half(self) -> "TextureTokens":
        """The same in half precision."""
        return self._map(torch.Tensor.half)

    def float(self) -> "TextureTokens":
        """The same in single precision."""
        return self._map(torch.Tensor.float)

    @staticmethod
    def cat(parts: "list[TextureTokens]") -> "TextureTokens":
        """Those of several batches as one."""
        return TextureTokens(
            *(torch.cat(columns) for columns in zip(*(vars(one).values() for one in parts), strict=True))
        )

    def _map(self, function: Callable[[Tensor], Tensor]) -> "TextureTokens":
        return TextureTokens(*(function(part) for part in vars(self).values()))


class SceneFeatures(nn.Module):
    """Convolutions from the whole image, with depth and an object's mask, to features that are sampled for its voxels.

    The released model samples an encoder of geometry. Here the last channel says what a feature of a pixel alone
    cannot: how far the voxel is behind what its pixel shows.

    Args:
        channels: Channels of a voxel's features.
    """

    def __init__(self, channels: int = SCENE_CHANNELS) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(5, channels // 2, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(channels // 2, channels, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(channels, channels - 1, 1),
        )

    def forward(
        self,
        scene: Float[Tensor, "batch 4 s s"],
        mask: Float[Tensor, "batch 1 s s"],
        places: Float[Tensor, "batch n 2"],
        behind: Float[Tensor, "batch n"],
    ) -> Float[Tensor, "batch n channels"]:
        """The features of voxels.

        Args:
            scene: Whole images with relative depth, from 0 to 1.
            mask: The objects' masks in them.
            places: Of the voxels in the images, from -1 to 1 at the edges.
            behind: How far each voxel is behind what its pixel shows, from -1 to 1.
        """
        features = self.layers(2 * torch.cat([scene, mask], 1) - 1)
        return torch.cat([sample_features(features, places), behind[..., None].to(features)], -1)


class Texturer(nn.Module):
    """What colors the voxels of objects: an autoencoder of their appearance, a flow, and features of the scene.

    Args:
        config: Sizes of the flow.
    """

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.autoencoder = TextureAutoencoder(latent_channels=config.in_channels)
        self.flow = TextureFlow(config)
        self.features = SceneFeatures()

    def conditions(
        self,
        tokens: TextureTokens,
        scene: Float[Tensor, "batch 4 s s"],
        mask: Float[Tensor, "batch 1 s s"],
        places: Float[Tensor, "batch n 2"],
        behind: Float[Tensor, "batch n"],
        exists: Exists,
    ) -> TextureConditions:
        """What the flow is conditioned on.

        Args:
            tokens: Of the objects' images.
            scene: Whole images with relative depth, from 0 to 1.
            mask: The objects' masks in them.
            places: Of the voxels in the images, from -1 to 1 at the edges.
            behind: How far each voxel is behind what its pixel shows, from -1 to 1.
            exists: Which voxels count.
        """
        return TextureConditions(
            tokens.masked_crop,
            tokens.instance,
            tokens.scene,
            self.features(scene, mask, places, behind),
            visibility_ratio(mask[:, 0], places, exists),
        )
