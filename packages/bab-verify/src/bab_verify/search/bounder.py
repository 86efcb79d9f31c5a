"""Branches bounded in batches: their splits, their cuts, and what each is split at next."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from bab_verify.bounds.cuts import CutMatrix
from bab_verify.bounds.optimization import Optimized, optimize
from bab_verify.bounds.problem import Problem
from bab_verify.bounds.proof import Proof
from bab_verify.bounds.propagation import Bounds, Propagator
from bab_verify.bounds.splits import Splits
from bab_verify.configs import OptimizationConfig, SearchConfig
from bab_verify.graph import Graph
from bab_verify.intervals import Interval
from bab_verify.operators.relu import Relu

from .branches import Branches
from .branching import Brancher, Decision
from .device import halved


class BranchBounder:
    """Bounds branches of clauses over one box; it knows of no search.

    Args:
        graph: The network.
        box: (1, inputs).
        bounds: Of all nodes at the root, (1, *shape).
        clauses: C (clauses, rows, outputs) and d (clauses, rows).
        config: How.
        violated: Takes inputs (n, inputs) and gives one that is a counterexample, if there is one.
        deadline: On `time.monotonic`.
        generator: Of random branching.
        exact: The problem in double precision and its bounds at the root, for branches that are bounded in single
            precision and that rounding alone may leave open.
    """

    def __init__(
        self,
        graph: Graph,
        box: Interval,
        bounds: Bounds,
        clauses: tuple[Tensor, Tensor],
        config: SearchConfig,
        *,
        violated: Callable[[Tensor], Tensor | None],
        deadline: float = float("inf"),
        generator: torch.Generator | None = None,
        exact: tuple[Problem, Bounds] | None = None,
    ) -> None:
        self.exact, self.proof = exact, Proof()
        self.graph, self.box, self.bounds, self.config = graph, box, bounds, config
        self.c, self.d = clauses
        self.violated, self.deadline = violated, deadline
        self.propagator = Propagator(graph)
        self.errors = self.propagator.errors(bounds)
        heuristic = config.branching if config.branching in {"babsr", "random"} else "bbps"
        self.brancher = Brancher(
            self.propagator, box, bounds, heuristic, config.points, config.relu_only, config.reduce, generator
        )
        # Where splits are of nodes that others repeat, or narrow more than the planes of one operation.
        self.propagates = not self.piecewise_linear or any(
            site.node not in self.propagator.needed for site in self.brancher.sites
        )
        self.cuts: CutMatrix | None = None
        """What every violation satisfies besides, as found so far."""
        self.visited = 0
        """Branches that were bounded."""
        self.found = False
        """Whether an input that was tried is a counterexample."""

    @property
    def piecewise_linear(self) -> bool:
        """Whether the network has no nonlinear operations but ReLUs."""
        return all(isinstance(self.propagator.operator(i), Relu) for i in self.propagator.nonlinear)

    @property
    def has_relus(self) -> bool:
        """Whether it has any, of whose states cuts can speak."""
        return any(isinstance(self.propagator.operator(i), Relu) for i in self.propagator.nonlinear)

    def over(self) -> bool:
        """Whether time or branches are spent."""
        return time.monotonic() > self.deadline or self.visited >= self.config.max_domains

    def roots(self, clauses: Tensor) -> Branches:
        """Branches without a split, one for each of some clauses (n,), bounded: those that are open."""
        n, like = len(clauses), self.c
        worst = like.new_full((n,), float("-inf"))
        decision = Decision.none(worst)
        roots = Branches(Splits.none(n, like), clauses, worst, {}, like.new_zeros(n, 0), decision, like.new_zeros(n))
        config = replace(self.config.branch, steps=max(self.config.branch.steps, self.config.root.steps))
        return self.bound_in_parts(roots, config)[0]

    def bound(self, branches: Branches, config: OptimizationConfig | None = None) -> tuple[Branches, Branches]:
        """Bound branches: those that are still open, with their next split, and those that are refuted."""
        still_open, refuted, _ = self.bound_with_index(branches, config)
        return still_open, refuted

    def bound_with_index(
        self, branches: Branches, config: OptimizationConfig | None = None
    ) -> tuple[Branches, Branches, Tensor]:
        """The same, and which of the branches are still open."""
        every = torch.arange(len(branches), device=self.c.device)
        if self.cuts is not None and len(branches):
            every = (~self.cuts.covers(branches.splits)).nonzero().squeeze(1)
            branches = branches[every]
        if not len(branches):
            return branches, branches, every
        bounds, empty = self.narrowed(branches.splits)
        found = self.optimize(branches, config or self.config.branch, bounds)
        self.visited += len(branches)
        rows = found.margins.max(1)
        before = branches.margin
        slack = found.slack.gather(1, rows.indices.unsqueeze(1)).squeeze(1)
        margin = torch.maximum(rows.values, before).masked_fill(empty, float("inf"))
        margin, slack = self._reconsidered(branches, found, bounds, margin, slack)
        gain = (margin - before).nan_to_num(posinf=1e6)
        result = Branches(
            self._remembered(branches.splits, found.beta, gain),
            branches.clause,
            margin,
            found.parameters,
            found.cut_beta if found.cut_beta is not None else branches.cut_beta,
            branches.next,
            gain,
        )
        still = ~(margin > 0)
        self.proof.add(margin[~still], slack[~still])
        index = still.nonzero().squeeze(1)
        still_open, refuted = result[index], result[(~still).nonzero().squeeze(1)]
        if len(index):
            self._try_corners(found, index, rows.indices[index])
            still_open.next = self._decision(still_open, *self._seen(found, bounds, index, rows.indices[index]))
        return still_open, refuted, every[index]

    def _reconsidered(
        self, branches: Branches, found: Optimized, bounds: Bounds, margin: Tensor, slack: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Margins and what was taken off them, in double precision where rounding may have left a branch open."""
        doubtful = (~(margin > 0) & (margin + 2 * slack > 0)).nonzero().squeeze(1)
        if self.exact is None or not len(doubtful):
            return margin, slack
        problem, root = self.exact
        propagator, n = Propagator(problem.graph), len(doubtful)
        again = replace(branches, parameters=found.parameters)
        if found.beta is not None:
            again.splits = replace(again.splits, beta=found.beta)
        part = again[doubtful].to(problem.c.dtype)
        fine = optimize(
            propagator,
            Interval(problem.box.lower.expand(n, -1), problem.box.upper.expand(n, -1)),
            {i: Interval(*(end[doubtful].to(problem.c.dtype) for end in x)) for i, x in bounds.items()},
            problem.c[part.clause],
            problem.d[part.clause],
            replace(self.config.branch, steps=0),
            parameters=part.parameters or None,
            splits=part.splits,
            cuts=None if self.cuts is None else self.cuts.to(problem.c),
            cut_beta=None if found.cut_beta is None else found.cut_beta[doubtful].to(problem.c.dtype),
            errors=propagator.errors(root),
        )
        rows = fine.margins.max(1)
        values = rows.values.to(margin).clamp(min=torch.finfo(margin.dtype).tiny)
        slacks = fine.slack.gather(1, rows.indices.unsqueeze(1)).squeeze(1).to(slack)
        refuted = rows.values > 0
        return (
            margin.index_copy(0, doubtful, torch.where(refuted, values, margin[doubtful])),
            slack.index_copy(0, doubtful, torch.where(refuted, slacks, slack[doubtful])),
        )

    def bound_in_parts(
        self, branches: Branches, config: OptimizationConfig | None = None
    ) -> tuple[Branches, Branches, Tensor]:
        """The same, in as many parts as memory asks for."""
        found = self._in_parts(branches, lambda part: self.bound_with_index(part, config))
        opened, done = [one[0] for _, one in found], [one[1] for _, one in found]
        still_open, refuted = (
            Branches.cat([some for some in parts if len(some)] or parts[:1]) for parts in (opened, done)
        )
        return still_open, refuted, torch.cat([part[one[2]] for part, one in found])

    def narrowed(self, splits: Splits) -> tuple[Bounds, Tensor]:
        """Bounds of the nodes that planes or splits are about, in branches, and which branches are empty, (batch,)."""
        bounds = splits.apply(self.bounds, self.graph)
        batch = len(splits)
        empty = torch.zeros(batch, dtype=torch.bool, device=self.c.device)
        if not self.propagates:
            return {i: bounds[i] for i in self.propagator.needed}, empty
        box = Interval(self.box.lower.expand(batch, -1), self.box.upper.expand(batch, -1))
        inside = self.propagator.intervals(box, bounds)
        found = {}
        for i in (*self.propagator.needed, *(site.node for site in self.brancher.sites)):
            lower, upper = inside[i]
            wrong = lower > upper
            empty |= wrong.flatten(1).any(1)
            found[i] = Interval(torch.minimum(lower, upper), upper)
        return found, empty

    def optimize(self, branches: Branches, config: OptimizationConfig, bounds: Bounds) -> Optimized:
        """The bounds of branches, within bounds of their nodes."""
        batch = len(branches)
        return optimize(
            self.propagator,
            Interval(self.box.lower.expand(batch, -1), self.box.upper.expand(batch, -1)),
            bounds,
            self.c[branches.clause],
            self.d[branches.clause],
            config,
            parameters=branches.parameters or None,
            splits=branches.splits,
            cuts=self.cuts,
            cut_beta=branches.cut_beta,
            errors=self.errors,
            rough=self.exact is not None,
        )

    def try_inputs(self, x: Tensor) -> None:
        """Try inputs (n, inputs) as counterexamples, unless there is one already."""
        self.found = self.found or self.violated(x) is not None

    def alternatives(self, branches: Branches, k: int) -> list[Decision]:
        """The k best splits of each branch."""
        if not self.brancher.sites:
            return [Decision.none(branches.margin)]

        def best(part: Branches) -> list[Decision]:
            bounds, _ = self.narrowed(part.splits)
            found = self.optimize(part, replace(self.config.branch, steps=0), bounds)
            index = torch.arange(len(part), device=self.c.device)
            return self.brancher.best(*self._seen(found, bounds, index, found.margins.argmax(1)), k)

        parts = [one for _, one in self._in_parts(branches, best)]
        return [Decision.cat(list(some)) for some in zip(*parts, strict=True)]

    def _in_parts(self, branches: Branches, function: Callable[[Branches], Any]) -> list[tuple[Tensor, Any]]:
        """Which branches, and what a function makes of them, in as many parts as memory asks for."""
        every = torch.arange(len(branches), device=self.c.device)
        size = max(1, len(branches))
        while True:
            try:
                return [(part, function(branches[part])) for part in every.split(size)]
            except torch.OutOfMemoryError:
                size = halved(size)

    def _seen(self, found: Optimized, bounds: Bounds, index: Tensor, best: Tensor) -> tuple[Bounds, dict[int, Tensor]]:
        """What branching heuristics look at: bounds of nodes, and coefficients of outputs for the best row."""
        batch = found.margins.shape[0]
        outputs = {i: a.expand(batch, *a.shape[1:])[index, best] for i, a in found.recording.outputs.items()}
        return {i: Interval(x.lower[index], x.upper[index]) for i, x in bounds.items()}, outputs

    def _try_corners(self, found: Optimized, index: Tensor, best: Tensor) -> None:
        """Try the corners where bounds are least as counterexamples."""
        batch = found.margins.shape[0]
        box = Interval(self.box.lower.expand(batch, -1), self.box.upper.expand(batch, -1))
        self.try_inputs(found.linear.minimizer(box)[index, best])

    def _remembered(self, splits: Splits, beta: Tensor | None, gain: Tensor) -> Splits:
        if beta is None or not splits.depth:
            return splits
        influence = splits.influence.clone()
        last = splits.lengths() - 1
        rows = torch.arange(len(splits), device=last.device)
        fresh = influence[rows, last.clamp(min=0)] == 0
        value = torch.where(fresh, gain.clamp(max=1e6) + 1e-6, influence[rows, last.clamp(min=0)])
        influence[rows, last.clamp(min=0)] = value
        return replace(splits, beta=beta, influence=influence)

    def _decision(self, branches: Branches, bounds: Bounds, outputs: dict[int, Tensor]) -> Decision:
        if not self.brancher.sites:
            return Decision.none(branches.margin)
        if self.config.branching != "kfsb":
            return self.brancher.decide(bounds, outputs)
        candidates = self.brancher.candidates(bounds, outputs, self.config.candidates)
        scores = torch.stack([self._true_score(branches, candidate) for candidate in candidates])
        chosen = scores.argmax(0)
        every = torch.arange(len(branches), device=chosen.device)
        return Decision(
            *(
                torch.stack([getattr(candidate, name) for candidate in candidates])[chosen, every]
                for name in ("node", "element", "point", "score")
            )
        )

    def _true_score(self, branches: Branches, candidate: Decision) -> Tensor:
        """The margins of both children of a candidate without optimisation, reduced, (batch,)."""
        trial = replace(branches, next=candidate).children()
        bounds, empty = self.narrowed(trial.splits)
        found = self.optimize(trial, replace(self.config.branch, steps=0), bounds)
        low, high = found.margins.amax(1).masked_fill(empty, 1e6).chunk(2)
        score = torch.minimum(low, high) if self.config.reduce == "min" else torch.maximum(low, high)
        return score.masked_fill(candidate.node < 0, float("-inf"))
