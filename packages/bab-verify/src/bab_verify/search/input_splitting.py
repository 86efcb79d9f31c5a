"""Branch and bound by splitting the input box: for networks of few inputs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor

from bab_verify.bounds.errors import Errors, Planes
from bab_verify.bounds.linear_bound import LinearBound
from bab_verify.bounds.optimization import optimize
from bab_verify.bounds.proof import Proof
from bab_verify.bounds.propagation import Bounds, Propagator, Recording
from bab_verify.bounds.rounding import margin_slack, sound_minimum
from bab_verify.configs import OptimizationConfig
from bab_verify.graph import Graph
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.combination import Combination
from bab_verify.operators.convolution import Convolution

from .boxes import Boxes, split
from .clipping import clip
from .device import halved

WORTH = {"cpu": 4e6, "cuda": 4e9}
"""Products that a device does in the time that it takes to begin with one node."""
LINEAR_WEIGHT = 0.1
"""How much the slope of the linear bound along an input counts beside the gap between planes that is its fault."""


@dataclass(frozen=True)
class InputSplittingConfig:
    """How input boxes are split.

    Args:
        batch_size: Boxes that are bounded at once.
        clip: Shrink boxes by the linear bounds of the clause before splitting them on.
        n_clippings: Passes over the inputs when shrinking.
        max_domains: Boxes that are bounded before it gives up.
        optimization: How the planes on the way to the output are optimised for boxes that plain CROWN leaves open.
    """

    batch_size: int = 1024
    clip: bool = True
    n_clippings: int = 2
    max_domains: int = 10**9
    optimization: OptimizationConfig = OptimizationConfig(steps=3, alpha_lr=0.1)  # noqa: RUF009 - frozen


@dataclass
class InputSplitResult:
    """What splitting the input came to.

    Args:
        proven: No box is left.
        candidate: An input (inputs,) that violates in the verifier's own arithmetic, if one was met.
        visited: Boxes that were bounded.
        lower_bound: The least margin of the boxes that are left.
    """

    proven: bool
    candidate: Tensor | None = None
    visited: int = 0
    lower_bound: float = float("-inf")
    history: list[tuple[float, int, float]] = field(default_factory=list)


class InputSplitter:
    """Splits the box of one query until every clause is refuted on every part.

    Constraints that several clauses share are bounded once.

    Args:
        graph: The network.
        clauses: Constraints C y <= d of each clause, C (clauses, rows, outputs) and d (clauses, rows); a clause of
            fewer rows repeats one.
        config: How.
        finer: The same in numbers of higher precision, for boxes that rounding alone may have left open.
    """

    def __init__(
        self,
        graph: Graph,
        clauses: tuple[Tensor, Tensor],
        config: InputSplittingConfig,
        finer: "InputSplitter | None" = None,
    ) -> None:
        self.graph, self.config, self.finer = graph, config, finer
        self.proof = Proof()
        self.propagator = Propagator(graph)
        on_the_way = self.propagator.ancestors(len(graph.nodes) - 1)
        self.adjustable = [
            i for i in on_the_way if i in self.propagator.nonlinear and self.propagator.operator(i).n_parameters
        ]
        c, d = clauses
        rows, place = torch.cat([c, d.unsqueeze(2)], 2).flatten(0, 1).unique(dim=0, return_inverse=True)
        self.c, self.d = rows[:, :-1], rows[:, -1]
        self.rows = place.reshape(d.shape)
        """Which of the different rows are those of each clause, (clauses, rows)."""
        self.batch_size = config.batch_size
        begun = WORTH[self.d.device.type] * len(graph.nodes)
        self.busy = max(32, int(min(begun / _products(self.propagator), 2**20)))
        """Boxes that keep the device busy: while fewer are open, each is halved in several inputs at once."""

    def bound(self, lower: Tensor, upper: Tensor, parent: Boxes | None = None) -> tuple[Boxes, Tensor]:
        """Bound clauses over boxes.

        Args:
            lower: (n, inputs).
            upper: (n, inputs).
            parent: The boxes that these are parts of.

        Returns:
            The boxes, shrunk where that is asked for, and the corners (n, inputs) where the bound of the clause that is
            furthest from refuted is least.
        """
        box = Interval(lower, upper)
        slopes: dict[int, tuple[Tensor, Tensor]] = {}
        known = None if parent is None else self._unpacked(parent.known)
        bounds, planes = self.propagator.crown(box, known, slopes=slopes)
        recording = Recording()
        start = len(self.graph.nodes) - 1
        linear = self.propagator.backward(
            start, self.c.reshape(1, -1, *self.graph.output_shape), planes, recording=recording
        )
        rows = sound_minimum(linear, box, self.d)
        clauses, best = self._clauses(rows)
        parameters = self._start(bounds) if parent is None else parent.parameters
        if self.config.optimization.steps:
            linear, rows, parameters = self._optimized(
                box, (bounds, planes.errors), linear, rows, (clauses, best), parent, parameters
            )
            clauses, best = self._clauses(rows)
        if parent is not None:
            clauses = torch.maximum(clauses, parent.clauses)
        every = torch.arange(len(lower), device=lower.device)
        corner = linear.minimizer(box)[every, best[every, clauses.argmin(1)]]
        if self.config.clip:
            box, rows, clauses = self._shrunk(linear, rows, clauses, box)
        width = box.upper - box.lower
        weight = torch.zeros_like(rows).scatter_add(1, best, (clauses <= 0).to(rows.dtype))
        scores = LINEAR_WEIGHT * torch.einsum("br,bri->bi", weight, linear.coefficients.abs()) * width
        scores = scores + self._looseness(weight, recording, bounds, planes, slopes, width)
        scores = scores.masked_fill(width <= 0, float("-inf"))
        least = clauses.amin(1)
        gain = torch.zeros_like(least) if parent is None else least - parent.margin
        slack = margin_slack(linear, box, self.d).amax(1)
        return Boxes(box.lower, box.upper, clauses, scores, self._packed(bounds), gain, slack, parameters), corner

    def _optimized(
        self,
        box: Interval,
        known: tuple[Bounds, Errors],
        linear: LinearBound,
        rows: Tensor,
        decided: tuple[Tensor, Tensor],
        parent: Boxes | None,
        parameters: Tensor,
    ) -> tuple[LinearBound, Tensor, Tensor]:
        """Linear bounds and margins of rows, with planes optimised for those that decide boxes which are open.

        The planes begin as they were for the row that was furthest from refuted in the box that this is a part of.
        """
        clauses, best = decided
        shut = clauses if parent is None else torch.maximum(clauses, parent.clauses)
        index = (shut.amin(1) <= 0).nonzero().squeeze(1)
        decisive = torch.zeros_like(rows).scatter_add(1, best, (clauses <= 0).to(rows.dtype))[index] > 0
        used = decisive.any(0).nonzero().squeeze(1)
        if not len(used):
            return linear, rows, parameters
        bounds, errors = known
        found = optimize(
            self.propagator,
            Interval(box.lower[index], box.upper[index]),
            {i: Interval(x.lower[index], x.upper[index]) for i, x in bounds.items() if i in self.propagator.needed},
            self.c[used].expand(len(index), -1, -1),
            self.d[used].expand(len(index), -1),
            self.config.optimization,
            parameters=self._unpacked_parameters(parameters[index]),
            errors=Errors({i: x[index] for i, x in errors.nodes.items()}, errors.floor[index]),
        )
        where = (index.unsqueeze(1), used)
        linear = LinearBound(
            linear.coefficients.index_put(where, found.linear.coefficients),
            linear.offset.index_put(where, found.linear.offset),
            linear.error.index_put(where, found.linear.error),
        )
        worst = best[index].gather(1, shut[index].argmin(1, keepdim=True))
        place = torch.searchsorted(used, worst.squeeze(1))
        chosen = self._packed_parameters(found.parameters, place)
        return (
            linear,
            rows.index_put(where, torch.maximum(rows[where], found.margins)),
            parameters.index_copy(0, index, chosen),
        )

    def _start(self, bounds: Bounds) -> Tensor:
        """Parameters that nothing is known of, (n, parameters)."""
        start = {
            i: self.propagator.operator(i).initial_parameters(self.propagator.inputs_of(i, bounds))
            for i in self.adjustable
        }
        (some, *_) = bounds.values()
        return self._packed_parameters(start, torch.zeros(len(some.lower), dtype=torch.long, device=some.lower.device))

    def _packed_parameters(self, parameters: Mapping[int, Tensor], row: Tensor) -> Tensor:
        """Those of one row (n,) each, (n, parameters)."""
        every = torch.arange(len(row), device=row.device)
        found = [parameters[i][:, every, row].transpose(0, 1).flatten(1) for i in self.adjustable]
        return torch.cat(found, 1) if found else self.d.new_zeros(len(row), 0)

    def _unpacked_parameters(self, packed: Tensor) -> dict[int, Tensor]:
        counts = [(self.propagator.operator(i).n_parameters, self.graph.nodes[i].shape) for i in self.adjustable]
        parts = packed.split([n * prod(shape) for n, shape in counts], 1)
        return {
            i: part.reshape(len(part), n, 1, *shape).transpose(0, 1)
            for i, part, (n, shape) in zip(self.adjustable, parts, counts, strict=True)
        }

    def _looseness(
        self,
        weight: Tensor,
        recording: Recording,
        bounds: Bounds,
        planes: Planes,
        slopes: Mapping[int, tuple[Tensor, Tensor]],
        width: Tensor,
    ) -> Tensor:
        """How much of the gap between planes, as the clauses feel it, each input is to blame for, (n, inputs).

        The gap of a nonlinear operation, at the middle of its input's bounds and times the coefficient of its output,
        is shared among the network's inputs as the width of that input is by its linear bound.
        """
        blame: dict[int, Tensor] = {}
        for index, a in recording.outputs.items():
            relaxation = planes.relaxations[index]
            inputs = self.propagator.inputs_of(index, bounds)
            gap = relaxation.upper_intercept - relaxation.lower_intercept
            for below, above, x in zip(relaxation.lower_slopes, relaxation.upper_slopes, inputs, strict=True):
                gap = gap + (above - below) * (x.lower + x.upper) / 2
            felt = torch.einsum("br,brn->bn", weight, a.flatten(2).abs()) * gap.flatten(1)
            for source in dict.fromkeys(self.graph.nodes[index].inputs):
                node, place = self.propagator.place(source)
                if place is not None:
                    felt_there = felt.new_zeros(len(felt), self.graph.nodes[node].size).index_add(1, place, felt)
                else:
                    felt_there = felt
                blame[node] = blame[node] + felt_there if node in blame else felt_there
        scores = torch.zeros_like(width)
        for node, felt in blame.items():
            if node not in slopes:
                continue
            rows, coefficients = slopes[node]
            share = coefficients.abs() * width.unsqueeze(1)
            share = share / share.sum(2, keepdim=True).clamp(min=1e-30)
            here = felt.gather(1, rows.expand(len(felt), -1))
            scores = scores + torch.einsum("bk,bki->bi", here, share)
        return scores

    def _clauses(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The least of each clause, that of its best row, and that row, from rows (n, rows)."""
        values = rows[:, self.rows].max(2)
        return values.values, self.rows.expand(len(rows), -1, -1).gather(2, values.indices.unsqueeze(2)).squeeze(2)

    def _shrunk(
        self, linear: LinearBound, rows: Tensor, clauses: Tensor, box: Interval
    ) -> tuple[Interval, Tensor, Tensor]:
        """Boxes that are open, shrunk to what can still violate, with their rows and clauses bounded there."""
        index = (clauses.amin(1) <= 0).nonzero().squeeze(1)
        if not len(index):
            return box, rows, clauses
        part = LinearBound(linear.coefficients[index], linear.offset[index], linear.error[index])
        inner, least, margins = Interval(box.lower[index], box.upper[index]), rows[index], clauses[index]
        for _ in range(self.config.n_clippings):
            inner = self._clipped(part, least, margins, inner)
            least = sound_minimum(part, inner, self.d)
            margins = torch.maximum(margins, self._clauses(least)[0])
            empty = (inner.lower > inner.upper).any(1, keepdim=True)
            margins = margins.masked_fill(empty, float("inf"))
            inner = Interval(torch.minimum(inner.lower, inner.upper), inner.upper)
        box = Interval(box.lower.index_copy(0, index, inner.lower), box.upper.index_copy(0, index, inner.upper))
        return box, rows.index_copy(0, index, least), clauses.index_copy(0, index, margins)

    def _clipped(self, linear: LinearBound, rows: Tensor, clauses: Tensor, box: Interval) -> Interval:
        """Boxes shrunk to what can still violate any clause that is open."""
        below, above = clip(linear, rows, box)
        below, above = below[:, self.rows].amax(2), above[:, self.rows].amin(2)
        shut = (clauses > 0).unsqueeze(2) | (below > above).any(2, keepdim=True)
        below = below.masked_fill(shut, float("inf")).amin(1)
        above = above.masked_fill(shut, float("-inf")).amax(1)
        return Interval(torch.maximum(box.lower, below), torch.minimum(box.upper, above))

    def _open(self, boxes: Boxes, parents: Boxes | None = None) -> Tensor:
        """Which boxes are not refuted, (n,), not in numbers of higher precision either where rounding may be why.

        That is tried where it may have been why for the box that it is a part of, too: most are refuted once they are
        smaller.
        """
        still = ~(boxes.margin > 0)
        self.proof.add(boxes.margin[~still], boxes.slack[~still])
        doubtful = still & (boxes.margin + 2 * boxes.slack > 0)
        if parents is not None:
            doubtful &= parents.margin + 2 * parents.slack > 0
        doubtful = doubtful.nonzero().squeeze(1)
        if self.finer is not None and len(doubtful):
            finer = self.finer
            parts = (boxes.lower[doubtful].to(finer.d), boxes.upper[doubtful].to(finer.d))
            for one in zip(
                *(part.split(finer.batch_size) for part in parts), doubtful.split(finer.batch_size), strict=True
            ):
                again, _ = finer.bound(*one[:2])
                refuted = again.margin > 0
                self.proof.add(again.margin[refuted], again.slack[refuted])
                still[one[2]] = ~refuted
        return still

    def _packed(self, bounds: Bounds) -> Tensor:
        if not self.propagator.needed:
            (some, *_) = bounds.values()
            return some.lower.new_zeros(len(some.lower), 2, 0)
        found = [torch.stack([x.flatten(1) for x in bounds[index]], 1) for index in self.propagator.needed]
        return torch.cat(found, 2)

    def _unpacked(self, known: Tensor) -> Bounds:
        nodes = self.graph.nodes
        parts = known.split([nodes[index].size for index in self.propagator.needed], 2)
        return {
            index: Interval(*(x.reshape(-1, *nodes[index].shape) for x in part.unbind(1)))
            for index, part in zip(self.propagator.needed, parts, strict=True)
        }

    def run(
        self,
        lower: Tensor,
        upper: Tensor,
        violated: Callable[[Tensor], Tensor | None],
        deadline: float = float("inf"),
        progress: Callable[[int, int, float], None] | None = None,
    ) -> InputSplitResult:
        """Refute all clauses over one box (inputs,), or find an input that violates, or run out of time.

        Args:
            lower: (inputs,).
            upper: (inputs,).
            violated: Takes inputs (n, inputs) and gives one that is a counterexample, if there is one.
            deadline: On `time.monotonic`.
            progress: Told boxes that were visited, that are open, and the least margin.
        """
        boxes, corners = self.bound(lower.unsqueeze(0), upper.unsqueeze(0))
        visited = 1
        boxes = boxes[self._open(boxes)]
        while len(boxes):
            candidate = violated(corners)
            if candidate is not None:
                return InputSplitResult(
                    proven=False, candidate=candidate, visited=visited, lower_bound=float(boxes.margin.min())
                )
            if time.monotonic() > deadline or visited >= self.config.max_domains:
                return InputSplitResult(proven=False, visited=visited, lower_bound=float(boxes.margin.min()))
            now, later = boxes, None
            if len(boxes) > self.batch_size:
                order = boxes.margin.argsort()
                now, later = boxes[order[: self.batch_size]], boxes[order[self.batch_size :]]
            try:
                children = split(now, min(self.busy, self.batch_size))
                found, corners = self.bound(children.lower, children.upper, children)
            except torch.OutOfMemoryError:
                self.batch_size = halved(self.batch_size)
                continue
            visited += len(found)
            still = self._open(found, children)
            corners = torch.cat([corners[still], (found.lower[still] + found.upper[still]) / 2])
            boxes = found[still] if later is None else Boxes.cat([later, found[still]])
            if progress:
                progress(visited, len(boxes), float(boxes.margin.min()) if len(boxes) else 0.0)
        return InputSplitResult(proven=True, visited=visited, lower_bound=0.0)


def _products(propagator: Propagator) -> int:
    """About how many products it takes to bound all nodes over one box by backward passes."""
    nodes = propagator.graph.nodes
    inputs = [sum(nodes[source].size for source in node.inputs) for node in nodes]
    dense = [i for i, node in enumerate(nodes) if isinstance(node.operator, Dense | Combination | Convolution)]
    ends = (*propagator.optimized, len(nodes) - 1)
    return 1 + sum(nodes[end].size * nodes[i].size * inputs[i] for end in ends for i in dense if i < end)
