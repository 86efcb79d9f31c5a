"""Running error analysis: what rounding may add at each node of a network, per unit of the node's coefficient."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bab_verify.graph import Graph
from bab_verify.intervals import FEW, Interval, gamma, n_roundings
from bab_verify.operators.affine import Affine
from bab_verify.operators.relaxation import Nonlinear, Relaxation

from .inference import inference_error


@dataclass
class Errors:
    """What rounding may add, by node.

    Args:
        nodes: Per unit of a coefficient of the node, (batch, *shape), on the way down to the nonlinear nodes that it
            is computed from; these have errors of their own.
        floor: What numbers that vanish may add in all, (batch, 1).
    """

    nodes: dict[int, Tensor] = field(default_factory=dict)
    floor: Tensor = field(default_factory=lambda: torch.zeros(1, 1))


@dataclass
class Planes:
    """What a backward pass goes by.

    Args:
        relaxations: Of the nonlinear nodes, each with what rounding may add.
        errors: What rounding may add at the other nodes.
    """

    relaxations: dict[int, Relaxation] = field(default_factory=dict)
    errors: Errors = field(default_factory=Errors)

    def of(self, boxes: slice) -> "Planes":
        """Those of some boxes of the batch."""
        some = {index: planes.of(boxes) for index, planes in self.relaxations.items()}
        nodes = {index: x[boxes] for index, x in self.errors.nodes.items()}
        return Planes(some, Errors(nodes, self.errors.floor[boxes]))


class ErrorAnalysis:
    """What rounding may add in bounds of a network.

    Args:
        graph: The network.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.n_constants = len(graph.nodes)
        """How many constants a backward pass adds up, at most."""
        self.n_parts = max((sum(i in node.inputs for node in graph.nodes) for i in range(len(graph.nodes))), default=1)
        """How many parts a coefficient is the sum of, at most."""

    def of_planes(self, index: int, planes: Relaxation, inputs: tuple[Interval, ...], errors: Errors) -> Relaxation:
        """Planes of a nonlinear node with what rounding may add.

        Args:
            index: The node.
            planes: Over bounds of its inputs.
            inputs: Those bounds, (batch, 1, *shape).
            errors: At the nodes that it takes.
        """
        operator = self.graph.operator(index)
        assert isinstance(operator, Nonlinear)  # noqa: S101
        below = tuple(errors.nodes[source].unsqueeze(1) for source in self.graph.nodes[index].inputs)
        magnitudes = tuple(x.magnitude for x in inputs)
        error = operator.rounding(planes, magnitudes, below, self.n_constants, self.n_parts)
        if self.graph.inference is not None:
            error = error + inference_error(operator, magnitudes, self.graph.inference)
        return planes._replace(error=error)

    @torch.no_grad()
    def account(self, index: int, bounds: Mapping[int, Interval], errors: Errors) -> None:
        """Add a node to what rounding may add.

        Args:
            index: The node.
            bounds: Of it and of all that it is computed from.
            errors: Those of the nodes that it is computed from; this one is added.
        """
        node, operator = self.graph.nodes[index], self.graph.nodes[index].operator
        magnitudes = tuple(bounds[source].magnitude for source in node.inputs)
        if not isinstance(operator, Affine):
            magnitude = bounds[index].magnitude
            if not index:
                errors.floor = magnitude.new_zeros(len(magnitude), 1)
            errors.nodes[index] = _unbounded(gamma(FEW, magnitude.dtype) * magnitude)
            return
        dtype = magnitudes[0].dtype
        share = gamma(operator.n_terms + self.n_parts + FEW, dtype)
        found = operator.spread(
            *(
                torch.add(errors.nodes[source], magnitude, alpha=share)
                if isinstance(self.graph.nodes[source].operator, Affine)
                else share * magnitude
                for source, magnitude in zip(node.inputs, magnitudes, strict=True)
            )
        )
        constant, perturbation = operator.constant(), operator.perturbation(*magnitudes)
        if constant is not None:
            # It is summed up with all the others.
            n = n_roundings(node.size) + len(self.graph.nodes) + FEW
            found = found + gamma(n, dtype) * constant.abs()
        if perturbation is not None:
            found = found + perturbation
        if self.graph.inference is not None:
            found = found + inference_error(operator, magnitudes, self.graph.inference)
        errors.nodes[index] = _unbounded(found)
        size = sum(magnitude.flatten(1).sum(1, keepdim=True) for magnitude in magnitudes)
        errors.floor = errors.floor + (operator.n_terms * torch.finfo(dtype).tiny) * size


def _unbounded(error: Tensor) -> Tensor:
    """An error that is no number says nothing."""
    return error.nan_to_num(torch.inf, torch.inf, torch.inf)
