"""The networks of the paper: VGG-small and ResNets, each in full precision until it is made binary."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .configs import DataShape, ModelConfig
from .conversion import binarize

Images = Float[Tensor, "batch channels height width"]
Maps = Float[Tensor, "batch n_out new_height new_width"]
Logits = Float[Tensor, "batch classes"]
TINY = 1e-8
"""Initial weight of the batch normalizations of the ImageNet networks."""


def _convolution(n_in: int, n_out: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, size, stride, padding=size // 2, bias=False)


class PaddedShortcut(nn.Module):
    """A shortcut without weights: averages 2 x 2 pixels, and adds channels of zeros on both sides."""

    def __init__(self, n_added: int) -> None:
        super().__init__()
        # Odd sizes are rounded up, as the convolution of stride 2 rounds them.
        self.pool = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
        self.before = n_added // 2
        self.after = n_added - self.before

    def forward(self, x: Images) -> Maps:
        """The shortcut."""
        return F.pad(self.pool(x), (0, 0, 0, 0, self.before, self.after))


class Block(nn.Module):
    """Two convolutions of 3 x 3, each with a residual of its own as in Bi-Real Net, or one around both."""

    def __init__(
        self, n_in: int, n_out: int, stride: int, activation: nn.Module, shortcut: nn.Module, *, is_bireal: bool
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = _convolution(n_in, n_out, stride=stride), nn.BatchNorm2d(n_out)
        self.conv2, self.bn2 = _convolution(n_out, n_out), nn.BatchNorm2d(n_out)
        self.shortcut, self.activation, self.is_bireal = shortcut, activation, is_bireal

    def forward(self, x: Images) -> Maps:
        """The block."""
        shortcut = self.shortcut(x)
        y = self.bn1(self.conv1(x))
        if self.is_bireal:
            y = shortcut = self.activation(y + shortcut)
        else:
            y = self.activation(y)
        return self.activation(self.bn2(self.conv2(y)) + shortcut)


class ResNet(nn.Module):
    """A residual network: a real stem, stages of blocks, and a normalized linear classifier."""

    def __init__(
        self,
        stem: nn.Module,
        widths: list[int],
        n_blocks: list[int],
        activation: nn.Module,
        make_shortcut: Callable[[int, int], nn.Module],
        n_classes: int,
        *,
        is_bireal: bool,
    ) -> None:
        super().__init__()
        self.stem = stem
        blocks, n_in = [], widths[0]
        for number, (width, n) in enumerate(zip(widths, n_blocks, strict=True)):
            for place in range(n):
                is_smaller = place == 0 and number > 0
                shortcut = make_shortcut(n_in, width) if is_smaller else nn.Identity()
                blocks.append(Block(n_in, width, 2 if is_smaller else 1, activation, shortcut, is_bireal=is_bireal))
                n_in = width
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm1d(n_in)
        self.classifier = nn.Linear(n_in, n_classes)

    def forward(self, x: Images) -> Logits:
        """Logits of images of any size that survives the strides."""
        return self.classifier(self.norm(self.blocks(self.stem(x)).mean((2, 3))))


class VGGSmall(nn.Module):
    """Six convolutions of 3 x 3; every other one is followed by 2 x 2 max pooling, before its batch normalization."""

    def __init__(self, shape: DataShape, width: float, activation: nn.Module) -> None:
        super().__init__()
        self.shape = shape
        widths = [_scaled(n, width) for n in (128, 128, 256, 256, 512, 512)]
        layers: list[nn.Module] = []
        n_in, size = shape.channels, shape.size
        for place, n_out in enumerate(widths):
            pools = place % 2 == 1
            layers += [_convolution(n_in, n_out), *([nn.MaxPool2d(2)] if pools else [])]
            layers += [nn.BatchNorm2d(n_out), activation]
            n_in, size = n_out, size // 2 if pools else size
        if size < 1:
            raise ValueError(f"vgg-small halves images three times: they need at least 8 pixels, not {shape.size}")
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(n_in * size**2, shape.n_classes)

    def forward(self, x: Images) -> Logits:
        """Logits.

        Raises:
            ValueError: if the images are of another shape than the network was made for.
        """
        expected = (self.shape.channels, self.shape.size, self.shape.size)
        if tuple(x.shape[1:]) != expected:
            raise ValueError(f"this network was made for images of {expected}, not {tuple(x.shape[1:])}")
        return self.classifier(self.features(x).flatten(1))


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))


def _activation(config: ModelConfig) -> nn.Module:
    return nn.ReLU() if config.real_activations else nn.Hardtanh()


def _padded(n_in: int, n_out: int) -> nn.Module:
    return PaddedShortcut(n_out - n_in)


def _projected(n_in: int, n_out: int) -> nn.Module:
    return nn.Sequential(_convolution(n_in, n_out, 1, 2), nn.BatchNorm2d(n_out))


def _small_resnet(config: ModelConfig, shape: DataShape) -> ResNet:
    """For small images: ResNet-8 and -20 with a residual for each convolution, ResNet-18 with one for each block."""
    is_thin = config.model in {"resnet8", "resnet20"}
    widths = [_scaled(n, config.width) for n in ((16, 32, 64) if is_thin else (64, 128, 256, 512))]
    activation = _activation(config)
    stem = [_convolution(shape.channels, widths[0]), nn.BatchNorm2d(widths[0]), *([activation] if is_thin else [])]
    n_blocks = {"resnet8": [1] * 3, "resnet20": [3] * 3, "resnet18": [2] * 4}[config.model]
    return ResNet(nn.Sequential(*stem), widths, n_blocks, activation, _padded, shape.n_classes, is_bireal=is_thin)


def _imagenet_resnet(config: ModelConfig, shape: DataShape) -> ResNet:
    widths = [_scaled(n, config.width) for n in (64, 128, 256, 512)]
    activation = _activation(config)
    stem = nn.Sequential(
        nn.Conv2d(shape.channels, widths[0], 7, 2, 3, bias=False),
        nn.BatchNorm2d(widths[0]),
        activation,
        nn.MaxPool2d(3, 2, 1),
    )
    n_blocks = [2, 2, 2, 2] if config.model == "imagenet-resnet18" else [3, 4, 6, 3]
    return ResNet(stem, widths, n_blocks, activation, _projected, shape.n_classes, is_bireal=True)


def make_float_network(config: ModelConfig, shape: DataShape) -> VGGSmall | ResNet:
    """The network in full precision, with the initial weights of its binary twin."""
    if config.model == "vgg-small":
        network: VGGSmall | ResNet = VGGSmall(shape, config.width, _activation(config))
    elif config.model.startswith("imagenet"):
        network = _imagenet_resnet(config, shape)
    else:
        network = _small_resnet(config, shape)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            if config.model == "vgg-small":
                nn.init.normal_(module.weight, std=math.sqrt(2 / (9 * module.out_channels)))
            else:
                nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d) and config.model.startswith("imagenet"):
            nn.init.constant_(module.weight, TINY)
    return network


def make_network(config: ModelConfig, shape: DataShape = DataShape()) -> VGGSmall | ResNet:  # noqa: B008 - immutable
    """A network of the paper, with binary weights but for the first and the last layer and projections of 1 x 1.

    Args:
        config: The architecture and the method; BiPer's layers are in the first stage.
        shape: Channels and size of the images, and the number of classes.

    Raises:
        ValueError: if images are too small.
    """
    network = make_float_network(config, shape)
    if config.method != "float":
        projections = ["*shortcut.0"] if config.model.startswith("imagenet") else []
        binarize(
            network,
            config.method,
            config.omega,
            skip=("first", "last", *projections),
            binarize_input=not config.real_activations,
        )
    return network


def n_binary_weights(model: nn.Module) -> int:
    """Weights of a network that take one bit each."""
    from .layers import binary_layers

    return sum(layer.weight.numel() for _, layer in binary_layers(model))


def float_bytes(model: nn.Module) -> int:
    """Bytes of a network's parameters and buffers as they are in memory."""
    held: list[torch.Tensor] = [*model.parameters(), *model.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in held)
