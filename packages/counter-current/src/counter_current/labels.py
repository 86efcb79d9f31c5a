"""Labels: the indices of classes."""

import torch
from jaxtyping import Int, Shaped
from torch import Tensor


def checked_labels(labels: Shaped[Tensor, "n"], n_classes: int, *, waits: bool = True) -> Int[Tensor, "n"]:
    """Labels as int64, after a look at whether they are classes.

    Args:
        labels: The labels.
        n_classes: Number of classes.
        waits: Look at their values on a GPU, too, which waits for it.

    Raises:
        ValueError: if there are none, they are not whole numbers, or one is no class.
    """
    if not len(labels):
        raise ValueError("there are no samples")
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(f"labels are whole numbers, the indices of classes, not {labels.dtype}")
    if waits or labels.device.type == "cpu":
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= n_classes:
            raise ValueError(f"label {low if low < 0 else high} outside 0..{n_classes - 1}")
    return labels.long()
