"""Networks for other programs, as ONNX."""

import copy
import logging
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from separata import files
from separata.extras import require

from .configs import DataShape

TOLERANCE = 1e-4
"""Largest difference between a network and its export, relative to the largest value."""
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
    path = Path(path)
    if path.suffix != ".onnx":
        raise ValueError(f"a network is exported as .onnx, not as {path.name}")
    require("onnx", "onnxruntime", "onnxscript", extra="mgno[onnx]")
    files.check_writable(path)
    model = copy.deepcopy(model).cpu().float().eval()
    x = torch.randn(N_SAMPLES, shape.in_channels, *shape.size, generator=torch.Generator().manual_seed(0))
    with files.replacing(path) as part, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            torch.onnx.export(
                model,
                (x,),
                part,
                input_names=["x"],
                output_names=["y"],
                dynamic_shapes=({0: torch.export.Dim("samples")},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError:
            raise ValueError(
                "PyTorch cannot export this network as ONNX; Fourier transforms, as in FNO, are among what it cannot"
            ) from None
        _compare(model, part, x[1:])


def _compare(model: nn.Module, path: Path, x: Tensor) -> None:
    """See that ONNX Runtime computes what PyTorch does, for another number of samples than the example's.

    Raises:
        ValueError: if it does not.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x.numpy()})
    expected = model(x)
    difference = float((torch.from_numpy(found) - expected).abs().max() / expected.abs().max().clamp(min=1e-30))
    if not difference < TOLERANCE:
        raise ValueError(f"the exported network differs from the original by {difference:.2g}; nothing is kept")
