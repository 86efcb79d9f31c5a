"""The deterministic form of a network with stochastic neurons as ONNX."""

import copy
from pathlib import Path

import torch
from torch import nn

from separata import onnx

from .conditional import conditional_layers
from .neuron import Inference, set_inference


def save_onnx(
    model: nn.Module, path: Path | str, sample_shape: tuple[int, ...], *, inference: Inference = "threshold"
) -> None:
    """Write a network without its noise as ONNX, and see that ONNX Runtime computes the same.

    All experts are computed, and multiplied by their gates. The input is x (batch, ...), the output y.

    Args:
        model: The network; left as it is.
        path: File to write, .onnx.
        sample_shape: Shape of a sample.
        inference: `"threshold"` or `"mean"`; a sample cannot be exported.

    Raises:
        ValueError: if it is `"sample"`, or the file's name does not end in .onnx.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    if inference == "sample":
        raise ValueError("noise cannot be exported: choose inference 'threshold' or 'mean'")
    plain = copy.deepcopy(model).eval().cpu()
    set_inference(plain, inference)
    for layer in conditional_layers(plain):
        layer.skip = False
    x = torch.randn(3, *sample_shape, generator=torch.Generator().manual_seed(0))
    onnx.save(plain, Path(path), {"x": x}, ["y"], dynamic_axes={"x": {0: "batch"}}, extra="stochastic-neurons[onnx]")
