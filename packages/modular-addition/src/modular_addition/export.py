"""Networks for other programs, as ONNX."""

from pathlib import Path

from separata import onnx

from .groups import all_pairs
from .network import ModularAdditionNet


def save_onnx(net: ModularAdditionNet, path: Path | str) -> None:
    """Write a network as an ONNX model from `pairs`, 64-bit integers (batch, 2), to `logits`, (batch, p).

    ONNX Runtime then computes some pairs; the file is kept only if it agrees with PyTorch.

    Args:
        net: The network.
        path: File to write, .onnx, whole or not at all.

    Raises:
        ValueError: if the name does not end in .onnx, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    pairs = all_pairs(net.p)[:: net.p + 1][:5]
    axes = {"pairs": {0: "batch"}}
    onnx.save(net, path, {"pairs": pairs}, ["logits"], dynamic_axes=axes, extra="modular-addition[onnx]")
