"""The local losses of an autoencoder, whose feedback network runs from the image back to the image."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import mse_loss

from .pairs import EPS, LocalLoss

MAP_AXES = 4
"""Axes of a batch of maps."""


def reconstruction_loss(
    activations: Sequence[Tensor], signals: Sequence[Tensor], *, scale: float = 1.0, normalized: float = 1.0
) -> LocalLoss:
    """The sum of the pair losses of an autoencoder.

    With H the height of the maps (1 of features without one), and the tilde for maps of each channel minus their mean,
    divided by their length (plus 1e-8),

        H s mse(A, B) + H r mse(Ã, B̃)        pairs 1 to L-1
        H s mse(A, B)                        pair 0 (sample and its feedback) and pair L (output and target)

    Args:
        activations: The signals a_0 to a_L.
        signals: The signals b_0 to b_L; b_L is the sample.
        scale: Weight s.
        normalized: Weight r; without effect on what are no maps.

    Raises:
        ValueError: if the numbers of signals differ.
    """
    if len(activations) != len(signals) or not activations:
        raise ValueError(f"there are {len(activations)} activations, but {len(signals)} feedback signals")
    parts = {}
    last = len(activations) - 1
    for number, (a, b) in enumerate(zip(activations, signals, strict=True)):
        height = a.shape[2] if a.ndim == MAP_AXES else 1
        loss = height * scale * mse_loss(a, b)
        if number not in {0, last} and a.ndim == MAP_AXES and normalized:
            loss = loss + height * normalized * mse_loss(unit_maps(a), unit_maps(b))
        parts["output" if number == last else f"pair {number}"] = loss
    return LocalLoss(torch.stack(list(parts.values())).sum(), parts)


def unit_maps(x: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n channels height width"]:
    """Each channel's map minus its mean, divided by its length (plus 1e-8)."""
    x = x - x.mean((2, 3), keepdim=True)
    return x / (torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True) + EPS)
