"""Plain gradient descent, step by step: what the exact and the closed form are checked against."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from .exact import learning_rate
from .order_parameters import checked_times


def log_steps(last: int, n_points: int = 100) -> list[int]:
    """Whole steps from 1 to the last, evenly spaced in their logarithm as far as whole numbers are.

    Raises:
        ValueError: if the last step is not positive.
    """
    if last < 1:
        raise ValueError(f"the last step must be at least 1, not {last}")
    return sorted({*np.geomspace(1, last, n_points).round().astype(int).tolist()})


def descend(
    x: Float[Tensor, "*draws n d"],
    y: Float[Tensor, "*draws n"],
    t: ArrayLike,
    *,
    l2: float = 0.0,
    eta: float | None = None,
) -> Float[Tensor, "*draws time d"]:
    """The weights of gradient descent from zero on `|y - x What|^2 / 2 + l2 |What|^2 / 2`, all draws at once.

    Args:
        x: Training inputs.
        y: Labels.
        t: Whole steps in increasing order, after which the weights are kept.
        l2: Weight decay.
        eta: Learning rate; without one, the inverse of the largest eigenvalue with the weight decay.

    Raises:
        ValueError: if the times are not whole numbers in increasing order, or gradient descent would diverge.
    """
    times = checked_times(t)
    if (times != times.round()).any() or (np.diff(times) <= 0).any():
        raise ValueError("gradient descent is recorded after whole steps in increasing order")
    hessian = x.mT @ x + l2 * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    target = x.mT @ y[..., None]
    rate = learning_rate(torch.linalg.svdvals(x).square() + l2, eta, "gd")[..., None]
    step, pull = rate * hessian, rate * target
    weights, kept, done = torch.zeros_like(target), [], 0
    for until in times.astype(int):
        for _ in range(int(until) - done):
            weights = weights - (step @ weights - pull)
        done = int(until)
        kept.append(weights[..., 0])
    return torch.stack(kept, -2)
