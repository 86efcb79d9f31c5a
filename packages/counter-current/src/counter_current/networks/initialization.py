"""Initial weights that are not PyTorch's: those of the autoencoder, and the biases of convolutions."""

import torch
from torch import nn

from .dual import CounterCurrentNetwork

SMALL = 1e-3
"""Factor of the weights that lead towards the image: those of the decoder, and of the encoder's feedback."""


@torch.no_grad()
def initialize_autoencoder(network: CounterCurrentNetwork) -> None:
    """Give an autoencoder orthogonal weights, drawn from PyTorch's generator.

    What leads towards the image is a thousand times smaller, and the last of it zero. Forward biases are zero, too, so
    that reconstructions begin as zeros.
    """
    layers = list(network.dual_layers())
    half = len(layers) // 2
    for number, layer in enumerate(layers):
        towards, away = (layer.forward_module, layer.feedback_module)
        if number < half:
            towards, away = away, towards
        is_last = number in {0, len(layers) - 1}
        for weight in _kernels(away):
            orthogonal_(weight)
        for weight in _kernels(towards):
            orthogonal_(weight).mul_(0.0 if is_last else SMALL)
        zero_biases(layer.forward_module)


@torch.no_grad()
def zero_biases(module: nn.Module) -> None:
    """Set the biases of all convolutions of a module to zero."""
    for one in module.modules():
        if isinstance(one, nn.Conv2d) and one.bias is not None:
            one.bias.zero_()


def orthogonal_(weight: torch.Tensor) -> torch.Tensor:
    """Fill a kernel (out, in, height, width) with orthogonal rows: its outputs, or its inputs if those are more."""
    if weight.shape[0] >= weight.shape[1]:
        nn.init.orthogonal_(weight)
    else:
        turned = torch.empty_like(weight.transpose(0, 1), memory_format=torch.contiguous_format)
        weight.copy_(nn.init.orthogonal_(turned).transpose(0, 1))
    return weight


def _kernels(module: nn.Module) -> list[torch.Tensor]:
    return [one.weight for one in module.modules() if isinstance(one, nn.Conv2d)]
