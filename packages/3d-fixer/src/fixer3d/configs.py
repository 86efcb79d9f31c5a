"""Settings, as the command takes them and as experiments hold them. Imports nothing slow."""  # TODO: yours.

from dataclasses import dataclass


@dataclass(frozen=True)
class VAEConfig:
    """The autoencoder of occupancy grids.

    Args:
        resolution: Voxels along each side of the grid.
        channels: Channels at each level, from the finest; every further level halves the resolution.
        latent_channels: Channels of the latent.
        n_res_blocks: Residual blocks at each level.
        n_middle_blocks: Residual blocks at the coarsest level, beside those.

    Raises:
        ValueError: if a number is not positive, or the resolution cannot be halved as often as there are levels.
    """

    resolution: int = 32
    channels: tuple[int, ...] = (16, 32, 64)
    latent_channels: int = 8
    n_res_blocks: int = 2
    n_middle_blocks: int = 2

    def __post_init__(self) -> None:
        _check_positive(self)
        if not self.channels or self.resolution % self.factor:
            raise ValueError(f"a resolution of {self.resolution} cannot be halved for channels {self.channels}")

    @property
    def factor(self) -> int:
        """How many voxels along a side make one of the latent."""
        return 2 ** (len(self.channels) - 1)

    @classmethod
    def full(cls) -> "VAEConfig":
        """The size of TRELLIS: 64³ voxels, 16³ latents."""
        return cls(64, (32, 128, 512))


@dataclass(frozen=True)
class FlowConfig:
    """The flow transformer over latents, and its control branch.

    Args:
        resolution: Latents along each side.
        in_channels: Channels of a latent.
        patch_size: Latents along each side of a token.
        width: Channels of a token.
        n_blocks: Blocks of the trunk.
        n_control_blocks: Blocks of the control branch; the paper has half as many as in the trunk.
        n_heads: Heads of each attention.
        cond_width: Channels of an image token.
        mlp_ratio: Width of the feed-forward layers against that of a token.
        confidence_block: Voxels along each side of a latent, whose confidences the control branch sees.
        qk_rms_norm: Whether self-attention normalizes queries and keys.

    Raises:
        ValueError: if a number is not positive, or one does not divide another as it must.
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
        _check_positive(self)
        if self.resolution % self.patch_size:
            raise ValueError(f"a resolution of {self.resolution} does not divide into patches of {self.patch_size}")
        if self.width % self.n_heads:
            raise ValueError(f"a width of {self.width} does not divide into {self.n_heads} heads")
        if self.n_control_blocks > self.n_blocks:
            raise ValueError(f"{self.n_control_blocks} control blocks are more than the {self.n_blocks} of the trunk")

    @classmethod
    def full(cls) -> "FlowConfig":
        """The size of the paper: 16³ tokens of 1,024 channels, 24 blocks and 12 of control."""
        return cls(16, 8, 1, 1024, 24, 12, 16, 1024)


@dataclass(frozen=True)
class EncoderConfig:
    """The small image encoder.

    Args:
        image_size: Pixels along each side of an image.
        patch_size: Pixels along each side of a token; a power of two.
        width: Channels of a token.
        n_layers: Convolutions; at least one for each halving of the image.

    Raises:
        ValueError: if a number is not positive, or the patches do not fit.
    """

    image_size: int = 64
    patch_size: int = 8
    width: int = 128
    n_layers: int = 4

    def __post_init__(self) -> None:
        _check_positive(self)
        if self.patch_size.bit_count() != 1 or self.image_size % self.patch_size:
            raise ValueError(
                f"a patch size must be a power of two that divides the image's {self.image_size}, not {self.patch_size}"
            )
        if self.n_layers < self.patch_size.bit_length() - 1:
            raise ValueError(f"{self.n_layers} layers are too few for patches of {self.patch_size} pixels")


@dataclass(frozen=True)
class SamplerConfig:
    """How latents are sampled.

    Args:
        n_steps: Euler steps.
        guidance: Strength of classifier-free guidance; 0 for none.
        interval: Times between which there is guidance, of 0 (clean) to 1 (noise).
        rescale: How much larger the steps are at small times; 1 for equal steps.

    Raises:
        ValueError: if there is no step, the interval is not one of times, or the rescaling is not positive.
    """

    n_steps: int = 25
    guidance: float = 5.0
    interval: tuple[float, float] = (0.5, 1.0)
    rescale: float = 3.0

    def __post_init__(self) -> None:
        if self.n_steps < 1:
            raise ValueError(f"n_steps must be positive, not {self.n_steps}")
        if not 0 < self.rescale < float("inf"):
            raise ValueError(f"rescale must be positive, not {self.rescale}")
        if not 0 <= self.guidance < float("inf"):
            raise ValueError(f"guidance must not be negative, not {self.guidance}")
        if not 0 <= self.interval[0] <= self.interval[1] <= 1:
            raise ValueError(f"interval must be two times from 0 to 1 in order, not {self.interval}")


@dataclass(frozen=True)
class TrainConfig:
    """How a neuron is trained.

    Args:
        n_passes: Passes over the data.
        batch_size: Samples per step.
        lr: Learning rate; small against the inverse of the largest eigenvalue of the inputs' correlation matrix.

    Raises:
        ValueError: if one of them is not positive.
    """

    n_passes: int = 20
    batch_size: int = 64
    lr: float = 5e-3

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} must be positive, not {value}")


def _check_positive(config: object) -> None:
    for name, value in vars(config).items():
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, (int, float)) and not isinstance(one, bool) and not one > 0:
                raise ValueError(f"{name} must be positive, not {value}")
