"""Losses inside the domain alone."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def masked_mse(
    pred: Float[Tensor, "batch points"],
    true: Float[Tensor, "batch points"],
    mask: Bool[Tensor, "batch points"] | None = None,
) -> Float[Tensor, ""]:
    """Mean squared error over the points inside; what is predicted outside gets no gradient.

    Args:
        pred: Predictions.
        true: Solutions; outside, whatever is finite.
        mask: The domains; by default, all points.

    Raises:
        ValueError: if no point is inside.
    """
    if mask is None:
        return (pred - true).square().mean()
    count = mask.sum()
    if not count:
        raise ValueError("the mask has no point inside")
    return torch.where(mask, pred - true, 0.0).square().sum() / count


def masked_relative_l2(
    pred: Float[Tensor, "batch points"],
    true: Float[Tensor, "batch points"],
    mask: Bool[Tensor, "batch points"] | None = None,
) -> Float[Tensor, "batch"]:
    """`|m (pred - true)| / |m true|` of each sample; take the mean for a report or a loss.

    Args:
        pred: Predictions.
        true: Solutions.
        mask: The domains; by default, all points.

    Raises:
        ValueError: if a solution is zero everywhere inside: the sentence names the sample.
    """
    difference = pred - true
    if mask is not None:
        difference, true = torch.where(mask, difference, 0.0), torch.where(mask, true, 0.0)
    size = true.norm(dim=1)
    if not bool((size > 0).all()):
        raise ValueError(
            f"sample {int((size == 0).nonzero()[0])} is zero everywhere inside, so it has no relative error"
        )
    # The root of a sum of squares has no gradient at zero.
    return (difference.square().sum(1) + torch.finfo(true.dtype).tiny).sqrt() / size
