"""Settings, as the commands take them and as experiments hold them. Imports nothing slow."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from separata.configs import check_seed

Stage = Literal["vae", "upright", "prior", "control-pre", "coarse", "fine", "texture"]
FrameKind = Literal["coarse", "fine"]

STAGES: tuple[Stage, ...] = get_args(Stage)
TRAINING_CATEGORIES = ("chair", "table", "stool", "lamp", "shelf", "sofa", "mug", "bottle", "box", "bed")
HELD_OUT_CATEGORIES = ("bench", "cabinet", "vase", "monitor", "ladder")
"""Kinds of objects that nothing is trained on."""
CONFIDENT = 0.8
"""Points of less confidence than this are not used to place a frame."""
MAX_OBJECTS = 97
"""Objects of a scene at most: an index image holds the numbers up to 99, and an object's are 3 and up."""
TEXTURE_CHANNELS = 8
"""Channels of the latent of a voxel's appearance."""
BLOCK = 4
"""Edge of the blocks of the confidence grid whose voxels become channels."""


def _check_positive(config: object, *names: str) -> None:
    for name in names:
        if not getattr(config, name) > 0:
            raise ValueError(f"{name.replace('_', ' ')} must be positive, not {getattr(config, name)}")


@dataclass(frozen=True)
class VAEConfig:
    """The variational autoencoder of occupancy grids.

    Args:
        resolution: Voxels along each edge of the cube; a multiple of 4.
        channels: Channels of each level; every level but the first halves the resolution.
        latent_channels: Channels of a latent voxel.
        n_res_blocks: Residual blocks of a level.
        n_middle_blocks: Residual blocks at the lowest resolution.

    Raises:
        ValueError: if a number is not positive, or the resolution cannot be halved so often.
    """

    resolution: int = 32
    channels: tuple[int, ...] = (16, 32, 64)
    latent_channels: int = 8
    n_res_blocks: int = 2
    n_middle_blocks: int = 2

    def __post_init__(self) -> None:
        _check_positive(self, "resolution", "latent_channels", "n_res_blocks", "n_middle_blocks")
        if not self.channels or min(self.channels) < 1:
            raise ValueError(f"the channels of a VAE must be positive, not {self.channels}")
        if self.resolution % self.factor:
            raise ValueError(f"a resolution of {self.resolution} cannot be halved for channels {self.channels}")

    @property
    def factor(self) -> int:
        """Voxels along each edge that make one of the latent."""
        return 2 ** (len(self.channels) - 1)

    @property
    def latent_resolution(self) -> int:
        """Latent voxels along each edge."""
        return self.resolution // self.factor

    @classmethod
    def full(cls) -> "VAEConfig":
        """The size of TRELLIS."""
        return cls(64, (32, 128, 512))


