"""Networks for other programs, as ONNX."""

from pathlib import Path

import torch
from torch import Tensor, nn

from separata import onnx

from .configs import DataShape

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
        ValueError: if the name does not end in .onnx, PyTorch cannot export the network, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(N_FUNCTIONS, shape.n_sensors, generator=generator)
    y = torch.rand(N_POINTS if grid else N_FUNCTIONS, shape.n_coordinates, generator=generator)
    onnx.save(
        _Grid(model) if grid else model,
        path,
        {"u": u, "y": y},
        ["s"],
        dynamic_axes={"u": {0: "functions"}, "y": {0: "points" if grid else "functions"}},
        extra="deeponet[onnx]",
    )
