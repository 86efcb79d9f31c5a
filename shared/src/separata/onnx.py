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
SHORTEST = 3
"""Of an example along a dynamic axis, so that one less is neither empty nor what is broadcast."""
SILENT = 4
"""The severity of ONNX Runtime's messages above which they are shown: fatal ones."""


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
    network itself stays as it is. What it raises of the examples is raised as it is.

    Args:
        module: Called with the inputs, in their order.
        path: File to write, .onnx.
        inputs: Examples, by their names in the file, of which a copy is taken as of the network; of at least 3 along
            each dynamic axis.
        outputs: Names of what the module gives: one tensor, or a tuple of several.
        dynamic_axes: Axes of inputs that may have any length, by names; equal names are of equal length, as in
            `{"x": {0: "batch"}}`.
        extra: What to install where the exporter is missing, `noprop[onnx]`; it asks for `separata[onnx]`.
        tolerance: Largest difference, relative to the largest value of an output.

    Raises:
        ValueError: if the name does not end in .onnx, the examples do not fit the dynamic axes, the network cannot be
            copied, has other outputs or cannot be exported by PyTorch, or what ONNX Runtime computes differs.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra is not installed.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise ValueError(f"a network is exported as .onnx, not as {path.name}")
    require("onnx", "onnxruntime", "onnxscript", extra=extra)
    _check_axes(inputs, dynamic_axes)
    module, inputs = _copy(module), {key: _plain(value) for key, value in inputs.items()}
    _check_outputs(_copy(module), inputs, outputs)
    files.check_writable(path)
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
                "PyTorch cannot export this network as ONNX; Fourier transforms, as in FNO, are among what it cannot; "
                f"the reason it gives is: {_reason(error)}"
            ) from error
        others = {key: _shorter(value, dynamic_axes.get(key, {})) for key, value in inputs.items()}
        check(module, part, others, tolerance)


def _reason(error: BaseException) -> str:
    """The first line of the error that led to another."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).strip()}".partition("\n")[0]


def _check_axes(inputs: Mapping[str, Tensor], dynamic_axes: Mapping[str, Mapping[int, str]]) -> None:
    """See that axes that can have any length exist, are long enough, and of equal length under equal names."""
    lengths: dict[str, int] = {}
    for key, axes in dynamic_axes.items():
        if key not in inputs:
            raise ValueError(f"there is no input {key} whose axes could be dynamic, only {', '.join(inputs)}")
        for axis, name in axes.items():
            shape = inputs[key].shape
            if not -len(shape) <= axis < len(shape):
                raise ValueError(f"the input {key} has {len(shape)} axes, none of which is the dynamic one {axis}")
            if shape[axis] < SHORTEST:
                raise ValueError(
                    f"the example {key} is {shape[axis]} long along its axis {axis}, not at least {SHORTEST}"
                )
            if lengths.setdefault(name, shape[axis]) != shape[axis]:
                raise ValueError(
                    f"axes of the name {name} must be of equal length, not {lengths[name]} and {shape[axis]}"
                )


def _copy(module: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(module).cpu().float().eval()
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            "the network cannot be copied, and only a copy is exported: it holds a tensor that was computed with "
            "gradients, or something else that Python cannot copy"
        ) from error


def _plain(value: Tensor) -> Tensor:
    """An input as the copy of a network takes it."""
    value = value.detach().cpu()
    return value.float() if value.is_floating_point() else value


def _check_outputs(module: nn.Module, inputs: Mapping[str, Tensor], names: Sequence[str]) -> None:
    """See that a network gives as many tensors as there are names, of numbers that can be compared."""
    with torch.no_grad():
        given = _outputs(module(*inputs.values()))
    if len(given) != len(names):
        raise ValueError(f"the network gives {len(given)} outputs, but the names of {len(names)} were given")
    for name, value in zip(names, given, strict=True):
        if value.is_complex():
            raise ValueError(f"the output {name} is complex, which ONNX does not have; give its parts instead")


def _outputs(given: object) -> tuple[Tensor, ...]:
    """What a network gives, one by one."""
    found = (given,) if isinstance(given, Tensor) else given
    if not isinstance(found, (tuple, list)) or not all(isinstance(one, Tensor) for one in found):
        raise ValueError(f"a network for ONNX gives one tensor or a tuple of several, not a {type(given).__name__}")
    return tuple(found)


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
        tolerance: Largest difference, relative to the largest value of an output; integers and booleans are equal.

    Raises:
        ValueError: if it does not, or an output has values that are not finite.
    """
    found = _run(path, inputs)
    with torch.no_grad():
        given = _outputs(module(*inputs.values()))
    if len(found) != len(given):
        raise ValueError(f"the exported network has {len(found)} outputs instead of {len(given)}; nothing is kept")
    for one, expected in zip(found, given, strict=True):
        if one.shape != expected.shape:
            raise ValueError(
                f"the exported network has an output of shape {tuple(one.shape)} where the original has "
                f"{tuple(expected.shape)}; nothing is kept"
            )
        _compare(one, expected, tolerance)


def _run(path: Path | str, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    """What ONNX Runtime computes of a file, whose own messages are not shown."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        found = session.run(None, {name: value.detach().numpy() for name, value in inputs.items()})
    except Exception as error:  # its errors have no common class of their own
        raise ValueError(
            f"ONNX Runtime cannot compute the exported network: {' '.join(str(error).split())}; nothing is kept"
        ) from error
    return [torch.from_numpy(one) for one in found]


def _compare(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """See that an output is equal but for rounding."""
    if not expected.numel():
        return
    if not expected.isfinite().all():
        raise ValueError("the network gives values that are not finite, which cannot be compared; nothing is kept")
    limit = tolerance if expected.is_floating_point() else torch.finfo(torch.double).tiny
    found, expected = found.double(), expected.double()
    scale = expected.abs().max().clamp(min=torch.finfo(torch.float32).tiny)
    difference = float((found - expected).abs().max() / scale)
    if not difference < limit:
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