@dataclass(frozen=True)
class FlowConfig:
    """The flow transformer (trunk) and its control branch.

    Args:
        resolution: Latent voxels along each edge.
        in_channels: Channels of a latent voxel.
        patch_size: Latent voxels along each edge of a token.
        width: Width of the transformer.
        n_blocks: Blocks of the trunk.
        n_control_blocks: Blocks of the control branch.
        n_heads: Heads of attention.
        cond_width: Width of the image tokens.
        mlp_ratio: Width of the feed-forward layers over the width of the transformer.
        confidence_block: Edge of the blocks of voxels that one token of the confidence grid stands for.
        qk_rms_norm: Normalize queries and keys of self-attention.

    Raises:
        ValueError: if a number is not positive, or one does not divide another that it must.
    """

    resolution: int = 8
    in_channels: int = 8
    patch_size: int = 2
    width: int = 128
    n_blocks: int = 6
    n_control_blocks: int = 3
    n_heads: int = 4
    cond_width: int = 128
    mlp_ratio: float = 4.0
    confidence_block: int = 4
    qk_rms_norm: bool = True

    def __post_init__(self) -> None:
        _check_positive(self, *(name for name in vars(self) if name != "qk_rms_norm"))
        if self.resolution % self.patch_size:
            raise ValueError(f"patches of {self.patch_size} do not divide a latent of {self.resolution}")
        if self.width % self.n_heads:
            raise ValueError(f"{self.n_heads} heads do not divide a width of {self.width}")
        if self.n_control_blocks > self.n_blocks:
            raise ValueError(f"a trunk of {self.n_blocks} blocks cannot have {self.n_control_blocks} blocks of control")

    @property
    def n_tokens(self) -> int:
        """Tokens of a latent."""
        return (self.resolution // self.patch_size) ** 3

    @classmethod
    def full(cls) -> "FlowConfig":
        """The size of TRELLIS and 3D-Fixer."""
        return cls(16, 8, 1, 1024, 24, 12, 16, 1024)


@dataclass(frozen=True)
class EncoderConfig:
    """The image encoder of the small model.

    Args:
        image_size: Pixels along each edge of a crop.
        patch_size: Pixels along each edge of a token.
        width: Width of the tokens.
        n_layers: Layers.

    Raises:
        ValueError: if a number is not positive or the patches do not divide the image.
    """

    image_size: int = 64
    patch_size: int = 8
    width: int = 128
    n_layers: int = 4

    def __post_init__(self) -> None:
        _check_positive(self, *vars(self))
        if self.patch_size.bit_count() != 1 or self.image_size % self.patch_size:
            raise ValueError(
                f"a patch size must be a power of two that divides the image's {self.image_size}, not {self.patch_size}"
            )
        if self.n_layers < self.patch_size.bit_length() - 1:
            raise ValueError(f"{self.n_layers} layers are too few for patches of {self.patch_size} pixels")


@dataclass(frozen=True)
class ModelConfig:
    """All networks of a fixer; the defaults are the small model's.

    Args:
        vae: Autoencoder of occupancy.
        flow: Trunk and control branches.
        encoder: Image encoder.
        scene_branch: Let the control branches attend to the whole scene.

    Raises:
        ValueError: if they do not fit together.
    """

    vae: VAEConfig = field(default_factory=lambda: VAEConfig(32, (8, 16, 32), n_res_blocks=1, n_middle_blocks=1))
    flow: FlowConfig = field(default_factory=FlowConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    scene_branch: bool = True

    def __post_init__(self) -> None:
        latent = self.vae.latent_resolution, self.vae.latent_channels
        if latent != (self.flow.resolution, self.flow.in_channels):
            raise ValueError(
                f"the VAE has latents of {latent[0]}^3 x {latent[1]}, but the flow takes {self.flow.resolution}^3 x "
                f"{self.flow.in_channels}"
            )
        if self.vae.resolution % BLOCK or self.flow.confidence_block != self.vae.factor:
            raise ValueError(
                f"a resolution of {self.vae.resolution} is not a multiple of {BLOCK}, or a latent voxel does not stand "
                f"for the {self.flow.confidence_block} voxels along each edge whose confidence a token has"
            )
        if self.encoder.width != self.flow.cond_width:
            raise ValueError(
                f"image tokens are {self.encoder.width} wide, but the flow takes {self.flow.cond_width} features"
            )

    @property
    def texture(self) -> FlowConfig:
        """The flow of the texturing stage: half as wide as that of shapes, two thirds as deep; a token is a voxel."""
        flow = self.flow
        return FlowConfig(
            self.vae.resolution,
            TEXTURE_CHANNELS,
            patch_size=1,
            width=flow.width // 2,
            n_blocks=max(1, 2 * flow.n_blocks // 3),
            n_control_blocks=max(1, 2 * flow.n_control_blocks // 3),
            n_heads=flow.n_heads,
            cond_width=flow.cond_width,
            mlp_ratio=flow.mlp_ratio / 2,
            qk_rms_norm=flow.qk_rms_norm,
        )

    @classmethod
    def toy(cls) -> "ModelConfig":
        """Small enough for tests: occupancy of 16^3 and 8 tokens."""
        return cls(
            VAEConfig(16, (4, 8, 8), n_res_blocks=1, n_middle_blocks=1),
            FlowConfig(4, width=32, n_blocks=2, n_control_blocks=1, n_heads=2, cond_width=32),
            EncoderConfig(32, 8, 32, 3),
        )


@dataclass(frozen=True)
class SamplerConfig:
    """The Euler sampler of a rectified flow, with classifier-free guidance.

    Args:
        n_steps: Euler steps.
        guidance: Strength s of guidance: the velocity is (1 + s) conditional - s unconditional.
        interval: Times between which guidance is used.
        rescale: Factor r of the times, t' = r t / (1 + (r - 1) t).

    Raises:
        ValueError: if a number is out of range.
    """

    n_steps: int = 25
    guidance: float = 5.0
    interval: tuple[float, float] = (0.5, 1.0)
    rescale: float = 3.0

    def __post_init__(self) -> None:
        _check_positive(self, "n_steps", "rescale")
        if not self.guidance >= 0:
            raise ValueError(f"the guidance must not be negative, but it is {self.guidance}")
        if math.inf in (self.guidance, self.rescale):
            raise ValueError(f"guidance and rescale must be finite, not {self.guidance} and {self.rescale}")
        if not 0 <= self.interval[0] <= self.interval[1] <= 1:
            raise ValueError(f"the interval of guidance must lie in [0, 1] and be ordered, not {self.interval}")


@dataclass(frozen=True)
class SceneConfig:
    """Random scenes: objects on a floor between walls, seen from many cameras.

    Args:
        n_objects: Least and most objects of a scene.
        n_views: Cameras.
        image_size: Pixels along each edge of an image.
        floor_size: Edge of the floor; no object stands outside.
        wall_probability: Probability of each wall, and of the floor.
        scale: Least and largest size of an object.
        n_tries: Tries to place an object without overlap before it is left out.
        categories: Kinds of objects.

    Raises:
        ValueError: if a number is out of range, or there is no such kind.
    """

    n_objects: tuple[int, int] = (3, 6)
    n_views: int = 4
    image_size: int = 128
    floor_size: float = 5.0
    wall_probability: float = 0.9
    scale: tuple[float, float] = (0.5, 2.0)
    n_tries: int = 100
    categories: tuple[str, ...] = TRAINING_CATEGORIES

    def __post_init__(self) -> None:
        _check_positive(self, "n_views", "image_size", "floor_size", "n_tries")
        for name in ("n_objects", "scale"):
            least, most = getattr(self, name)
            if not 0 < least <= most:
                raise ValueError(f"{name.replace('_', ' ')} must be positive and ordered, not {least} {most}")
        if self.n_objects[1] > MAX_OBJECTS:
            raise ValueError(f"a scene has at most {MAX_OBJECTS} objects, not {self.n_objects[1]}")
        if not 0 <= self.wall_probability <= 1:
            raise ValueError(f"the probability of walls must lie in [0, 1], not {self.wall_probability}")
        known = (*TRAINING_CATEGORIES, *HELD_OUT_CATEGORIES)
        unknown = [name for name in self.categories if name not in known]
        if unknown or not self.categories:
            raise ValueError(f"the kinds of objects are {', '.join(known)}; {', '.join(unknown) or 'none'} is not one")


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes of training examples, the same for the partial cloud and its target.

    Args:
        yaw: Largest angle about the vertical, in degrees.
        tilt: Largest angle about each of the other axes, in degrees.
        scale: Least and largest factor.
        shift: Largest shift along each axis.
        degrade: Probability that the crop is shrunk to between 32 pixels and its size, and enlarged again.
        exact: Probability that the depth is exact; otherwise it is mixed with an estimate, at a ratio of 0 to 1.

    Raises:
        ValueError: if a number is out of range.
    """

    yaw: float = 180.0
    tilt: float = 180.0
    scale: tuple[float, float] = (0.9, 1.1)
    shift: float = 0.05
    degrade: float = 0.5
    exact: float = 0.0

    def __post_init__(self) -> None:
        are_shares = 0 <= self.degrade <= 1 and 0 <= self.exact <= 1
        are_sizes = all(0 <= one < math.inf for one in (self.yaw, self.tilt, self.shift))
        if not (0 < self.scale[0] <= self.scale[1] < math.inf and are_sizes and are_shares):
            raise ValueError(f"augmentation cannot have these settings: {self}")


@dataclass(frozen=True)
class TrainConfig:
    """Optimizer and schedule of a stage; the defaults are the paper's.

    Args:
        steps: Optimizer steps.
        batch_size: Examples of a step.
        lr: Learning rate of AdamW.
        cosine: Lower the learning rate along half a cosine to a twentieth, instead of keeping it.
        ema: Decay of the moving average of the weights, which is what is kept.
        p_uncond: Probability with which all conditions of an example are dropped.
        p_no_image: Probability with which its images alone are dropped, so that a cloud without one can be completed.
        p_noise: Share of a prior's examples that are nothing but noise, so that it learns to look at the image.
        alignment: Weight λ of the alignment of features (ORFA).
        clip: Largest norm of gradients; less where 95 % of the last 1,000 norms were less.
        n_variants: Augmented variants of each example, which are encoded once and kept.
        augment: How examples are augmented.
        seed: Random seed.

    Raises:
        ValueError: if a number is out of range.
    """

    steps: int = 150_000
    batch_size: int = 4
    lr: float = 1e-5
    cosine: bool = False
    ema: float = 0.9999
    p_uncond: float = 0.1
    p_no_image: float = 0.0
    p_noise: float = 0.0
    alignment: float = 0.0
    clip: float = 1.0
    n_variants: int = 4
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        _check_positive(self, "batch_size", "clip", "n_variants")
        check_seed(self.seed)
        if self.steps < 0:
            raise ValueError(f"the number of steps must not be negative, but it is {self.steps}")
        if not 0 < self.lr <= 1:
            raise ValueError(f"the learning rate must be positive and at most 1, not {self.lr}")
        for name in ("ema", "p_uncond", "p_no_image", "p_noise"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must lie in [0, 1), not {getattr(self, name)}")
        if not self.alignment >= 0:
            raise ValueError(f"the weight of alignment must not be negative, but it is {self.alignment}")
        if math.inf in (self.alignment, self.clip):
            raise ValueError(f"alignment and clip must be finite, not {self.alignment} and {self.clip}")


UPRIGHT = AugmentConfig(yaw=0.0, tilt=0.0)
"""The first training of the prior: objects by themselves, upright, and turned as they were made."""
TILTED = AugmentConfig(tilt=30.0, exact=0.75)
"""The small model learns objects that stand more or less upright, turned by any angle, and is spared all others.

Most of its depth is exact, as a sensor's is: an estimate shifts what is seen against the truth, and a small model has
too few examples to learn that, too.
"""

PAPER: dict[Stage, TrainConfig] = {
    "vae": TrainConfig(1_000_000, 4, 1e-4),
    "upright": TrainConfig(400_000, 4, 1e-4, augment=UPRIGHT),
    "prior": TrainConfig(100_000, 4, 1e-4),
    "control-pre": TrainConfig(100_000),
    "coarse": TrainConfig(150_000, alignment=0.1),
    "fine": TrainConfig(150_000, alignment=0.5),
    "texture": TrainConfig(450_000, alignment=0.5),
}
"""The paper's schedules; those of the autoencoder and the upright prior are TRELLIS's, that of the prior is ours."""

CONTROL = TrainConfig(4_500, 16, 2e-3, cosine=True, ema=0.999, p_no_image=0.1, n_variants=2, augment=TILTED)
TINY: dict[Stage, TrainConfig] = {
    "vae": TrainConfig(1_200, 16, 2e-3, cosine=True, ema=0.99),
    "upright": TrainConfig(5_000, 16, 2e-3, cosine=True, ema=0.999, p_noise=0.3, n_variants=2, augment=UPRIGHT),
    "prior": TrainConfig(1_500, 16, 1e-3, cosine=True, ema=0.995, n_variants=2, augment=TILTED),
    "control-pre": replace(CONTROL, steps=1_000),
    "coarse": replace(CONTROL, alignment=0.1),
    "fine": replace(CONTROL, alignment=0.5),
    "texture": TrainConfig(4_000, 8, 2e-3, cosine=True, ema=0.995, alignment=0.5, n_variants=2, augment=TILTED),
}
"""Schedules of the small model, for two CPU cores; learning rate and batch size have the best validation loss."""

PRESETS: dict[str, dict[Stage, TrainConfig]] = {"tiny": TINY, "paper": PAPER}


@dataclass(frozen=True)
class ImageFiles:
    """What belongs to an image.

    Args:
        masks: Image with a number or color for each object (0 or black for none), or a folder with a mask for each.
        intrinsics: Horizontal field of view in degrees, or a JSON file (fx, fy, cx, cy, K, or camera_angle_x).
        depth: Planar depth: PNG with 16 bits, NPY, NPZ or EXR.
        depth_scale: World units for each number of the depth image; 0.001 for millimeters.
        depth_model: Depth-estimation model of the Hugging Face hub, in place of a depth image.
        estimated: The depth image is an estimate, not measured.
        pose: JSON file with the camera's pose (OpenGL, camera to world, z up); level, at the origin, if not given.

    Raises:
        ValueError: if there is no depth, or it is given twice.
    """

    masks: Path
    intrinsics: str
    depth: Path | None = None
    depth_scale: float | None = None
    depth_model: str | None = None
    estimated: bool = False
    pose: Path | None = None

    def __post_init__(self) -> None:
        if (self.depth is None) == (self.depth_model is None):
            both = "both were given" if self.depth else "an image alone does not show how far things are"
            raise ValueError(
                f"give --depth with a depth image, or --depth-model with the name of a depth-estimation model on the "
                f"Hugging Face hub: {both}"
            )
