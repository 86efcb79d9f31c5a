"""Bound propagation: interval arithmetic (IBP) and linear bounds by a backward pass (CROWN), on any graph."""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bab_verify.graph import Graph
from bab_verify.intervals import Interval, ordered, weighted
from bab_verify.operators.affine import Affine
from bab_verify.operators.combination import Combination
from bab_verify.operators.relaxation import Nonlinear, Relaxation, felt
from bab_verify.operators.relu import Relu
from bab_verify.rewriting.fusion import unrepeated

from .errors import ErrorAnalysis, Errors, Planes
from .inference import inference_error
from .linear_bound import LinearBound
from .rounding import sound_minimum

Bounds = dict[int, Interval]
"""Bounds of nodes, (batch, *shape)."""

Replacement = Callable[[Tensor], tuple[Tensor, Tensor, Tensor | float]]
"""From coefficients of a node to those of its input, a constant, and what rounding may change them by."""

AT_ONCE = {"cpu": 2**18, "cuda": 2**25}
"""Coefficients of one layer that are worked on at once: as many as the cache of a core holds, or to fill a GPU."""


@dataclass
class Recording:
    """What a backward pass leaves behind.

    Args:
        outputs: Coefficients of each nonlinear node's output, (batch, rows, *shape).
    """

    outputs: dict[int, Tensor] = field(default_factory=dict)


