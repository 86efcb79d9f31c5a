"""Pruning: the elements of a network that some of its outputs depend on, and nothing else."""

import torch
from torch import Tensor

from bab_verify.graph import Graph, Node, Shape
from bab_verify.intervals import gamma
from bab_verify.operators.affine import Affine
from bab_verify.operators.combination import Combination
from bab_verify.operators.rearrangements import Reshape, Select
from bab_verify.operators.relaxation import Nonlinear

from .fusion import MAX_SIZE, fuse
from .products import double


def prune(graph: Graph, outputs: Tensor, max_size: int = MAX_SIZE) -> Graph:
    """The network of some of the outputs, fused, without the elements that these do not depend on.

    Nonlinear operations are element-wise, so they lose the same elements as what they take; an affine operation loses
    rows, and columns that are zero in all rows that it keeps, where its matrix is small enough to be looked at. Inputs
    stay, all of them.

    Args:
        graph: A network.
        outputs: Flat indices of the outputs to keep, in order, (kept,).
        max_size: Elements that a matrix may have to be looked at; what is larger stays whole.
    """
    last = graph.nodes[-1]
    taken = Node(Select(last.shape, outputs), (len(graph.nodes) - 1,), tuple(outputs.shape), "outputs")
    whole = Graph([*graph.nodes, taken], graph.inference).to(graph.example())
    return fuse(_Pruning(whole, max_size).graph())


