"""Networks for other programs, as ONNX."""

from pathlib import Path

import torch
from torch import nn

from separata import onnx

from .networks.dual import CounterCurrentNetwork

N_SAMPLES = 3
"""Random samples on which both are compared."""


def save_onnx(network: CounterCurrentNetwork | nn.Module, path: Path | str, sample_shape: tuple[int, ...] = ()) -> None:
    """Write a forward network as an ONNX model from `x`, a batch of any length, to `y`.

    The feedback network is not in it. ONNX Runtime then computes random samples; the file is kept only if it agrees
    with PyTorch.

    Args:
        network: A dual network, or a plain module such as its `plain()`.
        path: File to write, .onnx, whole or not at all.
        sample_shape: Shape of a sample, of a plain module.

    Raises:
        ValueError: if the name does not end in .onnx, the shape of a sample is missing, PyTorch cannot export the
            network, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    if isinstance(network, CounterCurrentNetwork):
        sample_shape = network.sample_shape
        network = network.plain()
    if not sample_shape:
        raise ValueError("give the shape of a sample: a plain module does not tell it")
    x = torch.randn(N_SAMPLES, *sample_shape, generator=torch.Generator().manual_seed(0))
    onnx.save(network, path, {"x": x}, ["y"], dynamic_axes={"x": {0: "batch"}}, extra="counter-current[onnx]")
