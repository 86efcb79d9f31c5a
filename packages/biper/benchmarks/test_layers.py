"""A training step of a binary convolution beside the same real one, and inference: packed, frozen and real."""

import pytest
import torch
from torch import nn

from biper import METHODS, BiPerConv2d, freeze, pack

SHAPES = {"64 channels, 32 x 32": (64, 32, 8), "256 channels, 8 x 8": (256, 8, 8)}


def step(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Forward and backward, as in training."""
    layer.zero_grad()
    y = layer(x)
    y.sum().backward()
    return y


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", [*METHODS, "float"])
def test_training_step(benchmark, method, shape):
    """The peer is PyTorch's own convolution, which a binary one contains."""
    channels, size, n = SHAPES[shape]
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    layer = conv if method == "float" else METHODS[method].conv.from_float(conv)
    if method == "biper":
        layer.set_stage(2)
    x = torch.randn(n, channels, size, size, requires_grad=True)
    assert benchmark(step, layer, x).shape == x.shape


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["packed", "frozen", "float"])
def test_inference(benchmark, kind, shape):
    """XOR and population count, signs through a real convolution, and PyTorch's convolution alone."""
    channels, size, n = SHAPES[shape]
    layer = nn.Sequential(BiPerConv2d(channels, channels, 3, padding=1, bias=False, stage=2)).eval()
    model = {
        "packed": pack(layer),
        "frozen": freeze(layer),
        "float": nn.Conv2d(channels, channels, 3, padding=1, bias=False),
    }[kind]
    x = torch.randn(n, channels, size, size)
    with torch.no_grad():
        assert benchmark(model, x).shape == x.shape
