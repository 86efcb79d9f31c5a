"""Networks for other programs, as ONNX."""

from pathlib import Path

import torch
from torch import nn

from separata import onnx

N_SAMPLES = 3
"""Random samples on which both are compared."""


def save_onnx(network: nn.Module, path: Path | str, sample_shape: tuple[int, ...]) -> None:
    """Write a network as an ONNX model from `x`, a batch of any length, to `y`.

    ONNX Runtime then computes random samples; the file is kept only if it agrees with PyTorch. Networks of every kind
    and every reduction can be written. Verifiers such as bab-verify take those whose activation is not softplus, and
    bound `multistep` best, since it has no softmax.

    Args:
        network: A network of this package, or a model with AF-KAN layers in it.
        path: File to write, .onnx, whole or not at all.
        sample_shape: Shape of a sample.

    Raises:
        ValueError: if the name does not end in .onnx, PyTorch cannot export the network, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    x = torch.rand(N_SAMPLES, *sample_shape, generator=torch.Generator().manual_seed(0))
    onnx.save(network, path, {"x": x}, ["y"], dynamic_axes={"x": {0: "batch"}}, extra="af-kan[onnx]")