class _Pruning:
    """One pruning under way.

    Args:
        graph: The network, of which all outputs are wanted.
        max_size: Elements that a matrix may have.
    """

    def __init__(self, graph: Graph, max_size: int) -> None:
        self.old, self.max_size = graph, max_size
        device = graph.example().device
        self.masks = [torch.zeros(node.size, dtype=torch.bool, device=device) for node in graph.nodes]
        self.rows: dict[int, tuple[Tensor, ...]] = {}
        """Rows of affine nodes' matrices: one matrix for each input, (elements that are kept, input size)."""
        self.nodes = [graph.nodes[0]]
        self.place: dict[int, int] = {0: 0}
        """Where nodes of the old graph stand in the new one."""

    def graph(self) -> Graph:
        """The network without what does not matter."""
        for mask in (self.masks[0], self.masks[-1]):
            mask[:] = True
        for index in range(len(self.old.nodes) - 1, 0, -1):
            if self.masks[index].any():
                self._mark(index)
        for index in range(1, len(self.old.nodes)):
            if self.masks[index].any():
                self._keep(index)
        return Graph(self.nodes, self.old.inference).to(self.old.example())

    def _mark(self, index: int) -> None:
        """Mark what the marked elements of a node depend on."""
        node, operator, mask = self.old.nodes[index], self.old.operator(index), self.masks[index]
        if isinstance(operator, Select):
            padded = mask.new_zeros(operator.size + 1)
            padded[operator.index[mask]] = True
            needed = [padded[:-1]]
        elif isinstance(operator, Nonlinear | Reshape):
            needed = [mask for _ in node.inputs]
        elif int(mask.sum()) * sum(self.old.nodes[source].size for source in node.inputs) > self.max_size:
            mask[:] = True
            needed = [mask.new_ones(self.old.nodes[source].size) for source in node.inputs]
        else:
            self.rows[index] = self._matrix(index)
            needed = [(part != 0).any(0) for part in self.rows[index]]
        if not any(bool(part.any()) for part in needed):
            # A constant stands as a function of something.
            needed[0][0] = True
        for source, part in zip(node.inputs, needed, strict=True):
            self.masks[source] |= part

    def _matrix(self, index: int) -> tuple[Tensor, ...]:
        node, operator = self.old.nodes[index], self.old.operator(index)
        elements = self._elements(index)
        if isinstance(operator, Combination):
            return tuple(weight[elements] for weight in operator.weights)
        assert isinstance(operator, Affine)  # noqa: S101
        unit = torch.zeros(len(elements), node.size, dtype=torch.float64, device=elements.device)
        unit.scatter_(1, elements.unsqueeze(1), 1)
        rows = double(operator).adjoint(unit.reshape(-1, *node.shape))
        return tuple(row.flatten(1).detach().to(self.old.example()) for row in rows)

    def _elements(self, index: int) -> Tensor:
        return self.masks[index].nonzero().squeeze(1)

    def _keep(self, index: int) -> None:
        node, operator, elements = self.old.nodes[index], self.old.operator(index), self._elements(index)
        shape = node.shape if len(elements) == node.size else (len(elements),)
        if isinstance(operator, Nonlinear):
            inputs = tuple(self._taken(source, elements, shape) for source in node.inputs)
        elif isinstance(operator, Select | Reshape):
            (source,) = node.inputs
            index_of = operator.index[elements] if isinstance(operator, Select) else elements
            self.place[index] = self._taken(source, index_of.reshape(shape), shape)
            return
        elif index not in self.rows or (
            all(bool(self.masks[source].all()) for source in node.inputs) and shape == node.shape
        ):
            inputs = tuple(self.place[source] for source in node.inputs)
        else:
            kept = self._combination(index, shape)
            self.place[index] = self._add(kept)
            return
        self.place[index] = self._add(Node(operator, inputs, shape, node.name))

    def _combination(self, index: int, shape: Shape) -> Node:
        """An affine node by its matrices."""
        node, operator = self.old.nodes[index], self.old.operator(index)
        assert isinstance(operator, Affine)  # noqa: S101
        weights: dict[int, Tensor] = {}
        perturbations: dict[int, Tensor | None] = {}
        elements = self._elements(index)
        own = operator.perturbations if isinstance(operator, Combination) else (None,) * len(node.inputs)
        for source, rows, perturbation in zip(node.inputs, self.rows[index], own, strict=True):
            columns = self.masks[source]
            if columns.any():
                part = (rows[:, columns], None if perturbation is None else perturbation[elements][:, columns])
                if source in weights:
                    part = _sum((weights[source], perturbations[source]), part)
                weights[source], perturbations[source] = part
        constant = operator.constant()
        bias = self.old.example().new_zeros(node.size)
        if constant is not None:
            bias = constant.expand(node.shape).reshape(-1)
        uncertain = operator.perturbation(*(bias.new_zeros(1, *inputs) for inputs in operator.input_shapes))
        sources = tuple(self.place[source] for source in weights)
        combination = Combination(
            tuple(weights.values()),
            bias[elements],
            tuple(self.nodes[source].shape for source in sources),
            shape,
            tuple(perturbations.values()),
            None if uncertain is None else uncertain.expand(1, *node.shape).reshape(-1)[elements],
            operator.n_inference_roundings,
        )
        return Node(combination, sources, shape, node.name)

    def _taken(self, source: int, elements: Tensor, shape: Shape) -> int:
        """The node of some elements of a node of the old graph, in a shape; -1 or beyond stand for zero."""
        place = self.place[source]
        mask = self.masks[source]
        if self.nodes[place].shape == shape and torch.equal(elements.reshape(-1), self._elements(source)):
            return place
        new = torch.full((len(mask) + 1,), -1, device=mask.device)
        new[:-1][mask] = torch.arange(int(mask.sum()), device=mask.device)
        select = Select(self.nodes[place].shape, new[elements].reshape(shape))
        return self._add(Node(select, (place,), shape, self.old.nodes[source].name))

    def _add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1


def _sum(first: tuple[Tensor, Tensor | None], second: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor]:
    """The sum of two matrices, and how far it may be from the exact one."""
    values = first[0] + second[0]
    perturbation = gamma(2, torch.float64) * (first[0].abs() + second[0].abs()).double()
    for part in (first[1], second[1]):
        perturbation = perturbation if part is None else perturbation + part
    return values, perturbation.to(values)
