"""Networks for other programs, as ONNX: one file, kept only if ONNX Runtime computes what PyTorch does."""

import copy
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from . import files
from .extras import require

TOLERANCE = 1e-4
"""Largest difference between a network and its export, relative to the largest value of an output."""


def save(
    module: nn.Module,
    path: Path | str,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    *,
    dynamic_axes: Mapping[str, Mapping[int, str]],
    extra: str,
    tolerance: float = TOLERANCE,
) -> None:
    """Write a network as an ONNX model, whole or not at all.

    ONNX Runtime then computes inputs that are one shorter along each dynamic axis; the file is kept only if it agrees
    with PyTorch. What is written is a copy of the network on the CPU, in single precision and evaluation mode; the
    network itself stays as it is.

    Args:
        module: Called with the inputs, in their order.
        path: File to write, .onnx.
        inputs: Examples, on the CPU, by their names in the file; of at least 3 along each dynamic axis.
        outputs: Names of what the module gives: one tensor, or a tuple of several.
        dynamic_axes: Axes of inputs that may have any length, by names; equal names are of equal length, as in
            `{"x": {0: "batch"}}`.
        extra: What to install where the exporter is missing, `noprop[onnx]`; it asks for `separata[onnx]`.
        tolerance: Largest difference, relative to the largest value of an output.

    Raises:
        ValueError: if the name does not end in .onnx, PyTorch cannot export the network, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra is not installed.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise ValueError(f"a network is exported as .onnx, not as {path.name}")
    require("onnx", "onnxruntime", "onnxscript", extra=extra)
    files.check_writable(path)
    module = copy.deepcopy(module).cpu().float().eval()
    lengths = {name: torch.export.Dim(name) for axes in dynamic_axes.values() for name in axes.values()}
    shapes = tuple({axis: lengths[name] for axis, name in dynamic_axes.get(key, {}).items()} for key in inputs)
    with files.replacing(path) as part, _quiet(), torch.no_grad():
        try:
            torch.onnx.export(
                module,
                tuple(inputs.values()),
                part,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=shapes,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise ValueError(
                "PyTorch cannot export this network as ONNX; Fourier transforms, as in FNO, are among what it cannot"
            ) from error
        others = {key: _shorter(value, dynamic_axes.get(key, {})) for key, value in inputs.items()}
        check(module, part, others, tolerance)


def _shorter(value: Tensor, axes: Mapping[int, str]) -> Tensor:
    for axis in axes:
        value = value.narrow(axis, 1, value.shape[axis] - 1)
    return value


def check(module: nn.Module, path: Path | str, inputs: Mapping[str, Tensor], tolerance: float = TOLERANCE) -> None:
    """See that ONNX Runtime computes of a file what PyTorch computes of the network.

    Args:
        module: The network, on the CPU and in evaluation mode.
        path: The ONNX model.
        inputs: Inputs by their names, in the order in which the module takes them.
        tolerance: Largest difference, relative to the largest value of an output.

    Raises:
        ValueError: if it does not.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    with torch.no_grad():
        given = module(*inputs.values())
    for one, expected in zip(found, (given,) if isinstance(given, Tensor) else given, strict=True):
        scale = expected.abs().max().clamp(min=torch.finfo(expected.dtype).tiny)
        difference = float((torch.from_numpy(one) - expected).abs().max() / scale)
        if not difference < tolerance:
            raise ValueError(f"the exported network differs from the original by {difference:.2g}; nothing is kept")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter tells its own developers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
