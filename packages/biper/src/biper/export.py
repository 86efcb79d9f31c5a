"""Networks for other programs, as ONNX."""

from pathlib import Path

import torch
from torch import nn

from separata import onnx

from .frozen import freeze

N_SAMPLES = 3
"""Random images on which both are compared."""


def save_onnx(model: nn.Module, path: Path | str, sample_shape: tuple[int, ...]) -> None:
    """Write a network with binary layers as an ONNX model from `x`, a batch of any length, to `y`.

    Binary weights are constants of -1 and +1, kept as bytes where they are many, and signs compare with zero, so that
    sgn(0) = +1 as here.
    ONNX Runtime then computes random samples; the file is kept only if it agrees with PyTorch.

    Args:
        model: The network, in its second stage; it stays as it is.
        path: File to write, .onnx, whole or not at all.
        sample_shape: Shape of a sample, (channels, height, width) of images.

    Raises:
        ValueError: if the name does not end in .onnx, the network has no binary weights, PyTorch cannot export it, or
            the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    x = torch.randn(N_SAMPLES, *sample_shape, generator=torch.Generator().manual_seed(0))
    plain = freeze(model, as_bytes=True)
    onnx.save(plain, path, {"x": x}, ["y"], dynamic_axes={"x": {0: "batch"}}, extra="biper[onnx]")
