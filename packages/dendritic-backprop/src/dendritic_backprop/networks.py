"""The networks of the commands and the experiments; any other `nn.Module` can have dendrites as well."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from separata.labeled import LabeledDataset
from separata.models import MLP, ResNet, SmallCNN

from .configs import NetworkConfig
from .wrapping import count_parameters

DEPTH = 8
GROWING: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv2d, nn.GRU)
"""Modules that get dendrites."""
MOST_UNITS = 4096
"""Widest network that is looked for."""


class GRUClassifier(nn.Module):
    """A gated recurrent unit over the rows of a picture, or over features one by one, and an affine map of its end.

    Args:
        n_inputs: Numbers at each time step.
        n_units: Hidden units.
        n_classes: Number of logits.
    """

    def __init__(self, n_inputs: int, n_units: int, n_classes: int) -> None:
        super().__init__()
        self.recurrent = nn.GRU(n_inputs, n_units, batch_first=True)
        self.classifier = nn.Linear(n_units, n_classes)

    def forward(self, x: Float[Tensor, "batch *sample"]) -> Float[Tensor, "batch classes"]:
        """The logits."""
        steps = x.movedim(2, 1).flatten(2) if x.ndim == 4 else x.flatten(1)[:, :, None]
        _, final = self.recurrent(steps)
        return self.classifier(final[-1])


def make_network(config: NetworkConfig, shape: tuple[int, ...], n_classes: int) -> nn.Module:
    """The network of a configuration for samples of a shape; its weights are drawn from PyTorch's generator.

    Raises:
        ValueError: if it does not fit the samples.
    """
    if config.arch == "mlp":
        return MLP((torch.Size(shape).numel(), config.n_units, n_classes))
    if config.arch == "gru":
        return GRUClassifier(shape[0] * shape[-1] if len(shape) == 3 else 1, config.n_units, n_classes)
    if len(shape) != 3:
        raise ValueError(f"a {config.arch} takes images, not samples of shape {shape}; use the network mlp")
    if config.arch == "resnet":
        return ResNet(DEPTH, n_classes, shape[0], config.n_units)
    if shape[1] != shape[2]:
        raise ValueError(f"a cnn takes square images, not {shape[1]} x {shape[2]}; give their size, or use resnet")
    return SmallCNN(shape[0], n_classes, shape[1], config.n_units)


def equal_width(config: NetworkConfig, n_parameters: int, data: LabeledDataset) -> NetworkConfig:
    """The narrowest network of this kind with at least so many parameters.

    Raises:
        ValueError: if there is none of a reasonable width.
    """
    low, high = 1, MOST_UNITS
    while low < high:
        middle = (low + high) // 2
        found = count_parameters(_of_width(config, middle, data))
        low, high = (low, middle) if found >= n_parameters else (middle + 1, high)
    if low == MOST_UNITS:
        raise ValueError(f"no {config.arch} of up to {MOST_UNITS} units has {n_parameters:,} parameters")
    return NetworkConfig(config.arch, hidden=low)


def _of_width(config: NetworkConfig, width: int, data: LabeledDataset) -> nn.Module:
    with torch.device("meta"):
        return make_network(NetworkConfig(config.arch, hidden=width), data.sample_shape, data.n_classes)
