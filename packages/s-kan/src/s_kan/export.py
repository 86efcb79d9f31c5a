"""Networks for other programs, as ONNX."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from separata import onnx

from .compact import to_compact
from .networks import selectable_layers

N_SAMPLES = 5


def save_onnx(model: nn.Module, path: Path | str, sample_shape: Sequence[int]) -> None:
    """Write a network as an ONNX model from `x` to `y`, for any number of samples.

    A pruned network is written in its compact form. ONNX Runtime then computes random inputs; the file is kept only if
    it agrees with PyTorch. The network itself stays as it is.

    Args:
        model: A `SKAN`, a `SConvKAN`, a baseline, or your own module with their layers.
        path: File to write, whole or not at all.
        sample_shape: Shape of one sample: (features,), or (channels, height, width).

    Raises:
        ValueError: if the name does not end in .onnx, PyTorch cannot export the network, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    layers = selectable_layers(model)
    if layers and all(layer.is_pruned for layer in layers):
        model = to_compact(model)
    x = 2 * torch.rand(N_SAMPLES, *sample_shape, generator=torch.Generator().manual_seed(0)) - 1
    onnx.save(model, path, {"x": x}, ["y"], dynamic_axes={"x": {0: "batch"}}, extra="s-kan[onnx]")
