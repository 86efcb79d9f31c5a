"""The networks of the paper's settings: perceptrons, ResNet-18, VGG-11 and a small vision transformer."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .configs import ModelConfig, hidden_widths

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU}
VGG_11 = (1, 0, 2, 0, 4, 4, 0, 8, 8, 0, 8, 8)
"""Channels of its convolutions relative to the first, and 0 for a maximum over 2 x 2 pixels."""
DEPTH = 6
"""Blocks of a vision transformer."""


def make_mlp(
    n_inputs: int, hidden: Sequence[int], n_outputs: int, activation: str = "tanh", norm: str = "none"
) -> nn.Sequential:
    """A perceptron of flattened samples, with PyTorch's own initial weights.

    Args:
        n_inputs: Numbers of a sample.
        hidden: Widths of the hidden layers.
        n_outputs: Outputs.
        activation: tanh, relu or gelu.
        norm: Normalization before each activation: none, batch or group (over all units).
    """
    layers: list[nn.Module] = [nn.Flatten()]
    for width in hidden:
        layers.append(nn.Linear(n_inputs, width))
        if norm != "none":
            layers.append(nn.BatchNorm1d(width) if norm == "batch" else nn.GroupNorm(1, width))
        layers.append(ACTIVATIONS[activation]())
        n_inputs = width
    return nn.Sequential(*layers, nn.Linear(n_inputs, n_outputs))


def _norm(kind: str, channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(8, channels) if kind == "group" else nn.Identity()


class ResidualBlock(nn.Module):
    """relu(shortcut(x) + F(x)), F two convolutions; the shortcut has weights where the shape changes."""

    def __init__(self, n_in: int, n_out: int, stride: int, norm: str) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1, bias=norm == "none"),
            _norm(norm, n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, 1, 1, bias=norm == "none"),
            _norm(norm, n_out),
        )
        changes = stride != 1 or n_in != n_out
        self.shortcut: nn.Module = nn.Identity()
        if changes:
            self.shortcut = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=norm == "none"), _norm(norm, n_out))

    def forward(
        self, x: Float[Tensor, "n channels height width"]
    ) -> Float[Tensor, "n new_channels new_height new_width"]:
        """The block's output."""
        return torch.relu(self.shortcut(x) + self.residual(x))


def make_resnet(channels: int, n_outputs: int, width: int = 64, norm: str = "batch") -> nn.Sequential:
    """ResNet-18 for small images: a 3 x 3 convolution, four stages of two blocks, and a linear layer."""
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, 1, 1, bias=norm == "none"), _norm(norm, width), nn.ReLU()]
    n_in = width
    for stage in range(4):
        n_out = width * 2**stage
        layers += [ResidualBlock(n_in, n_out, 1 + (stage > 0), norm), ResidualBlock(n_out, n_out, 1, norm)]
        n_in = n_out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_in, n_outputs))


def make_vgg(channels: int, n_outputs: int, width: int = 64, norm: str = "none") -> nn.Sequential:
    """VGG-11 for small images, with one linear layer behind the convolutions."""
    layers: list[nn.Module] = []
    n_in = channels
    for factor in VGG_11:
        if factor == 0:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            continue
        layers += [nn.Conv2d(n_in, factor * width, 3, 1, 1), _norm(norm, factor * width), nn.ReLU()]
        n_in = factor * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_in, n_outputs))


class VisionTransformer(nn.Module):
    """A small vision transformer without dropout: patches of 4 x 4 pixels, learned positions, a mean over patches."""

    def __init__(self, channels: int, size: tuple[int, int], n_outputs: int, width: int = 64) -> None:
        super().__init__()
        side = 4
        self.patches = nn.Conv2d(channels, width, side, side)
        n_patches = (size[0] // side) * (size[1] // side)
        if n_patches < 1:
            raise ValueError(f"a vision transformer needs images of at least {side} x {side} pixels, not {size}")
        self.positions = nn.Parameter(0.02 * torch.randn(n_patches, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, DEPTH, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, n_outputs))

    def forward(self, x: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n outputs"]:
        """The outputs."""
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        # The fast path of attention has no second derivatives.
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            encoded = self.blocks(tokens)
        return self.head(encoded.mean(1))


def make_network(config: ModelConfig, sample_shape: Sequence[int], n_outputs: int) -> nn.Module:
    """The network of a configuration; draw its weights inside `separata.training.seeded`.

    Args:
        config: The network.
        sample_shape: Shape of a sample.
        n_outputs: Outputs, one a class.

    Raises:
        ValueError: if the network is for images and the samples are none.
    """
    if config.kind == "mlp":
        n_inputs = int(torch.Size(sample_shape).numel())
        return make_mlp(n_inputs, hidden_widths(config.hidden), n_outputs, config.activation, config.norm)
    if len(sample_shape) != 3:
        shape = " x ".join(map(str, sample_shape))
        raise ValueError(f"{config.kind} takes images of shape channels x height x width, not samples of {shape}")
    channels, height, width = sample_shape
    if config.kind == "vit":
        return VisionTransformer(channels, (height, width), n_outputs, config.width)
    make = make_resnet if config.kind == "resnet" else make_vgg
    return make(channels, n_outputs, config.width, config.norm)