class Propagator:
    """Bounds of a graph.

    Args:
        graph: The network.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nonlinear = tuple(i for i, node in enumerate(graph.nodes) if isinstance(node.operator, Nonlinear))
        """Nonlinear nodes, in topological order."""
        sources = {source for index in self.nonlinear for source in graph.nodes[index].inputs}
        self.needed = tuple(sorted(sources))
        """The nodes whose bounds the relaxations need: inputs of nonlinear ones."""
        # Of a function of one value, its range over the value's bounds is as tight as what planes give.
        self._crowned = {
            i
            for i in (unrepeated(graph, needed) for needed in self.needed)
            if i and (i not in self.nonlinear or self.operator(i).arity > 1)
        }
        self._exact = {i for i in self._crowned if graph.nodes[i].inputs == (0,)}
        self.optimized = tuple(sorted(self._crowned - self._exact))
        """The nodes whose bounds planes decide."""
        self._first_layer: dict[int, tuple[Tensor, Tensor]] = {}
        self._places: dict[int, tuple[int, Tensor | None]] = {}
        self._ancestors: dict[int, tuple[int, ...]] = {}
        self.rounding = ErrorAnalysis(graph)
        """What rounding may add."""

    def operator(self, index: int) -> Nonlinear:
        """The operator of a nonlinear node."""
        operator = self.graph.operator(index)
        assert isinstance(operator, Nonlinear)  # noqa: S101
        return operator

    def ancestors(self, start: int) -> tuple[int, ...]:
        """A node and all that it is computed from, without the input, last first."""
        if start not in self._ancestors:
            found = {start}
            for index in range(start, 0, -1):
                if index in found:
                    found.update(self.graph.nodes[index].inputs)
            self._ancestors[start] = tuple(sorted(found - {0}, reverse=True))
        return self._ancestors[start]

    def place(self, index: int) -> tuple[int, Tensor | None]:
        """The node whose elements a node repeats or moves, and for each of its own elements which of those it is.

        The index is `None` where a node is computed otherwise.
        """
        if index not in self._places:
            source = unrepeated(self.graph, index)
            chain = []
            at = index
            while at != source:
                chain.append(at)
                (at,) = self.graph.nodes[at].inputs
            if not chain:
                self._places[index] = (source, None)
            else:
                node = self.graph.nodes[source]
                value = torch.arange(node.size, dtype=torch.float64, device=self.graph.example().device)
                value = value.reshape(1, *node.shape)
                for step in reversed(chain):
                    value = self.graph.operator(step)(value)
                self._places[index] = (source, value.flatten().long())
        return self._places[index]

    def inputs_of(self, index: int, bounds: Mapping[int, Interval]) -> tuple[Interval, ...]:
        """Bounds of a nonlinear node's inputs, with a dimension for rows: (batch, 1, *shape)."""
        intervals = (bounds[source] for source in self.graph.nodes[index].inputs)
        return tuple(Interval(x.lower.unsqueeze(1), x.upper.unsqueeze(1)) for x in intervals)

    def intervals(self, box: Interval, known: Mapping[int, Interval] | None = None) -> Bounds:
        """IBP: bounds of every node.

        Args:
            box: Bounds of the input, (batch, inputs).
            known: Bounds that are known already, (batch, *shape); they are intersected.
        """
        shape = self.graph.input_shape
        bounds = {0: Interval(box.lower.reshape(-1, *shape), box.upper.reshape(-1, *shape))}
        for index in range(1, len(self.graph.nodes)):
            found = self.interval(index, bounds)
            bounds[index] = found.intersect(known[index]) if known and index in known else found
        return bounds

    def interval(self, index: int, bounds: Mapping[int, Interval]) -> Interval:
        """Bounds of a node by interval arithmetic, from those of the nodes that it is computed from."""
        node = self.graph.nodes[index]
        inputs = tuple(bounds[source] for source in node.inputs)
        operator = self.graph.operator(index)
        if isinstance(operator, Nonlinear):
            operator.check(inputs)
        found = operator.interval(*inputs).defined()
        if self.graph.inference is None:
            return found
        added = inference_error(operator, tuple(x.magnitude for x in inputs), self.graph.inference)
        return Interval(found.lower - added, found.upper + added)

    def relax(
        self, index: int, bounds: Mapping[int, Interval], errors: Errors, parameters: Tensor | None = None
    ) -> Relaxation:
        """The planes of a nonlinear node, with what rounding may add."""
        inputs = self.inputs_of(index, bounds)
        return self.rounding.of_planes(index, self.operator(index).relax(inputs, parameters), inputs, errors)

    def planes(self, bounds: Mapping[int, Interval]) -> Planes:
        """The planes of all nonlinear nodes, with their initial parameters."""
        errors = self.errors(bounds)
        return Planes({index: self.relax(index, bounds, errors) for index in self.nonlinear}, errors)

    def errors(self, bounds: Mapping[int, Interval]) -> Errors:
        """What rounding may add, from bounds of the input and of those nodes that planes need at least."""
        every, errors = dict(bounds), Errors()
        for index in range(len(self.graph.nodes)):
            if index not in every:
                every[index] = self.interval(index, every)
            self.rounding.account(index, every, errors)
        return errors

    def crown(
        self,
        box: Interval,
        known: Mapping[int, Interval] | None = None,
        parameters: Callable[[int], Mapping[int, Tensor] | None] | None = None,
        recorded: MutableMapping[int, tuple[LinearBound, LinearBound]] | None = None,
        slopes: MutableMapping[int, tuple[Tensor, Tensor]] | None = None,
    ) -> tuple[Bounds, Planes]:
        """Bounds of every node that a relaxation needs, each by CROWN where IBP does not decide it.

        Args:
            box: Bounds of the input, (batch, inputs).
            known: Bounds that are known already; they are intersected.
            parameters: For a node, the parameters of the relaxations in its own backward pass, where they are not the
                initial ones.
            recorded: Filled with linear bounds of nodes in terms of the input, below and above, if given.
            slopes: Filled, for each node that is bounded by a backward pass, with its elements (batch, rows) that are
                and the coefficients of their lower bounds, (batch, rows, inputs), if given.

        Returns:
            The bounds of all nodes, and the planes with initial parameters.
        """
        shape = self.graph.input_shape
        bounds: Bounds = {0: Interval(box.lower.reshape(-1, *shape), box.upper.reshape(-1, *shape))}
        planes = Planes()
        self.rounding.account(0, bounds, planes.errors)
        for index in range(1, len(self.graph.nodes)):
            found = self.interval(index, bounds)
            if known and index in known:
                found = found.intersect(known[index])
            bounds[index] = found
            self.rounding.account(index, bounds, planes.errors)
            if index in self.nonlinear:
                planes.relaxations[index] = self.relax(index, bounds, planes.errors)
            if index in self._crowned and (index not in self._exact or recorded is not None):
                own = planes
                chosen = parameters(index) if parameters else None
                if chosen is not None:
                    relaxed = {i: self.relax(i, bounds, planes.errors, chosen.get(i)) for i in planes.relaxations}
                    own = Planes(relaxed, planes.errors)
                bounds[index] = self._tighten(index, found, box, own, recorded, slopes)
            elif index in self._exact and slopes is not None:
                slopes[index] = self._exact_slopes(index)
        return bounds, planes

    def _tighten(
        self,
        index: int,
        found: Interval,
        box: Interval,
        planes: Planes,
        recorded: MutableMapping[int, tuple[LinearBound, LinearBound]] | None,
        slopes: MutableMapping[int, tuple[Tensor, Tensor]] | None,
    ) -> Interval:
        """Bounds of one node by CROWN, intersected with those found before."""
        lower, upper = (x.flatten(1) for x in found)
        rows = self._undecided(index, lower, upper) if recorded is None else None
        if rows is None:
            rows = torch.arange(lower.shape[1], device=lower.device).expand(len(lower), -1)
        if not rows.shape[1]:
            return found
        ends, coefficients = [], []
        for few in self._tiles(index, rows):
            parts, sloped = [], []
            for part in rows[few].split(self.chunk(index, len(rows[few])), 1):
                linear = self.unit_backward(index, part, planes if len(rows[few]) == len(rows) else planes.of(few))
                least = sound_minimum(linear, Interval(box.lower[few], box.upper[few]))
                parts.append(least.unflatten(1, (2, -1)))
                if slopes is not None:
                    sloped.append(linear.coefficients[:, : part.shape[1]])
                if recorded is not None:
                    recorded[index] = linear.added_to(recorded.get(index))
            ends.append(torch.cat(parts, 2))
            if slopes is not None:
                coefficients.append(torch.cat(sloped, 1))
        below, above = torch.cat(ends).unbind(1)
        if slopes is not None:
            slopes[index] = (rows, torch.cat(coefficients))
        lower = lower.scatter(1, rows, torch.maximum(lower.gather(1, rows), below))
        upper = upper.scatter(1, rows, torch.minimum(upper.gather(1, rows), -above))
        return ordered(lower, upper, self.graph.nodes[index].shape)

    def _tiles(self, index: int, rows: Tensor) -> list[slice]:
        """Which boxes are bounded at once, with all of their rows, where a box alone is not too much."""
        at_once = max(1, self.chunk(index) // rows.shape[1])
        return [slice(i, i + at_once) for i in range(0, len(rows), at_once)]

    def _exact_slopes(self, index: int) -> tuple[Tensor, Tensor]:
        if index not in self._first_layer:
            example = self.graph.example()
            rows = torch.arange(self.graph.nodes[index].size, device=example.device)[None]
            linear = self.unit_backward(index, rows, Planes())
            self._first_layer[index] = (rows, linear.coefficients[:, : rows.shape[1]])
        return self._first_layer[index]

    def chunk(self, index: int, batch: int = 1) -> int:
        """Of how many elements of a node bounds are computed at once, for a batch of boxes."""
        widest = max(self.graph.nodes[i].size for i in self.ancestors(index))
        return max(1, AT_ONCE[self.graph.example().device.type] // (2 * batch * widest))

    def undecided(self, index: int, lower: Tensor, upper: Tensor) -> Tensor:
        """The elements (batch, rows) of a node whose bounds matter."""
        rows = self._undecided(index, lower, upper)
        return torch.arange(lower.shape[1], device=lower.device).expand(len(lower), -1) if rows is None else rows

    def _undecided(self, index: int, lower: Tensor, upper: Tensor) -> Tensor | None:
        """The elements (batch, rows) whose bounds matter: where only ReLUs take the node, the unstable ones.

        Boxes of fewer unstable elements than others are padded with stable ones. `None` stands for all.
        """
        if not all(isinstance(self.graph.operator(i), Relu) for i in self.graph.consumers[index]):
            return None
        unstable = (lower < 0) & (upper > 0)
        most = int(unstable.sum(1).max())
        if most > 0.8 * unstable.shape[1]:
            return None
        return unstable.to(lower.dtype).topk(most, 1).indices

    def unit_backward(self, index: int, rows: Tensor, planes: Planes) -> LinearBound:
        """Bounds of elements of a node below, and of their negatives."""
        node = self.graph.nodes[index]
        batch, n = rows.shape
        error: Tensor | float = 0.0
        if index in planes.errors.nodes:
            all_rows = planes.errors.nodes[index].flatten(1)
            error = all_rows.expand(max(batch, len(all_rows)), -1).gather(1, rows.expand(max(batch, len(all_rows)), -1))
            error = torch.cat([error, error], 1)
        if rows.stride(0) == 0:
            rows = rows[:1]
        if isinstance(node.operator, Combination):
            start = {
                source: torch.cat([part, -part], 1)
                for source, part in zip(node.inputs, node.operator.rows(rows), strict=True)
            }
            constant = node.operator.constant().reshape(-1)[rows]
            return self._descend(index, start, torch.cat([constant, -constant], 1), planes, error, batch)
        unit = self.graph.example().new_zeros(len(rows), n, node.size).scatter_(2, rows.unsqueeze(2), 1)
        unit = unit.reshape(len(rows), n, *node.shape)
        return self._descend(index, {index: torch.cat([unit, -unit], 1)}, unit.new_zeros(1, 2 * n), planes, error)

    def backward(
        self,
        start: int,
        coefficients: Tensor,
        planes: Planes,
        added: Mapping[int, Tensor] | None = None,
        replaced: Mapping[int, Replacement] | None = None,
        recording: Recording | None = None,
    ) -> LinearBound:
        """A linear lower bound of C times a node, in terms of the input (CROWN).

        Args:
            start: The node.
            coefficients: C, (batch or 1, rows, *shape of the node).
            planes: Of the nonlinear nodes on the way.
            added: What multipliers add to the coefficients of nodes, (batch, rows or 1, *shape) (beta-CROWN); what
                rounding may add for them is not in the error of the bound.
            replaced: For nonlinear nodes, another way from coefficients of their output to coefficients of their input,
                a constant, and what rounding may change them by (cuts).
            recording: Keeps coefficients, if given.
        """
        offset = coefficients.new_zeros(1, coefficients.shape[1])
        errors = planes.errors.nodes.get(start)
        error = 0.0 if errors is None else felt(coefficients, errors.unsqueeze(1))
        return self._descend(start, {start: coefficients}, offset, planes, error, 1, added, replaced, recording)

    def _descend(  # noqa: PLR0917 - what is handed on
        self,
        start: int,
        pending: dict[int, Tensor],
        offset: Tensor,
        planes: Planes,
        error: Tensor | float,
        batch: int = 1,
        added: Mapping[int, Tensor] | None = None,
        replaced: Mapping[int, Replacement] | None = None,
        recording: Recording | None = None,
    ) -> LinearBound:
        """Take pending coefficients of nodes down to the input."""
        nodes = self.graph.nodes
        order = self.ancestors(start)
        errors: Tensor | float = error + planes.errors.floor.to(offset)
        rest: Tensor | float
        more: Tensor | float
        # A multiplier also counts where it speaks of a node that the start is not computed from.
        apart = {*(added or ()), *(replaced or ())}.difference(order, {0})
        if apart:
            order = tuple(sorted(set(order).union(*(self.ancestors(i) for i in apart)), reverse=True))
        for index in order:
            if index not in pending:
                if index not in apart:
                    continue
                pending[index] = offset.new_zeros(*offset.shape, *nodes[index].shape)
            a = pending.pop(index)
            if added and index in added:
                a = a + added[index]
            if recording is not None and index in self.nonlinear:
                recording.outputs[index] = a
            if replaced and index in replaced:
                part, rest, more = replaced[index](a)
                parts: tuple[Tensor, ...] = (part,)
            else:
                parts, rest, more = self._through(index, a, planes)
            offset, errors = offset + rest, errors + more
            for source, part in zip(nodes[index].inputs, parts, strict=True):
                pending[source] = pending[source] + part if source in pending else part
        at_input = pending[0] if 0 in pending else offset.new_zeros(*offset.shape, *nodes[0].shape)
        if added and 0 in added:
            at_input = at_input + added[0]
        flat_a = at_input.flatten(2)
        total = torch.zeros_like(offset, requires_grad=False) + errors
        batch = max(batch, flat_a.shape[0], offset.shape[0], total.shape[0])
        return LinearBound(flat_a.expand(batch, -1, -1), offset.expand(batch, -1), total.expand(batch, -1))

    def _through(
        self, index: int, a: Tensor, planes: Planes
    ) -> tuple[tuple[Tensor, ...], Tensor | float, Tensor | float]:
        """From coefficients of a node to those of its inputs, the constant, and what rounding may change them by."""
        operator = self.graph.nodes[index].operator
        if not isinstance(operator, Affine):
            return self.operator(index).through(a, planes.relaxations[index])
        shape = self.graph.nodes[index].shape
        parts = tuple(x.reshape(*a.shape[:2], *x.shape[1:]) for x in operator.adjoint(a.reshape(-1, *shape)))
        added = operator.constant()
        # What rounding may add here is in the errors of the nodes that take this one.
        return (
            parts,
            0.0 if added is None else weighted(a.flatten(2), added.expand(shape).reshape(1, -1)),
            0.0,
        )
