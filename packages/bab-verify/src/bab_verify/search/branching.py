"""Which element to split, and where: GenBaB's BBPS, and the heuristics that it is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from bab_verify.bounds.errors import Planes
from bab_verify.bounds.linear_bound import LinearBound
from bab_verify.bounds.propagation import Bounds, Propagator
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Affine
from bab_verify.operators.relaxation import Nonlinear, Relaxation
from bab_verify.operators.relu import Relu

from .branching_points import BranchingTable, cached_branching_table

EXACT_ELEMENTS = 2**23
"""Coefficients of the input for which scores are computed exactly at once; beyond it, only the best are."""


@dataclass
class Decision:
    """A split for each branch of a batch.

    Args:
        node: Whose element is split, (batch,); -1 where nothing is worth splitting.
        element: Of the flattened node, (batch,).
        point: Where, (batch,).
        score: (batch,).
    """

    node: Tensor
    element: Tensor
    point: Tensor
    score: Tensor

    def __getitem__(self, index: Tensor) -> "Decision":
        return Decision(self.node[index], self.element[index], self.point[index], self.score[index])

    @staticmethod
    def none(like: Tensor) -> "Decision":
        """No split, for as many branches as a tensor (batch,) has elements."""
        nothing = torch.full(like.shape, -1, device=like.device)
        return Decision(nothing, nothing, torch.zeros_like(like), torch.full_like(like, -torch.inf))

    @staticmethod
    def cat(parts: "list[Decision]") -> "Decision":
        """Those of several batches."""
        return Decision(*(torch.cat([getattr(d, n) for d in parts]) for n in ("node", "element", "point", "score")))


@dataclass(frozen=True)
class Consumer:
    """A nonlinear operation that takes a node.

    Args:
        node: The operation's node.
        position: Which of its inputs.
        place: For each element of that input, which element of the branched node it is; `None` for the same.
    """

    node: int
    position: int
    place: Tensor | None


@dataclass
class Site:
    """A node that may be branched on: an input of nonlinear operations, or what such an input repeats.

    Args:
        node: Its index.
        consumers: The operations.
        below: A linear lower bound of each element, in terms of the network's input (the shortcut).
        above: An upper bound.
        table: Of points, where these are looked up.
    """

    node: int
    consumers: tuple[Consumer, ...]
    below: LinearBound
    above: LinearBound
    table: BranchingTable | None


class Brancher:
    """Scores splits of a network's nonlinear operations over one box.

    Args:
        propagator: Of the network.
        box: (1, inputs).
        bounds: Of all nodes at the root, (1, *shape).
        heuristic: `bbps`, `babsr` or `random`.
        points: `table` or `middle`.
        relu_only: Branch on ReLUs alone.
        reduce: `min` or `max` over the two children.
        generator: Of random branching.
    """

    def __init__(
        self,
        propagator: Propagator,
        box: Interval,
        bounds: Bounds,
        heuristic: str = "bbps",
        points: str = "table",
        relu_only: bool = False,
        reduce: str = "min",
        generator: torch.Generator | None = None,
    ) -> None:
        self.propagator, self.box, self.heuristic, self.reduce = propagator, box, heuristic, reduce
        self.bounds = bounds
        self.generator = generator
        graph = propagator.graph
        consumers: dict[int, list[Consumer]] = {}
        for index in propagator.nonlinear:
            if relu_only and not isinstance(propagator.operator(index), Relu):
                continue
            for position, source in enumerate(graph.nodes[index].inputs):
                node, place = propagator.place(source)
                if node and node not in propagator.nonlinear:
                    consumers.setdefault(node, []).append(Consumer(index, position, place))
        planes = propagator.planes(bounds)
        self.sites = [
            Site(node, tuple(users), *self._shortcut(node, planes), self._table(users, points))
            for node, users in sorted(consumers.items())
        ]
        self.partners = self._partners(planes)

    def _table(self, users: list[Consumer], points: str) -> BranchingTable | None:
        operators = [self.propagator.operator(user.node) for user in users]
        if points != "table" or any(operator.split_point is not None for operator in operators):
            return None
        kinds: dict[tuple[type, int], tuple[Nonlinear, int]] = {}
        for operator, user in zip(operators, users, strict=True):
            kinds.setdefault((type(operator), user.position), (operator, user.position))
        table = cached_branching_table(list(kinds.values()))
        return table.to(self.box.lower.device)

    def _shortcut(self, node: int, planes: Planes) -> tuple[LinearBound, LinearBound]:
        if self.heuristic == "babsr":
            return self._bias(node)
        n, d = self.propagator.graph.nodes[node].size, self.box.lower.shape[1]
        flat = [x.flatten(1) for x in self.bounds[node]]
        rows = self.propagator.undecided(node, *flat)
        pairs = [(self.box.lower.new_zeros(1, n, d), self.box.lower.new_zeros(1, n)) for _ in range(2)]
        for part in rows.split(self.propagator.chunk(node), 1):
            linear = self.propagator.unit_backward(node, part, planes)
            k = part.shape[1]
            for sign, half, (coefficients, offset) in zip((1, -1), (slice(k), slice(k, None)), pairs, strict=True):
                coefficients[:, part[0]] = sign * linear.coefficients[:, half]
                offset[:, part[0]] = sign * linear.offset[:, half]
        below, above = (LinearBound(coefficients, offset, torch.zeros_like(offset)) for coefficients, offset in pairs)
        return below, above

    def _bias(self, node: int) -> tuple[LinearBound, LinearBound]:
        """Nothing but the constant of the layer before (BaBSR stops there)."""
        operator = self.propagator.graph.nodes[node].operator
        size = self.propagator.graph.nodes[node].size
        constant = operator.constant() if isinstance(operator, Affine) else None
        offset = self.box.lower.new_zeros(1, size)
        if constant is not None:
            offset = offset + constant.expand(self.propagator.graph.nodes[node].shape).reshape(1, -1)
        flat = self.box.lower.new_zeros(1, size, self.box.lower.shape[1])
        linear = LinearBound(flat, offset, torch.zeros_like(offset))
        return linear, linear

    def _partners(self, planes: Planes) -> dict[int, tuple[LinearBound, LinearBound]]:
        """Shortcuts of the other inputs of operations with several."""
        found: dict[int, tuple[LinearBound, LinearBound]] = {site.node: (site.below, site.above) for site in self.sites}
        for site in self.sites:
            for user in site.consumers:
                for source in self.propagator.graph.nodes[user.node].inputs:
                    node, _ = self.propagator.place(source)
                    if node and node not in found:
                        found[node] = self._shortcut(node, planes)
        return found

    def decide(self, bounds: Bounds, outputs: Mapping[int, Tensor]) -> Decision:
        """The best split of each branch.

        Args:
            bounds: Of the nodes, (batch, *shape).
            outputs: Coefficients of each nonlinear node's output in the branch's own bound, (batch, *shape).
        """
        return self.best(bounds, outputs, 1)[0]

    def best(self, bounds: Bounds, outputs: Mapping[int, Tensor], k: int) -> list[Decision]:
        """The k best splits of each branch, the best first."""
        if not self.sites:
            (some, *_) = bounds.values()
            return [Decision.none(some.lower.flatten(1)[:, 0])]
        nodes, elements, points, scores = [], [], [], []
        for site in self.sites:
            score, point = self._score(site, bounds, outputs)
            top = score.topk(min(k, score.shape[1]), 1)
            scores.append(top.values)
            elements.append(top.indices)
            points.append(point.gather(1, top.indices))
            nodes.append(torch.full_like(top.indices, site.node))
        every = torch.cat(scores, 1)
        top = every.topk(min(k, every.shape[1]), 1)
        found = [torch.cat(x, 1).gather(1, top.indices) for x in (nodes, elements, points)]
        return [
            Decision(
                found[0][:, i].masked_fill(top.values[:, i] == float("-inf"), -1),
                found[1][:, i],
                found[2][:, i],
                top.values[:, i],
            )
            for i in range(top.indices.shape[1])
        ]

    def candidates(self, bounds: Bounds, outputs: Mapping[int, Tensor], k: int) -> list[Decision]:
        """Candidates for filtered branching: the k best, and the k ReLUs whose upper planes cost most."""
        found = self.best(bounds, outputs, k)
        costs, nodes, elements = [], [], []
        for site in self.sites:
            for user in site.consumers:
                operator = self.propagator.operator(user.node)
                if isinstance(operator, Relu) and user.place is None and user.node in outputs:
                    cost = intercept_scores(operator, bounds[site.node], outputs[user.node])
                    costs.append(cost)
                    elements.append(torch.arange(cost.shape[1], device=cost.device).expand_as(cost))
                    nodes.append(torch.full_like(elements[-1], site.node))
        if not costs:
            return found
        top = torch.cat(costs, 1).topk(min(k, sum(cost.shape[1] for cost in costs)), 1)
        node, element = (torch.cat(x, 1).gather(1, top.indices) for x in (nodes, elements))
        node = node.masked_fill(top.values <= 0, -1)
        zero = torch.zeros_like(top.values)
        return found + [Decision(node[:, i], element[:, i], zero[:, i], zero[:, i]) for i in range(node.shape[1])]

    def _score(self, site: Site, bounds: Bounds, outputs: Mapping[int, Tensor]) -> tuple[Tensor, Tensor]:
        """Scores and points of all elements of a site, (batch, elements); minus infinity where no split is of use."""
        lower, upper = (x.flatten(1) for x in bounds[site.node])
        point = self._points(site, lower, upper)
        useful = (point > lower) & (point < upper) & self._splittable(site, bounds)
        if self.heuristic == "random":
            noise = torch.rand(lower.shape, generator=self.generator).to(lower)
            return noise.masked_fill(~useful, float("-inf")), point
        if not bool(useful.any()):
            return torch.full_like(lower, float("-inf")), point
        before = self._contribution(site, bounds, outputs, Interval(lower, upper))
        gains = [
            self._gain(site, before, self._contribution(site, bounds, outputs, half))
            for half in (Interval(lower, point), Interval(point, upper))
        ]
        both = torch.stack(gains)
        score = both.amin(0) if self.reduce == "min" else both.amax(0)
        return score.masked_fill(~useful, float("-inf")), point

    def _points(self, site: Site, lower: Tensor, upper: Tensor) -> Tensor:
        kinks = {self.propagator.operator(user.node).split_point for user in site.consumers} - {None}
        if kinks:
            (kink, *_) = sorted(point for point in kinks if point is not None)
            inside = (lower < kink) & (upper > kink)
            smooth = any(self.propagator.operator(user.node).split_point is None for user in site.consumers)
            elsewhere = (lower + upper) / 2 if smooth else lower
            return torch.where(inside, torch.full_like(lower, kink), elsewhere)
        if site.table is None:
            return (lower + upper) / 2
        if any(self.propagator.operator(user.node).arity > 1 for user in site.consumers):
            return site.table.lookup(lower, upper, lower, upper).to(lower)
        return site.table.lookup(lower, upper).to(lower)

    def _splittable(self, site: Site, bounds: Bounds) -> Tensor:
        size = self.propagator.graph.nodes[site.node].size
        found: Tensor | None = None
        for user in site.consumers:
            inputs = tuple(bounds[source] for source in self.propagator.graph.nodes[user.node].inputs)
            mask = self.propagator.operator(user.node).splittable(inputs, user.position).flatten(1)
            if user.place is not None:
                spread = torch.zeros(len(mask), size, device=mask.device)
                mask = spread.index_add(1, user.place, mask.to(spread.dtype)) > 0
            found = mask if found is None else found | mask
        assert found is not None  # noqa: S101
        return found

    def _contribution(
        self, site: Site, bounds: Bounds, outputs: Mapping[int, Tensor], own: Interval
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the operations give to the bound through a site whose elements lie within `own`, each by itself.

        Returns:
            Positive and negative coefficients of each element and what else it adds, (batch, elements) each. Other
            inputs of the operations count with their shortcuts at the centre of the box.
        """
        graph = self.propagator.graph
        size = graph.nodes[site.node].size
        positive, negative, rest = (own.lower.new_zeros(len(own.lower), size) for _ in range(3))
        for user in site.consumers:
            a = outputs.get(user.node)
            if a is None:
                continue
            sources = graph.nodes[user.node].inputs
            inputs = []
            for position, source in enumerate(sources):
                x = bounds[source]
                if position == user.position:
                    x = Interval(*(_placed(y, user.place).reshape(x.lower.shape) for y in own))
                inputs.append(Interval(x.lower.unsqueeze(1), x.upper.unsqueeze(1)))
            parts, constant = _each(a, self.propagator.operator(user.node).relax(tuple(inputs)))
            mine = parts[user.position]
            for position, source in enumerate(sources):
                if position != user.position:
                    constant = constant + self._partner(source, parts[position])
            if user.place is None:
                positive, negative, rest = positive + mine.clamp(min=0), negative + mine.clamp(max=0), rest + constant
            else:
                positive = positive.index_add(1, user.place, mine.clamp(min=0))
                negative = negative.index_add(1, user.place, mine.clamp(max=0))
                rest = rest.index_add(1, user.place, constant)
        return positive, negative, rest

    def _partner(self, source: int, coefficients: Tensor) -> Tensor:
        node, place = self.propagator.place(source)
        center = (self.box.lower + self.box.upper) / 2
        if not node:
            value = _placed(center, place)
            return coefficients * value
        below, above = (
            _placed((linear.coefficients @ center.unsqueeze(2)).squeeze(2) + linear.offset, place)
            for linear in self.partners[node]
        )
        return coefficients.clamp(min=0) * below + coefficients.clamp(max=0) * above

    def _gain(self, site: Site, before: tuple[Tensor, ...], after: tuple[Tensor, ...]) -> Tensor:
        """By how much the bound rises when one element alone goes from `before` to `after`, (batch, elements)."""
        below, above = site.below, site.above
        center, radius = (self.box.lower + self.box.upper) / 2, (self.box.upper - self.box.lower) / 2
        up, down, rest = (new - old for new, old in zip(after, before, strict=True))
        constant = rest + up * below.offset + down * above.offset
        if self.heuristic == "babsr":
            return constant
        whole = before[0] @ below.coefficients[0] + before[1] @ above.coefficients[0]
        # The corner where the bound is least now: a first estimate, linear in the change.
        corner = torch.where(whole > 0, center - radius, center + radius)
        estimate = constant + up * (corner @ below.coefficients[0].T) + down * (corner @ above.coefficients[0].T)
        batch, n = estimate.shape
        k = min(n, max(16, EXACT_ELEMENTS // (batch * center.shape[1])))
        chosen = estimate.topk(k, 1).indices
        least = whole @ center[0] - whole.abs() @ radius[0]
        change = (
            up.gather(1, chosen).unsqueeze(2) * below.coefficients[0][chosen]
            + down.gather(1, chosen).unsqueeze(2) * above.coefficients[0][chosen]
        )
        moved = whole.unsqueeze(1) + change
        exact = moved @ center[0] - moved.abs() @ radius[0] - least.unsqueeze(1) + constant.gather(1, chosen)
        return estimate.scatter(1, chosen, exact)


def _each(a: Tensor, planes: Relaxation) -> tuple[tuple[Tensor, ...], Tensor]:
    """Coefficients (batch, *shape) through planes, element by element, flattened."""
    flat = a.unsqueeze(1)
    positive, negative = flat.clamp(min=0), flat.clamp(max=0)
    parts = tuple(
        (positive * below + negative * above).flatten(1)
        for below, above in zip(planes.lower_slopes, planes.upper_slopes, strict=True)
    )
    return parts, (positive * planes.lower_intercept + negative * planes.upper_intercept).flatten(1)


def _placed(x: Tensor, place: Tensor | None) -> Tensor:
    return x if place is None else x[:, place]


def intercept_scores(relu: Relu, x: Interval, a: Tensor) -> Tensor:
    """How much a ReLU's upper plane costs: |min(A, 0)| (-l u / (u - l)), (batch, elements)."""
    lower, upper = x.lower.flatten(1), x.upper.flatten(1)
    unstable = relu.splittable((Interval(lower, upper),), 0)
    cost = -lower * upper / (upper - lower).clamp(min=1e-30)
    return (a.flatten(1).clamp(max=0).abs() * cost).masked_fill(~unstable, 0)
