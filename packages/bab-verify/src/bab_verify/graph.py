"""Computation graphs: what a network computes, and by which operations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .intervals import Interval

Shape = tuple[int, ...]


class Operator(nn.Module):
    """One operation of a network.

    Every tensor that it takes and gives has one leading dimension more than in the network: the batch. (A network's own
    batch dimension, of size 1, is one of its ordinary dimensions.) Constants are buffers, so that a graph moves with
    `.to()`. A new operation derives from `Affine` or from `Nonlinear`.
    """

    forward: Callable[..., Tensor]
    """The value of the operation at inputs (batch, *shape)."""
    interval: Callable[..., Interval]
    """Bounds of the value, from bounds of each input by interval arithmetic."""


@dataclass(frozen=True)
class Node:
    """A value in a graph: the operation that gives it and the nodes that the operation takes.

    Args:
        operator: The operation, or `None` for the input of the graph.
        inputs: Indices of the nodes that it takes, in order.
        shape: Shape of the value, without the batch.
        name: Name in the file that the graph comes from.
    """

    operator: Operator | None
    inputs: tuple[int, ...]
    shape: Shape
    name: str = ""

    @property
    def size(self) -> int:
        """How many numbers the value is."""
        return prod(self.shape)


class Graph(nn.Module):
    """A network as a directed acyclic graph of operations, with one input and one output.

    Node 0 is the input; the others stand in topological order, and the last is the output. `forward` evaluates it on a
    batch of inputs.

    Args:
        nodes: The values, each after those that it is computed from.
        inference: A floating type in which the network is computed: bounds then hold of what it gives in that type, in
            any order of summation, besides what it is in real arithmetic. By default they hold of the latter alone.

    Raises:
        ValueError: if the order is wrong.
    """

    kind: Tensor

    def __init__(self, nodes: Sequence[Node], inference: torch.dtype | None = None) -> None:
        super().__init__()
        self.inference = inference
        if not nodes or nodes[0].operator is not None or nodes[0].inputs:
            raise ValueError("the first node of a graph is its input")
        for index, node in enumerate(nodes[1:], 1):
            if node.operator is None or any(not 0 <= source < index for source in node.inputs):
                raise ValueError(f"node {index} of a graph is not computed from nodes before it")
        self.nodes = tuple(nodes)
        self.operators = nn.ModuleList(node.operator for node in nodes if node.operator is not None)
        constants = self.operators.state_dict().values()
        kind = next((x for x in constants if x.is_floating_point()), torch.zeros(()))
        self.register_buffer("kind", kind.new_zeros(()), persistent=False)
        consumers: list[list[int]] = [[] for _ in nodes]
        for index, node in enumerate(nodes):
            for source in dict.fromkeys(node.inputs):
                consumers[source].append(index)
        self.consumers = tuple(tuple(users) for users in consumers)
        """The nodes that take each node."""

    @property
    def input_shape(self) -> Shape:
        """Shape of the input, without the batch."""
        return self.nodes[0].shape

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, without the batch."""
        return self.nodes[-1].shape

    @property
    def n_inputs(self) -> int:
        """How many numbers the input is."""
        return self.nodes[0].size

    @property
    def n_outputs(self) -> int:
        """How many numbers the output is."""
        return self.nodes[-1].size

    def example(self) -> Tensor:
        """A tensor of the type and on the device of the graph's constants."""
        return self.kind

    def operator(self, index: int) -> Operator:
        """The operation that gives a node."""
        operator = self.nodes[index].operator
        if operator is None:
            raise ValueError("the input of a graph has no operation")
        return operator

    def values(self, x: Float[Tensor, "batch ..."]) -> list[Tensor]:
        """The value of every node, at inputs (batch, *input_shape)."""
        values = [x]
        for node in self.nodes[1:]:
            assert node.operator is not None  # noqa: S101
            values.append(node.operator(*(values[source] for source in node.inputs)))
        return values

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch outputs"]:
        """The outputs, flattened, at inputs (batch, *input_shape) or flattened (batch, n_inputs)."""
        return self.values(x.reshape(-1, *self.input_shape))[-1].flatten(1)
