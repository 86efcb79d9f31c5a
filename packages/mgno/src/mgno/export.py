"""Networks for other programs, as ONNX."""

from pathlib import Path

import torch
from torch import nn

from separata import onnx

from .configs import DataShape

N_SAMPLES = 3
"""Of the random input on which both are compared, one of which is left out of the example."""


def save_onnx(model: nn.Module, path: Path | str, shape: DataShape) -> None:
    """Write a network as an ONNX model of one input, `x`, and one output, `y`, for any number of samples on one grid.

    ONNX Runtime then computes a random input; the file is kept only if it agrees with PyTorch. What is written is a
    copy of the network on the CPU, in evaluation mode; the network itself stays as it is.

    Args:
        model: An `Operator`, an `MgNO`, or your own with the same call.
        path: File to write, whole or not at all.
        shape: Channels and grid.

    Raises:
        ValueError: if the name does not end in .onnx, PyTorch cannot export the network, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    x = torch.randn(N_SAMPLES, shape.in_channels, *shape.size, generator=torch.Generator().manual_seed(0))
    onnx.save(model, path, {"x": x}, ["y"], dynamic_axes={"x": {0: "samples"}}, extra="mgno[onnx]")
