"""Networks for other programs, as ONNX."""

from pathlib import Path

import torch
from torch import Tensor, nn

from separata import onnx

from .surrogate import Surrogate

N_SAMPLES = 4
"""Of the random inputs on which both are compared."""


class _Exported(nn.Module):
    """A surrogate as a call of tensors, of which ONNX knows no missing ones."""

    def __init__(self, model: Surrogate) -> None:
        super().__init__()
        self.model = model

    def forward(self, functions: Tensor, extra: Tensor, points: Tensor) -> Tensor:
        """Solutions; `extra` is the mask of zeros and ones, or the codes."""
        if self.model.shape.n_codes:
            return self.model(functions, points, None, extra)
        return self.model(functions, points, extra > 0.5)


def save_onnx(model: Surrogate, path: Path | str) -> None:
    """Write a surrogate, normalizers and all, as an ONNX model.

    Its inputs are `functions`, then `codes` (n, codes) if the network takes some and else `mask` (n, points) of zeros
    and ones, and `points` (points, d); its output is `s` (n, points). It takes any number of samples on the grid that
    the network was trained on. ONNX Runtime then computes random inputs; the file is kept only if it agrees with
    PyTorch.

    Args:
        model: The surrogate; it stays as it is.
        path: File to write, whole or not at all.

    Raises:
        ValueError: if the name does not end in .onnx, PyTorch cannot export the network, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    generator, shape = torch.Generator().manual_seed(0), model.shape
    functions = torch.randn(N_SAMPLES, *shape.functions, generator=generator)
    if shape.n_codes:
        second = {"codes": torch.rand(N_SAMPLES, shape.n_codes, generator=generator)}
    else:
        second = {"mask": (torch.rand(N_SAMPLES, shape.n_points, generator=generator) > 0.3).float()}
    onnx.save(
        _Exported(model),
        path,
        {"functions": functions, **second, "points": model.grid.cpu().float()},
        ["s"],
        dynamic_axes={name: {0: "n"} for name in ("functions", *second)},
        extra="mt-deeponet[onnx]",
    )
