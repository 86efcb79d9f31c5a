"""A grown network for other programs, as ONNX."""

from pathlib import Path

import torch
from torch import nn

from separata import onnx

from .wrapping import strip

BATCH = 5
"""Of the random samples on which both are compared."""


def save_onnx(model: nn.Module, path: Path | str, shape: tuple[int, ...]) -> None:
    """Write a network with its dendrites as an ONNX model from `x` (batch, *shape) to `logits`.

    ONNX Runtime then computes random samples; the file is kept only if it agrees with PyTorch. What is written is a
    copy of the network for inference; the network itself stays as it is.

    Args:
        model: Takes one tensor and gives one.
        path: File to write, .onnx, whole or not at all.
        shape: Shape of a sample.

    Raises:
        ValueError: if the name does not end in .onnx, PyTorch cannot export the network, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    x = torch.randn(BATCH, *shape, generator=torch.Generator().manual_seed(0))
    onnx.save(
        strip(model),
        path,
        {"x": x},
        ["logits"],
        dynamic_axes={"x": {0: "batch"}},
        extra="dendritic-backprop[onnx]",
    )
