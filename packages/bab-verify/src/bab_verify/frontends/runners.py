"""Networks as their users run them: ONNX files by ONNX Runtime, modules and graphs by themselves."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import onnx
import torch
from onnx import TensorProto
from torch import Tensor, nn

from bab_verify.graph import Graph

from .evaluation_mode import evaluating, like_parameters
from .onnx_registry import NetworkError
from .onnx_runtime import NO_KERNEL, RUNTIME_ERRORS, session


class Runner(NamedTuple):
    """A network in its own arithmetic.

    Args:
        dtype: Type of its input.
        run: The outputs, flattened, in float64, at an input (inputs,) in float64, which is rounded to `dtype` first.
    """

    dtype: torch.dtype
    run: Callable[[Tensor], Tensor]


def model_runner(model: onnx.ModelProto | bytes, name: str, graph: Callable[[], Graph]) -> Runner:
    """A model as ONNX Runtime computes it, on one thread of the CPU.

    ONNX Runtime lacks some operations in float64 (convolutions are one). A model in float64 that it has no
    implementation for is run as its graph, in double precision.

    Args:
        model: The model, or its bytes.
        name: What messages call it.
        graph: Gives the graph of the model, in double precision.

    Raises:
        NetworkError: if ONNX Runtime cannot run it for another reason.
    """
    try:
        made = session(model if isinstance(model, bytes) else model.SerializeToString())
    except RUNTIME_ERRORS as error:
        if isinstance(error, NO_KERNEL) and _is_double(model):
            return graph_runner(graph(), torch.float64)
        raise NetworkError(f"{name}: ONNX Runtime cannot run it ({str(error).splitlines()[0]})") from None
    (given,) = made.get_inputs()
    shape = [n if isinstance(n, int) and n > 0 else 1 for n in given.shape]
    double = "double" in given.type

    def run(x: Tensor) -> Tensor:
        with np.errstate(over="ignore"):
            array = x.detach().cpu().numpy().astype(np.float64 if double else np.float32)
        try:
            (y,) = made.run(None, {given.name: array.reshape(shape)})
        except RUNTIME_ERRORS as error:
            raise NetworkError(f"{name}: ONNX Runtime cannot run it ({str(error).splitlines()[0]})") from None
        return torch.from_numpy(np.asarray(y, np.float64).reshape(-1).copy())

    return Runner(torch.float64 if double else torch.float32, run)


def _is_double(model: onnx.ModelProto | bytes) -> bool:
    """Whether the input of a model is in float64."""
    if isinstance(model, bytes):
        model = onnx.load_model_from_string(model)
    return any(x.type.tensor_type.elem_type == TensorProto.DOUBLE for x in model.graph.input)


def module_runner(module: nn.Module, shape: tuple[int, ...]) -> Runner:
    """A module as PyTorch computes it, in evaluation mode, in the type and on the device of its parameters.

    Args:
        module: A network of one input and one output.
        shape: Of its input, with the batch of 1.
    """
    like = like_parameters(module)

    @torch.no_grad()
    def run(x: Tensor) -> Tensor:
        with evaluating(module):
            y = module(x.detach().reshape(shape).to(like))
        return y.detach().to("cpu", torch.float64).reshape(-1)

    return Runner(like.dtype, run)


def graph_runner(graph: Graph, dtype: torch.dtype) -> Runner:
    """A graph in double precision; its input is not rounded.

    Args:
        graph: The graph, in float64.
        dtype: What inputs are to be numbers of where there is a choice.
    """

    @torch.no_grad()
    def run(x: Tensor) -> Tensor:
        return graph(x.detach().to(graph.example().device, torch.float64).unsqueeze(0))[0].cpu()

    return Runner(dtype, run)
