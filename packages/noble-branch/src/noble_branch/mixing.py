"""Mixup and CutMix: augmentations that blur the targets."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def mixup(
    images: Float[Tensor, "batch *sample"], alpha: float, generator: torch.Generator
) -> tuple[Float[Tensor, "batch *sample"], Int[Tensor, "batch"], float]:
    """Blend each image with another of the batch (Zhang et al. 2018).

    Args:
        images: The batch.
        alpha: Parameter of the Beta distribution that the share is drawn from.
        generator: On the CPU.

    Returns:
        The blended images, the index of each partner, and the share of the image itself: the loss is
        `share * loss(labels) + (1 - share) * loss(labels[partner])`.

    Raises:
        ValueError: if alpha is not positive.
    """
    share, partner = _draw(len(images), alpha, generator)
    partner = partner.to(images.device)
    return share * images + (1 - share) * images[partner], partner, share


def cutmix(
    images: Float[Tensor, "batch channels height width"], alpha: float, generator: torch.Generator
) -> tuple[Float[Tensor, "batch channels height width"], Int[Tensor, "batch"], float]:
    """Paste a rectangle of another image of the batch into each (Yun et al. 2019).

    Args:
        images: The batch.
        alpha: Parameter of the Beta distribution that the kept share is drawn from.
        generator: On the CPU.

    Returns:
        As `mixup`; the share is that of the pixels that are left, exactly.

    Raises:
        ValueError: if alpha is not positive.
    """
    share, partner = _draw(len(images), alpha, generator)
    partner = partner.to(images.device)
    height, width = images.shape[-2:]
    sides = [round(n * (1 - share) ** 0.5) for n in (height, width)]
    centers = [int(torch.randint(n, (), generator=generator)) for n in (height, width)]
    rows, columns = (
        slice(max(0, c - side // 2), min(n, c - side // 2 + side))
        for c, side, n in zip(centers, sides, (height, width), strict=True)
    )
    mixed = images.clone()
    mixed[..., rows, columns] = images[partner][..., rows, columns]
    cut = max(0, rows.stop - rows.start) * max(0, columns.stop - columns.start)
    return mixed, partner, 1 - cut / (height * width)


def _draw(n: int, alpha: float, generator: torch.Generator) -> tuple[float, Tensor]:
    """A share from Beta(alpha, alpha), and a partner for each sample."""
    if not alpha > 0:
        raise ValueError(f"alpha must be positive, not {alpha}")
    a, b = torch._standard_gamma(torch.full((2,), alpha, dtype=torch.float64), generator=generator).tolist()
    return (a / (a + b) if a + b else 0.5), torch.randperm(n, generator=generator)
