"""Embeddings of times and of places: sinusoids of the timestep, and of a voxel's three indices."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

N_FREQUENCIES = 256
"""Channels of a timestep's sinusoids, cosines and sines together."""
MAX_PERIOD = 10_000.0


def timestep_embedding(t: Float[Tensor, "batch"], n: int = N_FREQUENCIES) -> Float[Tensor, "batch n"]:
    """The sinusoids `[cos(w t), sin(w t)]` of a timestep, with frequencies `w` from 1 down to almost 1/10,000.

    Args:
        t: Timesteps, 0 to 1000; fractions are meant as such.
        n: Channels; even.

    Returns:
        The sinusoids, in single precision.
    """
    half = n // 2
    frequencies = torch.exp(-math.log(MAX_PERIOD) * torch.arange(half, device=t.device, dtype=torch.float32) / half)
    angles = t.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def position_embedding(positions: Int[Tensor, "*n 3"], width: int) -> Float[Tensor, "*n width"]:
    """The sinusoids of three indices, `[sin(w x), cos(w x)]` for each axis in turn, and zeros up to the width.

    Each axis has `width // 3 // 2` frequencies `w`, from 1 down to almost 1/10,000.

    Args:
        positions: Indices of tokens along x, y and z.
        width: Channels of the embedding; at least 6.

    Returns:
        The embedding, in single precision.
    """
    n = width // 3 // 2
    frequencies = MAX_PERIOD ** -(torch.arange(n, device=positions.device, dtype=torch.float32) / n)
    angles = positions.float()[..., None] * frequencies
    embedding = torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)
    return nn.functional.pad(embedding, (0, width - 6 * n))


def grid_positions(resolution: int) -> Int[Tensor, "n 3"]:
    """The indices of a cube's tokens, z fastest."""
    return torch.cartesian_prod(*[torch.arange(resolution)] * 3)


class TimestepEmbedder(nn.Module):
    """A timestep's sinusoids through a small network.

    Args:
        width: Channels of the embedding.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        first, last = nn.Linear(N_FREQUENCIES, width), nn.Linear(width, width)
        for layer in (first, last):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        self.mlp = nn.Sequential(first, nn.SiLU(), last)

    def forward(self, t: Float[Tensor, "batch"]) -> Float[Tensor, "batch width"]:
        """Embed timesteps of 0 to 1000."""
        return self.mlp(timestep_embedding(t).to(next(self.parameters()).dtype))
