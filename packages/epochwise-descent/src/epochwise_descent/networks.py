"""The networks whose learning curves are measured: MLP, small CNN and the paper's ResNet-18."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from separata.ensembles import Ensemble
from separata.models import MLP, SmallCNN
from separata.training import seeded

from .configs import NetworkConfig


def make_network(config: NetworkConfig, shape: Sequence[int], n_classes: int) -> nn.Module:
    """A network for samples of a shape, with initial weights from PyTorch's global generator.

    Args:
        config: Kind and width.
        shape: Of a sample: (channels, height, width), or (features,) for an MLP.
        n_classes: Number of logits.

    Raises:
        ValueError: if a CNN or ResNet is asked for samples that are no square images.
    """
    n_inputs = torch.Size(shape).numel()
    if config.kind == "mlp":
        return MLP((n_inputs, config.width, n_classes))
    if len(shape) != 3 or shape[1] != shape[2]:
        told = " x ".join(map(str, shape))
        raise ValueError(f"a {config.kind} needs square images, but samples are {told}; use the kind mlp")
    if config.kind == "cnn":
        return SmallCNN(shape[0], n_classes, shape[1], config.width)
    return resnet18_cifar(config.width, n_classes, shape[0])


def make_networks(
    config: NetworkConfig, shape: Sequence[int], n_classes: int, seeds: Sequence[int]
) -> "Ensemble | Separate":
    """Networks with initial weights of several seeds, to be trained as one.

    Raises:
        ValueError: as for `make_network`.
    """
    members = []
    for seed in seeds:
        with seeded(seed):
            members.append(make_network(config, shape, n_classes))
    # Running statistics of BatchNorm change in training, which functional calls do not keep.
    return Separate(members) if config.kind == "resnet18" else Ensemble(members)


class Separate(nn.ModuleList):
    """Networks that are run one after another, called as an `Ensemble` is."""

    def forward(self, x: Float[Tensor, "..."], is_shared: bool = False) -> Float[Tensor, "members batch classes"]:
        """The outputs of every member on its own inputs, or on the same for all."""
        return torch.stack([one(x if is_shared else x[i]) for i, one in enumerate(self)])


def resnet18_cifar(width: int = 64, n_classes: int = 10, in_channels: int = 3) -> nn.Module:
    """ResNet-18 for images of 32 x 32: a 3 x 3 stem, then four stages of two blocks (He et al. 2016).

    The stages have `width`, 2, 4 and 8 times as many channels, and all but the first halve the resolution; shortcuts
    that change the shape are 1 x 1 convolutions. The paper's network has width 64.

    Args:
        width: Channels of the first stage.
        n_classes: Number of logits.
        in_channels: Channels of the images.

    Raises:
        ValueError: if the width is not positive.
    """
    if width < 1:
        raise ValueError(f"the width must be at least 1, not {width}")
    stages: list[nn.Module] = []
    n_in = width
    for i in range(4):
        n_out = width * 2**i
        stages += [_Block(n_in, n_out, 1 if i == 0 else 2), _Block(n_out, n_out, 1)]
        n_in = n_out
    stem = [nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_in, n_classes))


class _Block(nn.Module):
    """relu(shortcut(x) + F(x)), F two 3 x 3 convolutions with BatchNorm."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        is_same = n_in == n_out and stride == 1
        self.shortcut: nn.Module = (
            nn.Identity()
            if is_same
            else nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))
        )

    def forward(self, x: Float[Tensor, "batch n_in height width"]) -> Float[Tensor, "batch n_out h w"]:
        """The block's output."""
        return torch.relu(self.shortcut(x) + self.residual(x))
