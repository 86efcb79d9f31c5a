"""Random shifts and mirror images."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

SHIFT = 4
"""Largest shift, in pixels."""


def augment(
    x: Float[Tensor, "batch channels height width"], generator: torch.Generator
) -> Float[Tensor, "batch channels height width"]:
    """Each image shifted by up to 4 pixels into a frame of zeros, and mirrored with probability 1/2.

    Args:
        x: Images.
        generator: On the CPU.
    """
    n, _, height, width = x.shape
    offsets = torch.randint(2 * SHIFT + 1, (2, n, 1), generator=generator)
    mirrored = torch.rand(n, 1, generator=generator) < 0.5
    rows = offsets[0] + torch.arange(height)
    columns = torch.where(mirrored, torch.arange(width - 1, -1, -1), torch.arange(width)) + offsets[1]
    rows, columns = rows.to(x.device), columns.to(x.device)
    padded = pad(x, (SHIFT,) * 4).movedim(1, -1)
    batch = torch.arange(n, device=x.device)
    return padded[batch[:, None, None], rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
