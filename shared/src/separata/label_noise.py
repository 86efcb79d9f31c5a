"""Labels of which a share is wrong on purpose."""

from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

Mode = Literal["uniform", "other", "permute"]


def noisy_labels(
    labels: Int[Tensor, "n"],
    fraction: float,
    n_classes: int,
    generator: torch.Generator,
    mode: Mode = "uniform",
) -> tuple[Int[Tensor, "n"], Bool[Tensor, "n"]]:
    """Labels of which a random share has been replaced.

    Args:
        labels: Classes from 0 to `n_classes` - 1; left as they are.
        fraction: Share of samples that are drawn, without replacement; rounded to a whole number of them.
        n_classes: Number of classes.
        generator: Where the draws come from.
        mode: `uniform` gives each drawn sample any class, its own included, so that a share of 1 / `n_classes` of them
            stay right; `other` gives a class that is not its own; `permute` shuffles the labels of the drawn samples
            among themselves, which keeps how often each class occurs.

    Returns:
        The labels, and which samples were drawn, whether or not their label is another one now.

    Raises:
        ValueError: if the fraction is not between 0 and 1, a label is not a class, the mode is unknown, or `other` is
            asked for with a single class.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"the fraction of noisy labels must be between 0 and 1, not {fraction}")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < n_classes:
        raise ValueError(f"labels must be from 0 to {n_classes - 1}, not from {labels.min()} to {labels.max()}")
    n = round(fraction * len(labels))
    drawn = torch.randperm(len(labels), generator=generator)[:n].to(labels.device)
    own = labels[drawn]
    if mode == "uniform":
        new = torch.randint(n_classes, (n,), generator=generator).to(labels)
    elif mode == "other":
        if n_classes < 2:
            raise ValueError("there is no other class than a sample's own")
        new = (own + torch.randint(1, n_classes, (n,), generator=generator).to(labels)) % n_classes
    elif mode == "permute":
        new = own[torch.randperm(n, generator=generator).to(labels.device)]
    else:
        raise ValueError(f"the mode of label noise must be uniform, other or permute, not {mode}")
    is_drawn = torch.zeros(len(labels), dtype=torch.bool, device=labels.device)
    is_drawn[drawn] = True
    noisy = labels.clone()
    noisy[drawn] = new
    return noisy, is_drawn
