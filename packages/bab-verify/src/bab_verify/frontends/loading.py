"""Networks as they are given: graphs, PyTorch modules or ONNX files, each read once."""

import copy
from math import prod
from pathlib import Path
from typing import NamedTuple

import onnx
import torch
from jaxtyping import Float
from torch import Tensor, nn

from bab_verify.graph import Graph

from .onnx_files import read_model
from .onnx_import import graph_from_model
from .onnx_registry import NetworkError
from .torch_modules import graph_from_module


class LoadedNetwork(NamedTuple):
    """A network, and what it was made from.

    Args:
        graph: The network, apart from what was given.
        given: What its user runs: the ONNX model, the module, or the graph as it was given.
        name: What messages call it.
    """

    graph: Graph
    given: onnx.ModelProto | nn.Module
    name: str


def load_network(
    network: Graph | nn.Module | str | Path,
    example: Float[Tensor, "batch ..."] | None = None,
    dtype: torch.dtype = torch.float64,
    *,
    input_shape: tuple[int, ...] | None = None,
) -> LoadedNetwork:
    """A network, whatever it is given as.

    Args:
        network: A graph, a PyTorch module of one input (taken in evaluation mode), or an ONNX file.
        example: For a module: an input, a batch of 1; of any type and on any device.
        dtype: Type of the constants of the graph.
        input_shape: Shape of one input, without the batch. A module needs it where the example is flattened or not
            given; the other networks know it, and it must be theirs.

    Raises:
        FileNotFoundError: if there is no such file.
        NetworkError: if it cannot be exported or verified, a module comes without an example and `input_shape`, or
            `input_shape` does not fit.
    """
    if isinstance(network, nn.Module) and not isinstance(network, Graph):
        example = _example(example, input_shape)
        return LoadedNetwork(graph_from_module(network, example, dtype), network, type(network).__name__)
    if isinstance(network, Graph):
        loaded = LoadedNetwork(copy.deepcopy(network).to(dtype), network, "network")
    else:
        model, name = read_model(network), str(network)
        loaded = LoadedNetwork(graph_from_model(model, name, dtype), model, name)
    shape = loaded.graph.input_shape
    if input_shape is not None and tuple(input_shape) not in {shape, shape[1:]}:
        raise NetworkError(f"{loaded.name} takes inputs of the shape {list(shape)}, not {list(input_shape)}")
    return loaded


def _example(example: Tensor | None, input_shape: tuple[int, ...] | None) -> Tensor:
    """An example in the shape of an input."""
    if input_shape is None:
        if example is None:
            raise NetworkError("a module needs an example of its input, with a batch of 1 (example=...)")
        return example
    if not all(isinstance(n, int) and n > 0 for n in input_shape):
        raise NetworkError(f"input_shape must be positive integers, not {input_shape}")
    if example is None:
        return torch.zeros(1, *input_shape)
    if example.numel() != prod(input_shape):
        raise NetworkError(f"an input has {example.numel()} numbers, but input_shape is {list(input_shape)}")
    return example.reshape(1, *input_shape)


def load_onnx(path: str | Path, dtype: torch.dtype = torch.float64) -> Graph:
    """Read a network from an ONNX file, or one compressed with gzip (`.gz`).

    Dimensions without a fixed size, such as that of a batch, are taken as 1.

    Args:
        path: The file.
        dtype: Type of the constants of the graph. In float32 what is computed from a file's constants (scales of
            normalizations, slopes) and its doubles are rounded, and bounds of the graph are then those of the network
            that it has become, not of the file.

    Raises:
        FileNotFoundError: if there is no such file.
        NetworkError: if it is not a network that can be verified.
        UnsupportedOperatorError: if it has operators that are not supported; the message names all of them.
    """
    return load_network(path, dtype=dtype).graph
