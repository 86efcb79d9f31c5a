"""Branch and bound by splitting inputs of nonlinear operations (GenBaB), with cuts from refuted branches (BICCOS)."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .branches import Branches
from .branching import Brancher, Decision
from .cut_inference import CutInference
from .graph import Graph, Interval
from .leaves import refute_leaf
from .memory import halved
from .multi_tree import multi_tree_search
from .optimization import Optimisation, Optimised, optimise
from .propagation import Bounds, Propagator
from .relu import Relu
from .rounding import margin_slack
from .settings import VerifyConfig
from .splits import Splits

HARD = 500
"""Branches after which a clause is hard enough for multi-tree search, which visits about as many at once."""


class ActivationSearch:
    """Refutes clauses over one box by splitting activations.

    Args:
        graph: The network.
        box: (1, inputs).
        bounds: Of all nodes at the root, (1, *shape).
        clauses: C (clauses, rows, outputs) and d (clauses, rows).
        config: How.
        violated: Takes inputs (n, inputs) and gives one that is a counterexample, if there is one.
        deadline: On `time.monotonic`.
        progress: Told branches that were visited, that are open, and the least margin.
        generator: Of random branching.
    """

    def __init__(
        self,
        graph: Graph,
        box: Interval,
        bounds: Bounds,
        clauses: tuple[Tensor, Tensor],
        config: VerifyConfig,
        *,
        violated: Callable[[Tensor], Tensor | None],
        deadline: float = float("inf"),
        progress: Callable[[int, int, float], None] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        self.graph, self.box, self.bounds, self.config = graph, box, bounds, config
        self.c, self.d = clauses
        self.violated, self.deadline, self.progress = violated, deadline, progress
        self.propagator = Propagator(graph)
        heuristic = config.branching if config.branching in {"babsr", "random"} else "bbps"
        self.brancher = Brancher(
            self.propagator, box, bounds, heuristic, config.points, config.relu_only, config.reduce, generator
        )
        self.batch = config.batch or 64
        self.piecewise_linear = all(isinstance(self.propagator.operator(i), Relu) for i in self.propagator.nonlinear)
        # Where splits are of nodes that others repeat, or narrow more than the planes of one operation.
        self.propagates = not self.piecewise_linear or any(
            site.node not in self.propagator.needed for site in self.brancher.sites
        )
        self.cuts: CutInference | None = None
        self.visited = self.unresolved = 0
        self.cut_lengths: list[int] = []
        self.found = False

    def run(self) -> tuple[bool, float]:
        """Whether all clauses are refuted, and the least margin of what is open."""
        kind = self._kind_of_cuts()
        if kind == "none":
            return self._search(torch.arange(len(self.c), device=self.c.device))
        # A cut holds for violations of one clause: each has a search of its own.
        least = float("inf")
        for clause in range(len(self.c)):
            self.cuts = CutInference(self, clause, strengthen=kind in {"base", "biccos"})
            proven, margin = self._search(torch.tensor([clause], device=self.c.device), trees=kind in {"mts", "biccos"})
            self.cut_lengths += self.cuts.lengths
            least = min(least, margin)
            if not proven:
                return False, least
        return True, least

    def _kind_of_cuts(self) -> str:
        if not any(isinstance(self.propagator.operator(i), Relu) for i in self.propagator.nonlinear):
            return "none"
        if self.config.cuts == "auto":
            return "biccos" if len(self.c) < 3 else "base"
        return self.config.cuts

    def _search(self, clauses: Tensor, trees: bool = False) -> tuple[bool, float]:
        branches = roots = self._roots(clauses)
        begun = self.visited
        while len(branches):
            if self.found or self.over():
                return False, float(branches.margin.min())
            if trees and self.cuts is not None and self.visited - begun >= HARD:
                trees = False
                branches = multi_tree_search(self, self.cuts.reset(roots))
                continue
            order = branches.margin.argsort() if self.cuts is None else branches.splits.lengths().argsort(stable=True)
            now, later = branches[order[: self.batch]], branches[order[self.batch :]]
            try:
                children, refuted = self.bound(now.children())
            except torch.OutOfMemoryError:
                self.batch = halved(self.batch)
                continue
            if self.cuts is not None:
                if self.cuts.infer(refuted, len(children)):
                    return True, 0.0
                later, children = self.cuts.renew(later), self.cuts.renew(children)
            children = self._leaves(children)
            branches = Branches.cat([later, children])
            if self.progress:
                self.progress(self.visited, len(branches), float(branches.margin.min()) if len(branches) else 0.0)
        return not self.unresolved and not self.found, 0.0

    def over(self) -> bool:
        """Whether time or branches are spent."""
        return time.monotonic() > self.deadline or self.visited >= self.config.max_domains

    def _roots(self, clauses: Tensor) -> Branches:
        n, like = len(clauses), self.c
        nothing = torch.zeros(n, dtype=torch.long, device=like.device)
        decision = Decision(nothing, nothing, like.new_zeros(n), like.new_zeros(n))
        worst = like.new_full((n,), float("-inf"))
        roots = Branches(Splits.none(n, like), clauses, worst, {}, like.new_zeros(n, 0), decision, like.new_zeros(n))
        settings = replace(self.config.branch, steps=max(self.config.branch.steps, self.config.root.steps))
        return self.bound_in_parts(roots, settings)[0]

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
            wrong = lower > upper + 1e-5 * (1 + lower.abs())
            empty |= wrong.flatten(1).any(1)
            found[i] = Interval(torch.minimum(lower, upper), upper)
        return found, empty

    def optimise(self, branches: Branches, settings: Optimisation, bounds: Bounds) -> Optimised:
        """The bounds of branches, within bounds of their nodes."""
        batch = len(branches)
        return optimise(
            self.propagator,
            Interval(self.box.lower.expand(batch, -1), self.box.upper.expand(batch, -1)),
            bounds,
            self.c[branches.clause],
            self.d[branches.clause],
            settings,
            parameters=branches.parameters or None,
            splits=branches.splits,
            cuts=self.cuts.matrix if self.cuts is not None else None,
            cut_beta=branches.cut_beta if self.cuts is not None else None,
            slack=margin_slack,
        )

    def bound(self, branches: Branches, settings: Optimisation | None = None) -> tuple[Branches, Branches]:
        """Bound branches: those that are still open, with their next split, and those that are refuted."""
        still_open, refuted, _ = self.bound_with_index(branches, settings)
        return still_open, refuted

    def bound_with_index(
        self, branches: Branches, settings: Optimisation | None = None
    ) -> tuple[Branches, Branches, Tensor]:
        """The same, and which of the branches are still open."""
        every = torch.arange(len(branches), device=self.c.device)
        if self.cuts is not None and self.cuts.matrix is not None and len(branches):
            every = (~self.cuts.matrix.covers(branches.splits)).nonzero().squeeze(1)
            branches = branches[every]
        if not len(branches):
            return branches, branches, every
        bounds, empty = self.narrowed(branches.splits)
        found = self.optimise(branches, settings or self.config.branch, bounds)
        self.visited += len(branches)
        rows = found.margins.max(1)
        before = branches.margin
        margin = torch.maximum(rows.values, before).masked_fill(empty, float("inf"))
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
        index = still.nonzero().squeeze(1)
        still_open, refuted = result[index], result[(~still).nonzero().squeeze(1)]
        if len(index):
            self._try(found, index, rows.indices[index])
            still_open.next = self._decision(still_open, *self._seen(found, bounds, index, rows.indices[index]))
        return still_open, refuted, every[index]

    def bound_in_parts(
        self, branches: Branches, settings: Optimisation | None = None
    ) -> tuple[Branches, Branches, Tensor]:
        """The same, in as many parts as memory asks for."""
        found = self._in_parts(branches, lambda part: self.bound_with_index(part, settings))
        opened, done = [one[0] for _, one in found], [one[1] for _, one in found]
        still_open, refuted = (
            Branches.cat([some for some in parts if len(some)] or parts[:1]) for parts in (opened, done)
        )
        return still_open, refuted, torch.cat([part[one[2]] for part, one in found])

    def alternatives(self, branches: Branches, k: int) -> list[Decision]:
        """The k best splits of each branch."""

        def best(part: Branches) -> list[Decision]:
            bounds, _ = self.narrowed(part.splits)
            found = self.optimise(part, replace(self.config.branch, steps=0), bounds)
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

    def _seen(self, found: Optimised, bounds: Bounds, index: Tensor, best: Tensor) -> tuple[Bounds, dict[int, Tensor]]:
        """What branching heuristics look at: bounds of nodes, and coefficients of outputs for the best row."""
        batch = found.margins.shape[0]
        outputs = {i: a.expand(batch, *a.shape[1:])[index, best] for i, a in found.recording.outputs.items()}
        return {i: Interval(x.lower[index], x.upper[index]) for i, x in bounds.items()}, outputs

    def _try(self, found: Optimised, index: Tensor, best: Tensor) -> None:
        """Try the corners where bounds are least as counterexamples."""
        batch = found.margins.shape[0]
        box = Interval(self.box.lower.expand(batch, -1), self.box.upper.expand(batch, -1))
        corners = found.linear.minimiser(box)[index, best]
        self.found = self.found or self.violated(corners) is not None

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
        found = self.optimise(trial, replace(self.config.branch, steps=0), bounds)
        low, high = found.margins.amax(1).masked_fill(empty, 1e6).chunk(2)
        score = torch.minimum(low, high) if self.config.reduce == "min" else torch.maximum(low, high)
        return score.masked_fill(candidate.node < 0, float("-inf"))

    def _leaves(self, branches: Branches) -> Branches:
        """Settle branches in which nothing is left to split."""
        done = branches.next.node < 0
        for k in done.nonzero().squeeze(1).tolist():
            verdict = None
            if self.piecewise_linear:
                verdict = refute_leaf(self, branches.splits[torch.tensor([k])], int(branches.clause[k]))
            if isinstance(verdict, Tensor):
                self.found = self.found or self.violated(verdict) is not None
            if verdict is not True:
                self.unresolved += 1
        return branches[(~done).nonzero().squeeze(1)]
