"""Redistribution: the return of an episode, shared among the decisions of a path by their importance."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def redistribute(
    importance: Float[Tensor, "*paths l"],
    total_return: Float[Tensor, "*paths"],
    temperature: float = 1.0,
    mask: Bool[Tensor, "*paths l"] | None = None,
) -> Float[Tensor, "*paths l"]:
    """The rewards r_i = w_i R with weights w = softmax(importance / temperature), so that they add up to R.

    Args:
        importance: Logit of each decision; -inf for no reward at all.
        total_return: Return R of each path.
        temperature: The higher, the more evenly.
        mask: True where a path has a decision; None for everywhere. Elsewhere rewards are 0.

    Raises:
        ValueError: if the temperature is not positive, or a path has no decision.
    """
    if not temperature > 0:
        raise ValueError(f"the temperature must be positive, not {temperature}")
    if mask is None:
        mask = torch.ones_like(importance, dtype=torch.bool)
    if not mask.any(-1).all():
        raise ValueError("a path without decisions cannot take its return")
    weights = (importance / temperature).masked_fill(~mask, -torch.inf).softmax(-1)
    return weights * total_return[..., None]


def gain_importance(gains: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Importance by dual-bound gain: log(1 + gain), 0 for a gain that is not positive or not known.

    Args:
        gains: What a branching raised the lower bound by, divided by the magnitude of the root's bound.
    """
    return torch.nan_to_num(gains, nan=0.0, posinf=1.0).clamp(min=0).log1p()


def sparse_importance(mask: Bool[Tensor, "*paths l"]) -> Float[Tensor, "*paths l"]:
    """Importance that gives the whole return to the last decision of each path."""
    is_last = mask & ~torch.cat((mask[..., 1:], torch.zeros_like(mask[..., :1])), -1)
    return torch.where(is_last, 0.0, -torch.inf)


def returns_to_go(rewards: Float[Tensor, "*paths l"]) -> Float[Tensor, "*paths l"]:
    """The sum of the rewards from each decision on, sum_{k >= i} r_k."""
    return rewards.flip(-1).cumsum(-1).flip(-1)


def return_prediction_loss(
    shares: Float[Tensor, "*paths l"], returns: Float[Tensor, "*paths"], mask: Bool[Tensor, "*paths l"]
) -> Float[Tensor, ""]:
    """Mean square error of the returns that decisions predict together, (sum_i share_i + R)^2.

    A share is a part of the logarithm of the tree size, -R, so that the decision that costs most is the most important.
    """
    return ((shares * mask).sum(-1) + returns).square().mean()
