"""Branch and bound by splitting inputs of nonlinear operations (GenBaB), with cuts from refuted branches (BICCOS)."""

from collections.abc import Callable

import torch
from torch import Tensor

from .bounder import BranchBounder
from .branches import Branches
from .cut_inference import CutInference
from .device import halved
from .leaves import refute_leaf
from .multi_tree import multi_tree_search

HARD = 500
"""Branches after which a clause is hard enough for multi-tree search, which visits about as many at once."""


class ActivationSplitter:
    """Refutes clauses over one box by splitting activations.

    Args:
        bounder: Of branches of these clauses over this box.
        progress: Told branches that were visited, that are open, and the least margin.
    """

    def __init__(self, bounder: BranchBounder, progress: Callable[[int, int, float], None] | None = None) -> None:
        self.bounder, self.config, self.progress = bounder, bounder.config, progress
        self.batch_size = self.config.batch_size or 64
        self.unresolved = 0
        """Branches in which nothing is left to split, and that are not refuted."""
        self.cut_lengths: list[int] = []

    def run(self) -> tuple[bool, float]:
        """Whether all clauses are refuted, and the least margin of what is open."""
        kind = self._kind_of_cuts()
        clauses = torch.arange(len(self.bounder.c), device=self.bounder.c.device)
        if kind == "none":
            return self._search(clauses)
        # A cut holds for violations of one clause: each has a search of its own.
        least = float("inf")
        for clause in range(len(clauses)):
            cuts = CutInference(self.bounder, clause, strengthen=kind in {"base", "biccos"})
            proven, margin = self._search(clauses[clause : clause + 1], cuts, trees=kind in {"mts", "biccos"})
            self.cut_lengths += cuts.lengths
            least = min(least, margin)
            if not proven:
                return False, least
        return True, least

    def _kind_of_cuts(self) -> str:
        if not self.bounder.has_relus:
            return "none"
        if self.config.cuts == "auto":
            return "biccos" if len(self.bounder.c) < 3 else "base"
        return self.config.cuts

    def _search(self, clauses: Tensor, cuts: CutInference | None = None, trees: bool = False) -> tuple[bool, float]:
        bounder = self.bounder
        branches = roots = self._leaves(bounder.roots(clauses))
        begun = bounder.visited
        while len(branches):
            if bounder.found or bounder.over():
                return False, float(branches.margin.min())
            if trees and cuts is not None and bounder.visited - begun >= HARD:
                trees = False
                branches = self._leaves(multi_tree_search(bounder, cuts, cuts.reset(roots)))
                continue
            order = branches.margin.argsort() if cuts is None else branches.splits.lengths().argsort(stable=True)
            now, later = branches[order[: self.batch_size]], branches[order[self.batch_size :]]
            try:
                children, refuted = bounder.bound(now.children())
            except torch.OutOfMemoryError:
                self.batch_size = halved(self.batch_size)
                continue
            if cuts is not None:
                if cuts.infer(refuted, len(children)):
                    return True, 0.0
                later, children = cuts.renew(later), cuts.renew(children)
            children = self._leaves(children)
            branches = Branches.cat([later, children])
            if self.progress:
                self.progress(bounder.visited, len(branches), float(branches.margin.min()) if len(branches) else 0.0)
        return not self.unresolved and not bounder.found, 0.0

    def _leaves(self, branches: Branches) -> Branches:
        """Settle branches in which nothing is left to split."""
        done = branches.next.node < 0
        for k in done.nonzero().squeeze(1).tolist():
            verdict = None
            if self.bounder.piecewise_linear:
                verdict = refute_leaf(self.bounder, branches.splits[torch.tensor([k])], int(branches.clause[k]))
            if isinstance(verdict, Tensor):
                self.bounder.try_inputs(verdict)
            if verdict is not True:
                self.unresolved += 1
        return branches[(~done).nonzero().squeeze(1)]
