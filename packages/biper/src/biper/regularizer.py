"""The term that BiPer's first stage adds to the loss."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .layers import PeriodicLayer, binary_layers


def biper_regularizer(model: nn.Module, tau: float) -> Float[Tensor, ""]:
    """Tau · sum over layers of mean(sin²(ωw)), which is mean(1 - cos(2ωw)) / 2.

    It is *added* to the loss, and so pulls latent weights towards the zeros of the sine, not towards its peaks. With
    sin(ωw) small, so is its distance from the best scaled sign, E s² - (E|s|)²: the term lowers the quantization error.
    A term that pushes sin(ωw) to -1 and +1 would have the other sign.

    Args:
        model: Any network; its layers that are not BiPer's add nothing.
        tau: Weight of the term.
    """
    layers = [layer for _, layer in binary_layers(model) if isinstance(layer, PeriodicLayer)]
    if not layers or tau == 0:
        parameter = next(model.parameters(), None)
        return torch.zeros((), device=None if parameter is None else parameter.device)
    return tau * torch.stack([layer.regularizer() for layer in layers]).sum()
