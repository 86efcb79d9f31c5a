"""What a network says of a probe: an input that contains nothing but the shared feature."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from .groups import correlation
from .losses import kept_buffers


def constant_probe(value: float, shape: Sequence[int]) -> Float[Tensor, "1 *sample"]:
    """A plain image: one sample of this shape with one value everywhere."""
    return torch.full((1, *shape), float(value))


def probe_response(model: nn.Module, probe: Shaped[Tensor, "n *sample"]) -> Float[Tensor, "n outputs"]:
    """The network's outputs for probes, in evaluation mode and without gradients; the network is left as it was."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad(), kept_buffers(model):
            output: Tensor = model(probe)
    finally:
        for module, mode in modes.items():
            module.training = mode
    return output


def step_correlation(series: Float[Tensor, "steps"]) -> float:
    """Correlation of consecutive changes of a series: -1 where each is taken back by the next, NaN where none is."""
    changes = series.double().diff()
    return correlation(changes[:-1], changes[1:])
