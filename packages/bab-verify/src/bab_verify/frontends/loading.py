"""Networks as they are given: graphs, PyTorch modules or ONNX files, each read once."""

import copy
from pathlib import Path
from typing import NamedTuple

import onnx
import torch
from jaxtyping import Float
from torch import Tensor, nn

from bab_verify.graph import Graph

from .evaluation_mode import like_parameters
from .onnx_files import read_model
from .onnx_import import graph_from_model
from .onnx_registry import NetworkError
from .torch_modules import model_from_module


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
) -> LoadedNetwork:
    """A network, whatever it is given as.

    Args:
        network: A graph, a PyTorch module of one input (taken in evaluation mode), or an ONNX file.
        example: For a module: an input, a batch of 1; of any type and on any device.
        dtype: Type of the constants of the graph.

    Raises:
        FileNotFoundError: if there is no such file.
        NetworkError: if it cannot be exported or verified, or a module comes without an example.
    """
    if isinstance(network, Graph):
        return LoadedNetwork(copy.deepcopy(network).to(dtype), network, "network")
    if isinstance(network, nn.Module):
        if example is None:
            raise NetworkError("a module needs an example of its input, a batch of 1")
        name = type(network).__name__
        model = model_from_module(network, example.detach().to(like_parameters(network)))
        return LoadedNetwork(graph_from_model(model, name, dtype), network, name)
    model, name = read_model(network), str(network)
    return LoadedNetwork(graph_from_model(model, name, dtype), model, name)


def load_onnx(path: str | Path, dtype: torch.dtype = torch.float32) -> Graph:
    """Read a network from an ONNX file, or one compressed with gzip (`.gz`).

    Dimensions without a fixed size, such as that of a batch, are taken as 1.

    Args:
        path: The file.
        dtype: Type of the constants of the graph.

    Raises:
        FileNotFoundError: if there is no such file.
        NetworkError: if it is not a network that can be verified.
        UnsupportedOperatorError: if it has operators that are not supported; the message names all of them.
    """
    return load_network(path, dtype=dtype).graph
