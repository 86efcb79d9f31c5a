"""Networks for other programs, as ONNX."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from separata import onnx

N_SAMPLES = 5


def save_onnx(model: nn.Module, path: Path | str, sample_shape: Sequence[int]) -> None:
    """Write a network as an ONNX model from `x` to `y`, for any number of samples.

    Quadratic layers are matrix products (or convolutions), products and sums, which verifiers such as `bab-verify` can
    bound. ONNX Runtime then computes random inputs; the file is kept only if it agrees with PyTorch. The network itself
    stays as it is.

    Args:
        model: Any network, with quadratic layers or without.
        path: File to write, whole or not at all.
        sample_shape: Shape of one sample: (features,), or (channels, height, width).

    Raises:
        ValueError: if the name does not end in .onnx, PyTorch cannot export the network, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    x = torch.rand(N_SAMPLES, *sample_shape, generator=torch.Generator().manual_seed(0))
    onnx.save(model, path, {"x": x}, ["y"], dynamic_axes={"x": {0: "batch"}}, extra="relinear[onnx]")
