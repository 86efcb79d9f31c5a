"""Networks for other programs, as ONNX."""

import copy
import logging
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from separata import files
from separata.extras import require

from .surrogate import Surrogate

TOLERANCE = 1e-4
"""Largest difference between a network and its export, relative to the largest value."""
N_SAMPLES = 3
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
        ValueError: if the name does not end in .onnx, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise ValueError(f"a network is exported as .onnx, not as {path.name}")
    require("onnx", "onnxruntime", "onnxscript", extra="mt-deeponet[onnx]")
    files.check_writable(path)
    exported = _Exported(copy.deepcopy(model).cpu().float().eval())
    second = "codes" if model.shape.n_codes else "mask"
    inputs = _random(model, model.grid.cpu().float(), N_SAMPLES + 1)
    names = ("functions", second, "points")
    n = torch.export.Dim("n")
    with files.replacing(path) as part, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            exported,
            inputs,
            part,
            input_names=list(names),
            output_names=["s"],
            dynamic_shapes=({0: n}, {0: n}, None),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        _compare(exported, part, dict(zip(names, _random(model, inputs[2], N_SAMPLES), strict=True)))


def _random(model: Surrogate, points: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    shape = model.shape
    functions = torch.randn(n, *shape.functions, generator=generator)
    extra = (
        torch.rand(n, shape.n_codes, generator=generator)
        if shape.n_codes
        else (torch.rand(n, shape.n_points, generator=generator) > 0.3).float()
    )
    return functions, extra, points


def _compare(exported: nn.Module, path: Path, inputs: dict[str, Tensor]) -> None:
    """See that ONNX Runtime computes what PyTorch does, for another number of samples than the example's.

    Raises:
        ValueError: if it does not.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    with torch.no_grad():
        expected = exported(*inputs.values())
    difference = float((torch.from_numpy(found) - expected).abs().max() / expected.abs().max().clamp(min=1e-30))
    if not difference < TOLERANCE:
        raise ValueError(f"the exported network differs from the original by {difference:.2g}; nothing is kept")
