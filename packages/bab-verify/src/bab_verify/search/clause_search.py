"""Branch and bound on the states of ReLUs for one clause, with a linear program in each branch."""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import torch
from torch import Tensor

from bab_verify.bounds.proof import Proof

from .linear_program import Certificate
from .relu_program import ReluProgram
from .split_program import SplitProgram, States

CANDIDATES = 4
"""Units of the highest scores whose branches are solved before one of them is branched on."""
PROBE = 50
"""Iterations of the simplex method for a branch of a candidate: most of what it gains, it gains early."""
APART = 1e-6
"""How far a solution must have a unit above its ReLU for a branch to move it: HiGHS is feasible to within 1e-7."""
ROOT_ROUNDS, ROUNDS = 20, 2
"""How often hull cuts are added at the root, which all branches have from there, and in a branch."""
WORTHWHILE = 0.02
"""The share of a bound that a round of cuts in a branch must gain for another to follow."""
LITTLE = 1e-6
"""What is added to gains, so that their product tells candidates apart where one gain is zero."""
POINTS = 16
"""Solutions that are tried as counterexamples at once."""


@dataclass(order=True)
class _Node:
    """A branch that is open; that of the least bound comes first, and then the oldest."""

    bound: float
    number: int
    states: States = field(compare=False)


@dataclass
class _Split:
    """What branching on a unit comes to.

    Args:
        unit: The unit.
        below: Where it is inactive.
        above: Where it is active.
    """

    unit: int
    below: Certificate
    above: Certificate

    def gain(self, bound: float) -> float:
        """By how much both branches are better than theirs before, with no more than what closes them."""
        gains = (min(max(child.minimum - bound, 0), -bound) for child in (self.below, self.above))
        return float(np.prod([gain + LITTLE for gain in gains]))


class ClauseSearch:
    """The search for one clause.

    Args:
        relaxation: Of the clause, over the box.
        violated: Takes inputs (n, inputs) and gives one that is a counterexample, if there is one.
        deadline: On `time.monotonic`.
    """

    def __init__(
        self,
        relaxation: ReluProgram,
        violated: Callable[[Tensor], Tensor | None],
        deadline: float = float("inf"),
    ) -> None:
        self.relaxation, self.violated, self.deadline = relaxation, violated, deadline
        self.program = SplitProgram(relaxation, deadline)
        self.proof = Proof()
        self.visited = 0
        """Branches so far."""
        self.unresolved = 0
        """Branches in which every unit is fixed, and that are not refuted."""
        self.found = False
        """Whether a counterexample was confirmed."""
        self._numbers = count()
        self._open: list[_Node] = []
        self._points: list[np.ndarray] = []
        self._push(-np.inf, self.program.states)

    @property
    def margin(self) -> float:
        """The least certified margin of what is open."""
        return self._open[0].bound if self._open else 0.0

    @property
    def n_open(self) -> int:
        """Branches that are open."""
        return len(self._open)

    @property
    def proven(self) -> bool:
        """Whether the clause is refuted."""
        return not (self._open or self.unresolved or self.found)

    def step(self) -> None:
        """Take the open branch of the least bound: refute it, split it, or find a counterexample in it."""
        node = heapq.heappop(self._open)
        self.visited += 1
        states = node.states.copy()
        self.program.fix(states)
        here = self._cut(self._solve())
        while not here.positive:
            bound = max(here.minimum, node.bound)
            if time.monotonic() > self.deadline:
                self._push(bound, states)
                return
            candidates = self._candidates()
            if self.found:
                return
            if not len(candidates):
                self.unresolved += 1
                return
            self.program.purge()
            split = self._best_split(states, candidates, bound)
            closed = (split.below.positive, split.above.positive)
            if all(closed):
                return
            if not any(closed):
                for state, child in ((-1, split.below), (1, split.above)):
                    self._push(max(child.minimum, bound), self._with(states, split.unit, state))
                return
            states = self._with(states, split.unit, 1 if split.below.positive else -1)
            self.program.fix(states)
            here = self._solve()

    def _push(self, bound: float, states: States) -> None:
        heapq.heappush(self._open, _Node(bound, next(self._numbers), states.copy()))

    def _with(self, states: States, unit: int, state: int) -> States:
        changed = states.copy()
        changed[unit] = state
        return changed

    def _solve(self, **limits: int) -> Certificate:
        found = self.program.solve(**limits)
        if found.positive:
            self.proof.join(Proof(found.minimum, found.error))
        return found

    def _cut(self, here: Certificate) -> Certificate:
        """What is certain of a branch after rounds of hull cuts."""
        is_root = self.visited == 1
        for _ in range(ROOT_ROUNDS if is_root else ROUNDS):
            if here.positive or time.monotonic() > self.deadline or not self.program.separate():
                break
            before, here = here, self._solve()
            if not is_root and here.minimum - before.minimum < WORTHWHILE * abs(before.minimum):
                break
        return here

    def _candidates(self) -> np.ndarray:
        """Units to branch on, after the last solution was tried as a counterexample; none where all are fixed."""
        gaps, best = self.program.gaps(), np.argsort(-self.program.scores())[:CANDIDATES]
        best = best[gaps[best] > APART]
        self._points.append(self.program.point)
        if not len(best) or len(self._points) >= POINTS:
            points, self._points = self._points, []
            self.found |= self.violated(torch.from_numpy(np.array(points))) is not None
        # A solution that is one of the network, and no counterexample: what is left is less than tolerances.
        return best if len(best) else np.flatnonzero(self.program.states == 0)[:1]

    def _best_split(self, states: States, candidates: np.ndarray, bound: float) -> _Split:
        """The first of some units of which a branch is refuted, else the one whose branches gain most."""
        splits, basis = [], self.program.simplex.basis
        for unit in candidates.tolist():
            children = []
            for state in (-1, 1):
                self.program.fix(self._with(states, unit, state))
                self.program.simplex.basis = basis
                children.append(self._solve(iterations=PROBE))
            split = _Split(unit, *children)
            if split.below.positive or split.above.positive:
                return split
            splits.append(split)
        return max(splits, key=lambda split: split.gain(bound))
