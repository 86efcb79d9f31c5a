"""The network for one γ, for other programs."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from separata import files, onnx
from separata.extras import require

N_SAMPLES = 5
EXTRA = "mip-hypernet[onnx]"


def check_target(path: Path | str) -> Path:
    """The path, if a network can be written there.

    Raises:
        ValueError: if its name ends neither in .safetensors nor in .onnx.
        OSError: if it cannot be written.
        MissingExtraError: if it ends in .onnx and the extra `onnx` is not installed.
    """
    path = Path(path)
    if path.suffix not in (".safetensors", ".onnx"):
        raise ValueError(f"a network is written as .safetensors or .onnx, not as {path.name}")
    if path.suffix == ".onnx":
        require("onnx", "onnxruntime", "onnxscript", extra=EXTRA)
    files.check_writable(path)
    return path


def save_network(network: nn.Module, path: Path | str, sample_shape: Sequence[int]) -> None:
    """Write a plain network: its state dict as .safetensors, or the whole of it as .onnx, from `x` to `y`.

    Args:
        network: What `HyperModel.instantiate` gives.
        path: File to write, whole or not at all. ONNX is kept only if ONNX Runtime computes what PyTorch does.
        sample_shape: Shape of one sample.

    Raises:
        ValueError: if the name ends otherwise, the network cannot be exported, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    path = check_target(path)
    if path.suffix == ".safetensors":
        # Under one name each: a file holds no tensor twice.
        own = network.state_dict()
        files.save_tensors(path, {name: value.clone() for name, value in own.items()})
        return
    x = torch.rand(N_SAMPLES, *sample_shape, generator=torch.Generator().manual_seed(0))
    onnx.save(network, path, {"x": x}, ["y"], dynamic_axes={"x": {0: "batch"}}, extra=EXTRA)
