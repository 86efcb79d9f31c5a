"""Small primary networks: a classifier, a U-Net for flows, and a U-Net that rescales by any factor."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .configs import Primary

LEAST_PIXELS = 4


class ConvNet(nn.Module):
    """Three 3 x 3 convolutions of stride 2 with w, 2w and 4w channels, and an affine layer.

    Args:
        in_channels: Channels of the images.
        n_classes: Number of logits.
        size: Height and width of the images.
        width: Channels w of the first layer.
        norm: After each convolution: `batch` (with the batch's own statistics, which do not mix inputs of a
            hypernetwork), `layer` (GroupNorm of one group) or `none`.

    Raises:
        ValueError: if the images are smaller than 4 pixels, or the width is not positive.
    """

    def __init__(
        self, in_channels: int, n_classes: int, size: tuple[int, int], width: int = 8, norm: Primary = "none"
    ) -> None:
        super().__init__()
        _check(size, width)
        widths = (in_channels, width, 2 * width, 4 * width)
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Conv2d(n_in, n_out, 3, stride=2, padding=1), *_norm(norm, n_out), nn.ReLU()]
            size = (-(-size[0] // 2), -(-size[1] // 2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(widths[-1] * size[0] * size[1], n_classes)
        initialize_he(self)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """The logits."""
        return self.classifier(self.features(x).flatten(1))


class UNet(nn.Module):
    """A U-Net of one level: convolutions at full and at a lower resolution, with a skip connection between them.

    The lower resolution is half of the full one, or `factor` times it, a number between 0 and 1 that `forward` takes
    or that is set on the network. Layers see whatever resolution it gives (scale-space hypernetworks, Gonzalez Ortiz et
    al. 2023).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        width: Channels w at full resolution; 2w at the lower one.
        norm: After each convolution, as of `ConvNet`.
        scale: Factor of the output: with a small one, it is near 0 to begin with, wherever the weights come from.

    Attributes:
        factor: The lower resolution by the full one.

    Raises:
        ValueError: if the width is not positive.
    """

    def __init__(
        self, in_channels: int, out_channels: int, width: int = 8, norm: Primary = "none", scale: float = 1.0
    ) -> None:
        super().__init__()
        _check((LEAST_PIXELS, LEAST_PIXELS), width)
        self.enter = _block(in_channels, width, norm)
        self.bottom = nn.Sequential(_block(width, 2 * width, norm), _block(2 * width, 2 * width, norm))
        self.leave = _block(3 * width, width, norm)
        self.last = nn.Conv2d(width, out_channels, 3, padding=1)
        self.factor = 0.5
        self.scale = scale
        initialize_he(self)

    def forward(
        self, x: Float[Tensor, "batch n_in height width"], factor: float | None = None
    ) -> Float[Tensor, "batch n_out height width"]:
        """The output, at the resolution of the input.

        Args:
            x: The input.
            factor: The lower resolution by the full one, if it is not the network's own.
        """
        full = self.enter(x)
        height, width = full.shape[-2:]
        scale = self.factor if factor is None else factor
        low = (max(2, round(scale * height)), max(2, round(scale * width)))
        small = self.bottom(functional.interpolate(full, low, mode="bilinear", antialias=False))
        again = functional.interpolate(small, (height, width), mode="bilinear")
        return self.scale * self.last(self.leave(torch.cat([full, again], dim=1)))


def initialize_he(network: nn.Module) -> None:
    """Draw weights for ReLUs (He et al. 2015): normal with variance 2 / fan-in; biases are 0."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _block(n_in: int, n_out: int, norm: Primary) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3, padding=1), *_norm(norm, n_out), nn.LeakyReLU(0.2))


def _norm(kind: Primary, channels: int) -> list[nn.Module]:
    if kind == "batch":
        return [nn.BatchNorm2d(channels, track_running_stats=False)]
    return [nn.GroupNorm(1, channels)] if kind == "layer" else []


def _check(size: tuple[int, int], width: int) -> None:
    if min(size) < LEAST_PIXELS:
        raise ValueError(f"the network takes images of at least {LEAST_PIXELS} pixels, not {size[0]} x {size[1]}")
    if width < 1:
        raise ValueError(f"the network needs a width of at least 1, not {width}")
