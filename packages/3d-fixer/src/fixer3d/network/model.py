"""All networks of a fixer, and how images and voxels become their conditions."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from fixer3d.configs import ModelConfig, SamplerConfig
from fixer3d.network.conditions import Conditions
from fixer3d.network.control import ControlBranch, DualBranchFlow
from fixer3d.network.encoders import ImageEncoder
from fixer3d.network.texturer import Texturer, TextureTokens
from fixer3d.network.trunk import FlowTrunk
from fixer3d.network.vae import SparseStructureVAE

Tokens = Float[Tensor, "batch n c"]


@dataclass(frozen=True)
class ObjectImages:
    """What is seen of each object of a batch, as bytes or from 0 to 1.

    Args:
        crop: The image around the object, RGB.
        crop_mask: The object's mask in it.
        scene: The whole image, RGB and relative depth.
        scene_mask: The object's mask in it.
    """

    crop: Shaped[Tensor, "batch 3 s s"]
    crop_mask: Shaped[Tensor, "batch 1 s s"]
    scene: Shaped[Tensor, "batch 4 s s"]
    scene_mask: Shaped[Tensor, "batch 1 s s"]

    def __len__(self) -> int:
        return len(self.crop)

    def __getitem__(self, index: slice | Tensor) -> "ObjectImages":
        """Those of some objects."""
        return ObjectImages(*(part[index] for part in vars(self).values()))

    def to(self, device: torch.device | str) -> "ObjectImages":
        """The same on a device."""
        return ObjectImages(*(part.to(device) for part in vars(self).values()))

    def floats(self) -> "ObjectImages":
        """The same from 0 to 1."""
        return ObjectImages(*(as_floats(part) for part in vars(self).values()))

    @staticmethod
    def cat(parts: "list[ObjectImages]") -> "ObjectImages":
        """Those of several batches as one."""
        return ObjectImages(*(torch.cat(columns) for columns in zip(*(vars(p).values() for p in parts), strict=True)))


def as_floats(image: Tensor) -> Tensor:
    """An image of bytes as numbers from 0 to 1; others as they are."""
    return image.float() / 255 if image.dtype == torch.uint8 else image


class FixerModel(nn.Module):
    """The autoencoder, the object prior with its image encoder, a control branch for each stage, and the texturer.

    Args:
        config: Sizes.
        stages: Stages that have a control branch, each with an encoder of the scene.
        texture: Whether there are the networks of the texturing stage.

    Attributes:
        samplers: How coarse, fine and prior are sampled where nothing else is asked for.
    """

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(
        self, config: ModelConfig, stages: tuple[str, ...] = ("coarse", "fine"), *, texture: bool = False
    ) -> None:
        super().__init__()
        self.config = config
        self.samplers: dict[str, SamplerConfig] = {}
        self.vae = SparseStructureVAE(config.vae)
        # Convolutions of few channels take two thirds of the time in this layout on a CPU.
        self.vae.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # a form that stubs lack
        self.prior = FlowTrunk(config.flow)
        self.encoder: nn.Module = ImageEncoder(config.encoder)
        self.controls, self.scene_encoders = nn.ModuleDict(), nn.ModuleDict()
        shape = (config.vae.latent_channels, 1, 1, 1)
        self.register_buffer("latent_mean", torch.zeros(shape))
        self.register_buffer("latent_std", torch.ones(shape))
        for stage in stages:
            self.add_stage(stage)
        self.texturer: Texturer | None = Texturer(config.texture) if texture else None

    @property
    def stages(self) -> tuple[str, ...]:
        """Stages that have a control branch."""
        return tuple(self.controls)

    def add_stage(self, stage: str, like: str | None = None, *, scene_branch: bool | None = None) -> None:
        """Add a control branch: with the weights of another stage's, or those of the prior.

        Args:
            stage: The stage.
            like: The stage whose weights are copied.
            scene_branch: Let the branch attend to the scene; as the configuration says if not given.
        """
        attends = self.config.scene_branch if scene_branch is None else scene_branch
        branch = ControlBranch(self.config.flow, scene_branch=attends)
        encoder = ImageEncoder(self.config.encoder, 4)
        if like is None:
            branch.copy_trunk(self.prior, live_depth_ratio=True)
        else:
            branch.load_state_dict(self.controls[like].state_dict(), strict=attends)
            encoder.load_state_dict(self.scene_encoders[like].state_dict())
        device = self.latent_mean.device
        self.controls[stage], self.scene_encoders[stage] = branch.to(device), encoder.to(device)

    def add_texturer(self) -> Texturer:
        """Add the networks of the texturing stage, or return those that are there."""
        if self.texturer is None:
            self.texturer = Texturer(self.config.texture).to(self.latent_mean.device)
        return self.texturer

    def flow(self, stage: str) -> DualBranchFlow:
        """The prior with the control branch of a stage.

        Raises:
            ValueError: if it has none.
        """
        self._check_stage(stage)
        control = self.controls[stage]
        assert isinstance(control, ControlBranch)  # noqa: S101 - for the type checker
        return DualBranchFlow(self.prior, control)

    def _check_stage(self, stage: str) -> None:
        if stage not in self.controls:
            raise ValueError(f"this model has no stage {stage}, but {', '.join(self.stages) or 'none'}")

    def encode(self, occupancy: Float[Tensor, "batch R R R"]) -> Float[Tensor, "batch c r r r"]:
        """Occupancy as a latent, normalized."""
        return (self.vae.encode(occupancy[:, None]) - self.latent_mean) / self.latent_std

    def decode(self, latent: Float[Tensor, "batch c r r r"]) -> Float[Tensor, "batch R R R"]:
        """A normalized latent as logits of occupancy."""
        return self.vae.decode(latent * self.latent_std + self.latent_mean)[:, 0]

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """Of one latent."""
        r = self.config.vae.latent_resolution
        return self.config.vae.latent_channels, r, r, r

    def masked_tokens(self, crop: Float[Tensor, "batch 3 s s"], mask: Float[Tensor, "batch 1 s s"]) -> Tokens:
        """Tokens of crops that are masked to their objects."""
        return self.encoder(crop * mask)

    def instance_tokens(self, crop: Float[Tensor, "batch 3 s s"], mask: Float[Tensor, "batch 1 s s"]) -> Tokens:
        """Tokens of crops, then of their masks."""
        return torch.cat([self.encoder(crop), self.mask_tokens(mask)], 1)

    def mask_tokens(self, mask: Float[Tensor, "batch 1 s s"]) -> Tokens:
        """Tokens of masks."""
        return self.encoder(mask.expand(-1, 3, -1, -1))

    def scene_tokens(self, stage: str, scene: Float[Tensor, "batch 4 s s"]) -> Tokens:
        """Tokens of whole images with depth.

        Raises:
            ValueError: if the stage has no control branch.
        """
        self._check_stage(stage)
        return self.scene_encoders[stage](scene)

    def texture_tokens(self, images: ObjectImages) -> TextureTokens:
        """Tokens of images for the texturing stage; those of the whole image are the fine stage's.

        Raises:
            ValueError: if there is no fine stage.
        """
        if "fine" not in self.stages:
            raise ValueError("the texturing stage needs the scene encoder of the stage fine, which this model lacks")
        images = images.floats()
        return TextureTokens.from_parts(
            self.masked_tokens(images.crop, images.crop_mask),
            self.encoder(images.crop),
            self.mask_tokens(images.crop_mask),
            self.scene_tokens("fine", images.scene),
            self.mask_tokens(images.scene_mask),
        )

    def conditions(
        self,
        stage: str,
        images: ObjectImages,
        partial: Float[Tensor, "batch c r r r"],
        confidence: Float[Tensor, "batch b r r r"],
        depth_ratio: Float[Tensor, "batch"],
    ) -> Conditions:
        """What a stage is conditioned on.

        Args:
            stage: `coarse` or `fine`.
            images: What is seen.
            partial: Latents of the visible voxels.
            confidence: Their confidence, from space to channels.
            depth_ratio: How much of the depth is estimated.
        """
        images = images.floats()
        return Conditions(
            masked_crop=self.masked_tokens(images.crop, images.crop_mask),
            instance=self.instance_tokens(images.crop, images.crop_mask),
            scene=torch.cat([self.scene_tokens(stage, images.scene), self.mask_tokens(images.scene_mask)], 1),
            partial=partial,
            confidence=confidence,
            depth_ratio=depth_ratio,
        )
