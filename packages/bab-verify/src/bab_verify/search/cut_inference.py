"""Cutting planes inferred from refuted branches, and their strengthening (BICCOS)."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from bab_verify.bounds.cuts import Cut, CutMatrix
from bab_verify.bounds.splits import Splits
from bab_verify.operators.relu import Relu

from .bounder import BranchBounder
from .branches import Branches

DROP_RATIO = 0.5
"""The share of a history's splits that strengthening tries to do without, those of least influence."""
STRENGTHENINGS = 3
"""How often it does, as long as it succeeds."""
MAX_ROUNDS = 20
"""Rounds of branch and bound that cuts are inferred in."""
MAX_VISITED = 10_000
"""Branches after which no more cuts are inferred."""


class CutInference:
    """The cuts of one clause over one box, and where they come from.

    A refuted branch holds no violation: so any violation has at least one of its states otherwise, sum of z over its
    active states - sum over its inactive ones <= number of active ones - 1. Such a cut is true of violations of this
    clause in this box, and of nothing else.

    Args:
        bounder: Of the branches; it gets the cuts.
        clause: The clause.
        strengthen: Whether to shorten histories to the splits that matter, where the rest is refuted as well.
    """

    def __init__(self, bounder: BranchBounder, clause: int, strengthen: bool) -> None:
        self.bounder, self.clause, self.strengthen = bounder, clause, strengthen
        self.cuts: list[Cut] = []
        bounder.cuts = None
        self.n_found = 0
        self.lengths: list[int] = []
        """Literals of each cut that was found."""
        self._rounds = 0
        self._moved: Tensor | None = None
        relus = (i for i in bounder.propagator.nonlinear if isinstance(bounder.propagator.operator(i), Relu))
        self._indicated = {bounder.graph.nodes[i].inputs[0] for i in relus}

    def infer(self, refuted: Branches, n_open: int, limited: bool = True) -> bool:
        """Add the cuts of refuted branches.

        Args:
            refuted: The branches.
            n_open: How many others of the batch are still open; without any there is nothing to cut.
            limited: Whether to stop after some rounds.

        Returns:
            Whether the cuts refute the clause altogether.
        """
        self._moved = None
        if not len(refuted) or not n_open:
            return False
        if limited:
            self._rounds += 1
            if self._rounds > MAX_ROUNDS or self.bounder.visited > MAX_VISITED:
                return False
        splits = self._strengthened(refuted) if self.strengthen else refuted.splits
        found = [cut for cut in self._literals(splits) if cut is not None]
        self.n_found += len(set(found) - set(self.cuts))
        self.lengths += [len(cut) for cut in set(found) - set(self.cuts)]
        before = {cut: i for i, cut in enumerate(self.cuts)}
        merged = merge([*self.cuts, *found])
        if frozenset() in merged:
            return True
        self.cuts = sorted(merged, key=lambda cut: (len(cut), sorted(cut)))[: self.bounder.config.max_cuts]
        if self.cuts:
            self.bounder.cuts = CutMatrix.of(self.cuts, self.bounder.c)
            self._moved = torch.tensor([before.get(cut, -1) for cut in self.cuts], device=self.bounder.c.device)
        return False

    def renew(self, branches: Branches) -> Branches:
        """Branches with multipliers for the cuts as they are now; new ones begin at zero."""
        if self._moved is None or not self.cuts:
            return branches
        old = torch.nn.functional.pad(branches.cut_beta, (0, 1))
        index = torch.where(self._moved < 0, old.shape[1] - 1, self._moved)
        return replace(branches, cut_beta=old[:, index])

    def reset(self, branches: Branches) -> Branches:
        """Branches with all multipliers of cuts at zero."""
        return replace(branches, cut_beta=branches.margin.new_zeros(len(branches), len(self.cuts)))

    def _strengthened(self, refuted: Branches) -> Splits:
        """Histories without the splits of least influence, as long as what is left is refuted without them."""
        done: list[Splits] = []
        while len(refuted):
            trial, rest = self._shortened(refuted)
            done.append(refuted.splits[rest])
            refuted = trial
            if len(done) == STRENGTHENINGS:
                done.append(refuted.splits)
                break
        return Splits.cat(done)

    def _shortened(self, refuted: Branches) -> tuple[Branches, Tensor]:
        """Branches with half of their history that are refuted as well, and which of the given ones are not."""
        splits = refuted.splits
        used = splits.node >= 0
        rank = splits.influence.masked_fill(~used, float("inf")).argsort(1).argsort(1)
        dropped = (DROP_RATIO * used.sum(1, keepdim=True)).long()
        every = torch.arange(len(splits), device=dropped.device)
        longer = every[dropped.squeeze(1) > 0]
        if not len(longer):
            return refuted[longer], every
        keep = (used & (rank >= dropped))[longer]
        parts = splits[longer]
        node = torch.where(keep, parts.node, -1)
        reduced = replace(parts, node=node, sign=parts.sign * keep, beta=torch.zeros_like(parts.beta)).compact()
        trial = replace(refuted[longer], splits=reduced)
        bounds, empty = self.bounder.narrowed(reduced)
        try:
            found = self.bounder.optimize(trial, self.bounder.config.branch, bounds)
        except torch.OutOfMemoryError:
            return refuted[longer[:0]], every
        holds = (found.margins.amax(1) > 0) | empty
        failed = torch.ones_like(every, dtype=torch.bool)
        failed[longer[holds]] = False
        return trial[holds.nonzero().squeeze(1)], every[failed]

    def _literals(self, splits: Splits) -> Iterable[Cut | None]:
        """The cut of each history, or `None` where a split is not of a ReLU at zero."""
        rows = (x.tolist() for x in (splits.node, splits.element, splits.sign, splits.point))
        for nodes, elements, signs, points in zip(*rows, strict=True):
            history = [
                (node, element, int(sign), point)
                for node, element, sign, point in zip(nodes, elements, signs, points, strict=True)
                if node >= 0
            ]
            if any(node not in self._indicated or point != 0 for node, _, _, point in history):
                yield None
            else:
                yield frozenset((node, element, sign) for node, element, sign, _ in history)


def merge(cuts: Iterable[Cut]) -> set[Cut]:
    """The same cuts with no more literals than needed.

    Two that differ in the sign of one literal are one without it, and a cut that holds all literals of another is
    dropped.
    """
    pool = set(cuts)
    fresh = list(pool)
    while fresh:
        cut = fresh.pop()
        if cut not in pool:
            continue
        for node, element, sign in cut:
            if (cut - {(node, element, sign)}) | {(node, element, -sign)} in pool:
                shorter = cut - {(node, element, sign)}
                if shorter not in pool:
                    pool.add(shorter)
                    fresh.append(shorter)
    kept: list[Cut] = []
    for cut in sorted(pool, key=len):
        if not any(other <= cut for other in kept):
            kept.append(cut)
    return set(kept)
