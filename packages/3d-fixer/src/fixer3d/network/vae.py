"""The autoencoder of occupancy grids: convolutions between voxels and latents, under the names of TRELLIS."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fixer3d.configs import VAEConfig

Grid = Float[Tensor, "batch c r r r"]


class ChannelLayerNorm(nn.LayerNorm):
    """Layer normalization of the channels of each voxel, in single precision."""

    def forward(self, x: Grid) -> Grid:
        """Normalize."""
        last = F.layer_norm(x.movedim(1, -1).float(), self.normalized_shape, self.weight.float(), self.bias.float())
        return last.to(x.dtype).movedim(-1, 1)


class ResBlock(nn.Module):
    """Normalization, SiLU and a convolution, twice, added to the input; the second convolution begins as zero.

    Args:
        channels: Channels in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelLayerNorm(channels), ChannelLayerNorm(channels)
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)
        for parameter in self.conv2.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Grid) -> Grid:
        """Transform a grid."""
        h = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(h)))


class Downsample(nn.Module):
    """A convolution of 2³ voxels at a stride of 2.

    Args:
        channels: Channels in.
        out_channels: Channels out.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, out_channels, 2, stride=2)

    def forward(self, x: Grid) -> Float[Tensor, "batch d s s s"]:
        """Halve the resolution."""
        return self.conv(x)


class Upsample(nn.Module):
    """A convolution to eight times the channels, which become the 2³ voxels of each.

    Args:
        channels: Channels in.
        out_channels: Channels out.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, 8 * out_channels, 3, padding=1)

    def forward(self, x: Grid) -> Float[Tensor, "batch d s s s"]:
        """Double the resolution."""
        return pixel_shuffle(self.conv(x))


def pixel_shuffle(x: Float[Tensor, "batch c8 r r r"]) -> Float[Tensor, "batch c s s s"]:
    """Eight channels become a block of 2³ voxels, z fastest: channel 8 c + 4 i + 2 j + k is at (i, j, k)."""
    b, c, r = x.shape[0], x.shape[1] // 8, x.shape[2]
    blocks = x.reshape(b, c, 2, 2, 2, r, r, r).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return blocks.reshape(b, c, 2 * r, 2 * r, 2 * r)


