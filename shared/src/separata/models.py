"""The baseline networks that many papers compare with, and the size of any network."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad


def count_parameters(module: nn.Module) -> int:
    """Trainable numbers; a complex one counts twice."""
    return sum(p.numel() * (2 if p.is_complex() else 1) for p in module.parameters() if p.requires_grad)


def match_width(count: Callable[[int], int], budget: int, most: int = 65_536, least: int = 1) -> int:
    """The width at which a network costs nearest to a budget.

    Args:
        count: What a network of a width costs, by its parameters, say; it must not fall as the width grows.
        budget: What it should cost.
        most: The largest width that is tried.
        least: The smallest.

    Returns:
        The width from `least` to `most` with the cost nearest to the budget, the smaller one of two equally near.

    Raises:
        ValueError: if the narrowest network costs more than half as much again as the budget.
    """
    if count(least) > 1.5 * budget:
        raise ValueError(
            f"a budget of {budget:,} is too small: with a width of {least} the network takes {count(least):,}"
        )
    within, beyond = least, least + 1
    while beyond <= most and count(beyond) <= budget:
        within, beyond = beyond, 2 * beyond
    beyond = min(beyond, most + 1)
    while beyond - within > 1:
        middle = (within + beyond) // 2
        within, beyond = (middle, beyond) if count(middle) <= budget else (within, middle)
    candidates = [width for width in (within, within + 1) if width <= most]
    return min(candidates, key=lambda width: (abs(count(width) - budget), width))


class MLP(nn.Module):
    """Multilayer perceptron: affine layers with an activation between them, and none after the last.

    Args:
        sizes: Width of the input, of each hidden layer, and of the output.
        activation: Makes the module between two layers.
        bias: Whether the affine maps have one.

    Raises:
        ValueError: if there are fewer than two sizes, or one is not positive.
    """

    def __init__(self, sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU, bias: bool = True) -> None:
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"an MLP needs two or more positive sizes, input first and output last, not {list(sizes)}")
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(sizes):
            layers += [nn.Linear(n_in, n_out, bias=bias), activation()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Float[Tensor, "batch *features"]) -> Float[Tensor, "batch outputs"]:
        """The outputs; every sample is flattened first."""
        return self.layers(x.flatten(1))


class SmallCNN(nn.Module):
    """Two convolutions with pooling and two affine layers: LeNet with modern parts.

    Both convolutions are 3 x 3 with padding, have `width` and `2 * width` channels, and are followed by ReLU and 2 x 2
    max pooling; the hidden affine layer has `4 * width` units.

    Args:
        in_channels: Channels of the images.
        n_classes: Number of logits.
        image_size: Height and width of the images, in pixels.
        width: Channels of the first convolution.

    Raises:
        ValueError: if the images are too small to be pooled twice.
    """

    def __init__(self, in_channels: int, n_classes: int, image_size: int, width: int = 32) -> None:
        super().__init__()
        if image_size < 4:
            raise ValueError(f"SmallCNN pools twice by two and needs images of at least 4 pixels, not {image_size}")
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = MLP((2 * width * (image_size // 4) ** 2, 4 * width, n_classes))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """The logits."""
        return self.classifier(self.features(x))


class ResNet(nn.Module):
    """The residual network for CIFAR of He et al. 2016 ("Deep residual learning for image recognition", section 4.2).

    A 3 x 3 convolution, then three stages of n = (depth - 2) / 6 blocks with `width`, `2 * width` and `4 * width`
    channels, the later two at half and a quarter of the resolution, then global average pooling and an affine layer.
    Shortcuts have no parameters (option A), weights start as in He et al. 2015. Not the network for ImageNet: that one
    has a pooling stem and four stages.

    Args:
        depth: Number of layers with weights, 6n + 2: 20, 32, 44, 56 and 110 in the paper.
        n_classes: Number of logits.
        in_channels: Channels of the images.
        width: Channels of the first stage.

    Raises:
        ValueError: if the depth is not 6n + 2 for a positive n.
    """

    def __init__(self, depth: int = 20, n_classes: int = 10, in_channels: int = 3, width: int = 16) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"the depth of a CIFAR ResNet is 6n + 2 (8, 14, 20, 26, 32, ...), not {depth}")
        n_blocks = (depth - 2) // 6
        self.stem = nn.Sequential(_convolution(in_channels, width), nn.BatchNorm2d(width), nn.ReLU())
        self.stages = nn.Sequential(
            _stage(width, width, n_blocks, stride=1),
            _stage(width, 2 * width, n_blocks, stride=2),
            _stage(2 * width, 4 * width, n_blocks, stride=2),
        )
        self.classifier = nn.Linear(4 * width, n_classes)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """The logits."""
        return self.classifier(self.stages(self.stem(x)).mean((2, 3)))


class _Block(nn.Module):
    """relu(x + F(x)), F two convolutions; where F changes the shape, x skips pixels and gains zero channels."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            _convolution(n_in, n_out, stride),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            _convolution(n_out, n_out),
            nn.BatchNorm2d(n_out),
        )
        self.stride = stride
        self.n_added = n_out - n_in

    def forward(self, x: Float[Tensor, "batch n_in height width"]) -> Float[Tensor, "batch n_out new_height new_width"]:
        shortcut = pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.n_added))
        return torch.relu(shortcut + self.residual(x))


def _stage(n_in: int, n_out: int, n_blocks: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_Block(n_in, n_out, stride), *(_Block(n_out, n_out, 1) for _ in range(n_blocks - 1)))


def _convolution(n_in: int, n_out: int, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer
