"""Random crops and mirror images of a whole batch at once."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad


def augment(
    images: Float[Tensor, "n channels height width"], generator: torch.Generator, padding: int = 4
) -> Float[Tensor, "n channels height width"]:
    """Crop each image at a random place after padding it with zeros, and mirror it with probability one half.

    Args:
        images: A batch.
        generator: Draws places and mirrors, on the CPU.
        padding: Zeros on each side, in pixels.
    """
    n, _, height, width = images.shape
    device = images.device
    top, left = torch.randint(2 * padding + 1, (2, n, 1), generator=generator).to(device)
    is_mirrored = torch.randint(2, (n, 1), generator=generator).to(device)
    rows = top + torch.arange(height, device=device)
    columns = torch.arange(width, device=device).expand(n, -1)
    columns = left + torch.where(is_mirrored == 1, width - 1 - columns, columns)
    padded = pad(images, (padding,) * 4)
    batch = torch.arange(n, device=device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
