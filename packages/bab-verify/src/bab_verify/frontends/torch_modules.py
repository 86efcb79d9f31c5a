"""PyTorch modules as ONNX models, and as graphs."""

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

FIXED = frozenset({
    nn.Sequential, nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.Linear,
    nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.BatchNorm1d, nn.BatchNorm2d,
    nn.AvgPool1d, nn.AvgPool2d, nn.MaxPool1d, nn.MaxPool2d,
    nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.GELU, nn.Softmax,
})  # fmt: skip
"""Modules that do the same operations whatever values they are given."""


def model_from_module(
    module: nn.Module, example: Float[Tensor, "batch ..."], *, fixed: bool | None = None
) -> onnx.ModelProto:
    """A module as an ONNX model, in evaluation mode.

    Args:
        module: A network of one input and one output.
        example: An input, a batch of 1.
        fixed: Whether the module does the same operations whatever its input, so that recording what it does with the
            example is enough, which is a hundred times faster. By default where it is made of PyTorch's own layers in
            sequence.

    Raises:
        NetworkError: if the example is no batch of 1, or PyTorch cannot export the module.
    """
    if example.ndim < 1 or (example.ndim > 1 and example.shape[0] != 1):
        raise NetworkError(f"the example must be a batch of 1, but its shape is {list(example.shape)}")
    with evaluating(module), _quiet():
        return _export(module, example, fixed=_is_fixed(module) if fixed is None else fixed)


def _is_fixed(module: nn.Module) -> bool:
    """Whether a module is made of `FIXED` ones, as PyTorch defines them."""
    return all(
        type(one) in FIXED and not {"forward", "__call__"} & vars(one).keys() and not _hooks(one)
        for one in module.modules()
    )


def _hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


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


def graph_from_module(module: nn.Module, example: Float[Tensor, "batch ..."]) -> Graph:
    """The graph of a PyTorch module, by way of ONNX.

    Args:
        module: A network of one input and one output; it is taken in evaluation mode.
        example: An input, a batch of 1.

    Raises:
        NetworkError: if it cannot be exported or verified.
    """
    dtype = like_parameters(module).dtype
    return graph_from_model(model_from_module(module, example), type(module).__name__, dtype)
