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
N_FUNCTIONS, N_POINTS = 5, 7
"""Of the random inputs on which both are compared."""


class _Grid(nn.Module):
    """The grid form as a module's call."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, u: Tensor, y: Tensor) -> Tensor:
        """G(u)(y) of every function at every point."""
        return self.model.grid(u, y)  # type: ignore[operator] # a method


def save_onnx(model: nn.Module, path: Path | str, shape: DataShape, *, grid: bool = False) -> None:
    """Write a network as an ONNX model of two inputs, `u` and `y`, and one output, `s`.

    ONNX Runtime then computes random inputs; the file is kept only if it agrees with PyTorch. What is written is a copy
    of the network on the CPU, in evaluation mode; the network itself stays as it is.

    Args:
        model: A `DeepONet`, a `JoinedNet`, a `ResNet`, or your own with the same call.
        path: File to write, whole or not at all.
        shape: Sensors, coordinates and outputs.
        grid: Take all functions at all points, u (functions, m) and y (points, d), instead of a point for each
            function, y (functions, d); any numbers of functions and points either way.

    Raises:
        ValueError: if the name does not end in .onnx, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise ValueError(f"a network is exported as .onnx, not as {path.name}")
    require("onnx", "onnxruntime", "onnxscript", extra="deeponet[onnx]")
    files.check_writable(path)
    model = copy.deepcopy(model).cpu().float().eval()
    exported = _Grid(model) if grid else model
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(N_FUNCTIONS, shape.n_sensors, generator=generator)
    y = torch.rand(N_POINTS if grid else N_FUNCTIONS, shape.n_coordinates, generator=generator)
    functions, points = torch.export.Dim("functions"), torch.export.Dim("points")
    with files.replacing(path) as part, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            exported,
            (u, y),
            part,
            input_names=["u", "y"],
            output_names=["s"],
            dynamic_shapes=({0: functions}, {0: points if grid else functions}),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        _compare(exported, part, u[1:], y[: -1 if grid else None][(not grid) :])


def _compare(exported: nn.Module, path: Path, u: Tensor, y: Tensor) -> None:
    """See that ONNX Runtime computes what PyTorch does, for another number of functions than the example's.

    Raises:
        ValueError: if it does not.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"u": u.numpy(), "y": y.numpy()})
    expected = exported(u, y)
    difference = float((torch.from_numpy(found) - expected).abs().max() / expected.abs().max().clamp(min=1e-30))
    if not difference < TOLERANCE:
        raise ValueError(f"the exported network differs from the original by {difference:.2g}; nothing is kept")
