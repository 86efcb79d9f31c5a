"""Networks for other programs, as ONNX."""

from pathlib import Path

import torch
from torch import nn

from separata import onnx

N_SAMPLES = 3
"""Random samples on which both are compared."""


def save_onnx(network: nn.Module, path: Path | str, in_features: int) -> None:
    """Write a network as an ONNX model from `x`, a batch of any length, to `y`.

    ONNX Runtime then computes random samples; the file is kept only if it agrees with PyTorch.

    Args:
        network: Maps (batch, in_features) to outputs: a network of any family, or one of your own.
        path: File to write, .onnx, whole or not at all.
        in_features: Number of inputs.

    Raises:
        ValueError: if the name does not end in .onnx, PyTorch cannot export the network, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    x = 2 * torch.rand(N_SAMPLES, in_features, generator=torch.Generator().manual_seed(0)) - 1
    onnx.save(network, path, {"x": x}, ["y"], dynamic_axes={"x": {0: "batch"}}, extra="kan-assessment[onnx]")