class SparseStructureEncoder(nn.Module):
    """Occupancy to the mean and log-variance of its latent.

    Args:
        config: Sizes.
    """

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config, channels = config, config.channels
        self.input_layer = nn.Conv3d(1, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList(_levels(config, channels, Downsample))
        self.middle_block = nn.Sequential(*[ResBlock(channels[-1]) for _ in range(config.n_middle_blocks)])
        self.out_layer = _output(channels[-1], 2 * config.latent_channels)

    def forward(self, occupancy: Float[Tensor, "batch 1 R R R"]) -> Float[Tensor, "batch c2 r r r"]:
        """Mean and log-variance, one after the other along the channels."""
        h = self.input_layer(occupancy.to(self.input_layer.weight.dtype))
        for block in self.blocks:
            h = block(h)
        return self.out_layer(self.middle_block(h))


class SparseStructureDecoder(nn.Module):
    """A latent to the logits of occupancy.

    Args:
        config: Sizes; the channels are taken from the last.
    """

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config, channels = config, config.channels[::-1]
        self.input_layer = nn.Conv3d(config.latent_channels, channels[0], 3, padding=1)
        self.middle_block = nn.Sequential(*[ResBlock(channels[0]) for _ in range(config.n_middle_blocks)])
        self.blocks = nn.ModuleList(_levels(config, channels, Upsample))
        self.out_layer = _output(channels[-1], 1)

    def forward(self, latent: Float[Tensor, "batch c r r r"]) -> Float[Tensor, "batch 1 R R R"]:
        """The logits."""
        h = self.middle_block(self.input_layer(latent.to(self.input_layer.weight.dtype)))
        for block in self.blocks:
            h = block(h)
        return self.out_layer(h)


class SparseStructureVAE(nn.Module):
    """Between occupancy grids and latents; a voxel is occupied where its logit is positive.

    Args:
        config: Sizes.
    """

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = SparseStructureEncoder(config), SparseStructureDecoder(config)

    def encode(self, occupancy: Float[Tensor, "batch 1 R R R"]) -> Float[Tensor, "batch c r r r"]:
        """The posterior's mean, which is what the flow works on."""
        return self.posterior(occupancy)[0]

    def posterior(
        self, occupancy: Float[Tensor, "batch 1 R R R"]
    ) -> tuple[Float[Tensor, "batch c r r r"], Float[Tensor, "batch c r r r"]]:
        """The posterior's mean and log-variance.

        Raises:
            ValueError: if the grids do not have the resolution of the configuration.
        """
        size = self.config.resolution
        if occupancy.shape[1:] != (1, size, size, size):
            raise ValueError(
                f"occupancy must have shape (batch, 1, {size}, {size}, {size}), not {tuple(occupancy.shape)}"
            )
        mean, logvar = self.encoder(occupancy).chunk(2, dim=1)
        return mean, logvar

    def decode(self, latent: Float[Tensor, "batch c r r r"]) -> Float[Tensor, "batch 1 R R R"]:
        """The logits of occupancy."""
        return self.decoder(latent)

    def forward(
        self, occupancy: Float[Tensor, "batch 1 R R R"], generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "batch 1 R R R"], Float[Tensor, "batch c r r r"], Float[Tensor, "batch c r r r"]]:
        """Encode, sample the posterior and decode.

        Args:
            occupancy: Grids of zeros and ones.
            generator: Draws the samples; without one, the mean is decoded.

        Returns:
            The logits, and the posterior's mean and log-variance.
        """
        mean, logvar = self.posterior(occupancy)
        latent = mean
        if generator is not None:
            noise = torch.randn(mean.shape, generator=generator, device=generator.device).to(mean)
            latent = mean + noise * (0.5 * logvar).exp()
        return self.decode(latent), mean, logvar


def dice_loss(logits: Grid, occupancy: Grid) -> Float[Tensor, ""]:
    """One minus the Dice coefficient of probabilities p and occupancy g, `(2 Σ p g + 1) / (Σ p + Σ g + 1)`.

    The sums are over the whole batch.
    """
    p, g = logits.float().sigmoid(), occupancy.float()
    return 1 - (2 * (p * g).sum() + 1) / (p.sum() + g.sum() + 1)


def kl_divergence(mean: Grid, logvar: Grid) -> Float[Tensor, ""]:
    """The divergence of the posterior from a standard normal distribution, as a mean over its channels and voxels."""
    return 0.5 * (mean.square() + logvar.exp() - logvar - 1).mean()


def vae_loss(
    logits: Float[Tensor, "batch 1 R R R"],
    occupancy: Float[Tensor, "batch 1 R R R"],
    mean: Grid,
    logvar: Grid,
    *,
    kl_weight: float = 1e-3,
    bce_weight: float = 0.0,
) -> Float[Tensor, ""]:
    """Dice loss and 1e-3 of the divergence, and as much cross-entropy as is asked for, which helps at the start."""
    loss = dice_loss(logits, occupancy) + kl_weight * kl_divergence(mean, logvar)
    if bce_weight:
        loss = loss + bce_weight * F.binary_cross_entropy_with_logits(logits.float(), occupancy.float())
    return loss


def _levels(
    config: VAEConfig, channels: tuple[int, ...], between: type[Downsample] | type[Upsample]
) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for level, width in enumerate(channels):
        blocks += [ResBlock(width) for _ in range(config.n_res_blocks)]
        if level + 1 < len(channels):
            blocks.append(between(width, channels[level + 1]))
    return blocks


def _output(channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(ChannelLayerNorm(channels), nn.SiLU(), nn.Conv3d(channels, out_channels, 3, padding=1))
