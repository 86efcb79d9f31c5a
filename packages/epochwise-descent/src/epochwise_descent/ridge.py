"""Ridge regression in place of stopped gradient descent: the approximation on which the closed form rests."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from .exact import components, learning_rate
from .order_parameters import checked_times


def equivalent_penalty(t: ArrayLike, eta: float, l2: float = 0.0) -> Float[np.ndarray, " time"]:
    """The penalty of the ridge regression that gradient descent resembles after t steps, `l2 + 1 / (eta t)`.

    Raises:
        ValueError: if a time is negative or the learning rate is not positive.
    """
    if not eta > 0:
        raise ValueError(f"eta must be positive, not {eta}")
    with np.errstate(divide="ignore"):
        found: np.ndarray = l2 + 1 / (eta * checked_times(t))
    return found


def ridge_student(
    x: Float[Tensor, "*draws n d"],
    y: Float[Tensor, "*draws n"],
    t: ArrayLike,
    *,
    l2: float = 0.0,
    eta: float | None = None,
) -> Float[Tensor, "*draws time d"]:
    """The weights of ridge regression with the penalty that stands for each time, on half the sum of squares.

    Args:
        x: Training inputs.
        y: Labels.
        t: Times in steps.
        l2: Weight decay, which is added to the penalty.
        eta: Learning rate; without one, that of `exact.student`.

    Raises:
        ValueError: if a time is negative or the learning rate too large.
    """
    times = torch.as_tensor(checked_times(t), dtype=x.dtype, device=x.device)
    sigma, coefficients, right = components(x, y)
    rate = learning_rate(sigma.square() + l2, eta, "gd")
    whole = sigma.square()[..., None, :] + (l2 + 1 / (rate * times))[..., :, None]
    # Where both the eigenvalue and the penalty are zero, so is the coefficient.
    return coefficients[..., None, :] / torch.where(whole > 0, whole, 1.0) @ right
