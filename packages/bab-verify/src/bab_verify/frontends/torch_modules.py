"""PyTorch modules as graphs, and as ONNX models."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import onnx
import torch
from jaxtyping import Float
from torch import Tensor, nn

from bab_verify.graph import Graph

from .evaluation_mode import evaluating, like_parameters
from .onnx_import import graph_from_model
from .onnx_registry import NetworkError
from .spelled_out import spelled_out
from .torch_layers import graph_from_layers, is_fixed


def model_from_module(
    module: nn.Module, example: Float[Tensor, "batch ..."], *, fixed: bool | None = None
) -> onnx.ModelProto:
    """A module as an ONNX model, in evaluation mode.

    Layers with numbers that ONNX would round to single precision are spelled out in modules in double precision.

    Args:
        module: A network of one input and one output.
        example: An input, a batch of 1.
        fixed: Whether the module does the same operations whatever its input, so that recording what it does with the
            example is enough, which is a hundred times faster. By default where it is made of PyTorch's own layers in
            sequence.

    Raises:
        NetworkError: if the example is no batch of 1, or PyTorch cannot export the module.
    """
    _check_batch(example)
    double = like_parameters(module).dtype == torch.float64
    with evaluating(module), spelled_out(module) if double else contextlib.nullcontext(), _quiet():
        return _export(module, example, fixed=is_fixed(module) if fixed is None else fixed)


def _check_batch(example: Tensor) -> None:
    if example.ndim < 1 or (example.ndim > 1 and example.shape[0] != 1):
        raise NetworkError(f"the example must be a batch of 1, but its shape is {list(example.shape)}")


def _export(module: nn.Module, example: Tensor, *, fixed: bool) -> onnx.ModelProto:
    errors = []
    # The older exporter records; the newer one reads the code, and refuses what depends on values.
    for dynamo in (False, True) if fixed else (True, False):
        stream = io.BytesIO()
        try:
            target: Any = None if dynamo else stream
            program = torch.onnx.export(module, (example,), target, dynamo=dynamo, verbose=False)
        except Exception as error:  # noqa: BLE001 - the exporters raise anything
            errors.append(error)
            continue
        return program.model_proto if program is not None else onnx.load_model_from_string(stream.getvalue())
    reason = str(errors[-1]).strip().splitlines()[0]
    raise NetworkError(f"PyTorch cannot export {type(module).__name__} to ONNX: {reason}") from errors[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters print."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def graph_from_module(
    module: nn.Module,
    example: Float[Tensor, "batch ..."],
    dtype: torch.dtype = torch.float64,
) -> Graph:
    """The graph of a PyTorch module.

    PyTorch's own layers in sequence are converted directly, in milliseconds; everything else (modules with a forward
    method of their own, hooks, other layers) goes by way of ONNX, which takes a second or more, at every call: nothing
    is kept, since a module may have been trained on. On that way numbers in the code, such as a slope or epsilon of a
    function, become numbers of single precision: in a module in single precision they are taken as such; one in
    double precision is refused where they may have been rounded.

    Args:
        module: A network of one input and one output; it is taken in evaluation mode.
        example: An input, a batch of 1, of any type and on any device.
        dtype: Type of the constants of the graph; see `load_onnx` for what float32 means.

    Raises:
        NetworkError: if the module does not take the example, or cannot be exported or verified.
    """
    like = like_parameters(module)
    _check_batch(example)
    example = example.detach().to(like)
    _try(module, example)
    name = type(module).__name__
    try:
        graph = graph_from_layers(module, tuple(example.shape), dtype)
    except (ValueError, RuntimeError) as error:
        raise NetworkError(f"{name}: {str(error).splitlines()[0]}") from error
    if graph is not None:
        return graph
    double = like.dtype == torch.float64
    return graph_from_model(model_from_module(module, example), name, dtype, double=double)


def _try(module: nn.Module, example: Tensor) -> None:
    """See that a module takes an input, and gives one output."""
    name, shape = type(module).__name__, list(example.shape)
    try:
        with evaluating(module), torch.no_grad():
            output = module(example)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        if example.ndim == 2:
            raise NetworkError(
                f"{name} does not take {shape[1]} numbers as its input ({reason}); give inputs in the shape that it "
                "takes, or that shape, without the batch, as input_shape"
            ) from error
        raise NetworkError(f"{name} does not take an input of the shape {shape} ({reason})") from error
    if not isinstance(output, Tensor):
        raise NetworkError(f"{name} gives a {type(output).__name__}, not one tensor")
