"""Which samples each step sees, and how images are varied."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from separata.labeled import LabeledDataset, load_splits
from separata.loop import step_generator

SHIFT = 4
"""Pixels by which images are shifted at most."""


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Whole batches of an epoch; at least one."""
    return max(1, n // batch_size)


def batch_indices(seed: int, step: int, n: int, batch_size: int) -> Int[Tensor, "batch"]:
    """The samples of a step: each epoch goes through all of them in another order, without the last, smaller batch."""
    epoch, place = divmod(step, steps_per_epoch(n, batch_size))
    order = torch.randperm(n, generator=step_generator(seed, epoch))
    return order[place * batch_size : (place + 1) * batch_size]


def augment(
    images: Float[Tensor, "n channels height width"], generator: torch.Generator
) -> Float[Tensor, "n channels height width"]:
    """Mirror each image with probability one half, and shift it by up to 4 pixels, filling up with zeros.

    Args:
        images: A batch.
        generator: Draws on the CPU.
    """
    n, _, height, width = images.shape
    mirrored = torch.rand(n, generator=generator).to(images.device) < 0.5
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    down, right = torch.randint(2 * SHIFT + 1, (2, n), generator=generator).to(images.device)
    padded = pad(images, (SHIFT,) * 4)
    rows = down[:, None] + torch.arange(height, device=images.device)
    columns = right[:, None] + torch.arange(width, device=images.device)
    batch = torch.arange(n, device=images.device)[:, None, None]
    # Advanced indices around a slice put the channels last.
    return padded[batch, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


def fitting_parts(
    source: str, seed: int, *, is_held_out: bool, n_train: int | None = None, size: int | None = None
) -> tuple[LabeledDataset, LabeledDataset]:
    """What a trial trains on and what it is evaluated on; the latter is never the test part where settings are chosen.

    Args:
        source: What `separata.labeled.load_splits` takes.
        seed: Draws the held-out fifth of the training part.
        is_held_out: Evaluate on it; otherwise it belongs to what is trained on, and the test part is evaluated.
        n_train: Samples for training, at most.
        size: Pixels to which images are resized.
    """
    splits = load_splits(source, validation=0.2, seed=seed, n_train=n_train, size=size)
    if is_held_out:
        return splits.train, splits.validation
    if n_train is not None:
        return splits.train, splits.test
    train, held = splits.train, splits.validation
    whole = LabeledDataset(torch.cat([train.x, held.x]), torch.cat([train.y, held.y]), train.classes)
    return whole, splits.test
