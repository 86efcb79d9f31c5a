"""What happened in a search: its branching decisions, as a tree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from pyscipopt import SCIP_EVENTTYPE, Eventhdlr, Model

from revibranch.scip.models import Focus
from revibranch.scip.observation import Observation

from .branching import BranchingPlugin, Rule, include

SOLVED = frozenset({"optimal", "infeasible", "unbounded", "inforunbd"})
"""Statuses of SCIP that end a search for good."""


@dataclass(frozen=True)
class Decision:
    """One branching.

    Attributes:
        index: Position in the order in which nodes were visited.
        number: SCIP's number of the node.
        parent: Index of the decision at its nearest ancestor that was branched on by the same rule; None for the first.
        depth: Depth of the node.
        observation: The node, as the rule saw it.
        action: The choice, as a position among the candidates.
        bound: The node's lower bound, of the problem that SCIP minimizes.
        child_bounds: The lower bounds of the children, down and up, once they were processed: of an infeasible one the
            final primal bound, or infinity without a solution; None for a child that was never processed.
    """

    index: int
    number: int
    parent: int | None
    depth: int
    observation: Observation
    action: int
    bound: float
    child_bounds: tuple[float | None, float | None]


@dataclass(frozen=True)
class Episode:
    """A search: the decisions of a rule, and what it took.

    Attributes:
        decisions: In the order in which nodes were visited; none if they were not recorded.
        n_nodes: SCIP's number of nodes.
        n_lp_iterations: SCIP's number of simplex iterations.
        status: SCIP's status.
        objective: Of the best solution, or None.
        dual_bound: In the problem's own sense.
        seconds: Of solving.
    """

    decisions: tuple[Decision, ...]
    n_nodes: int
    n_lp_iterations: int
    status: str
    objective: float | None
    dual_bound: float
    seconds: float

    @property
    def solved(self) -> bool:
        """Whether the search came to its end."""
        return self.status in SOLVED

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """For each decision the decisions in its children, in the order in which they were visited."""
        children: list[list[int]] = [[] for _ in self.decisions]
        for decision in self.decisions:
            if decision.parent is not None:
                children[decision.parent].append(decision.index)
        return tuple(map(tuple, children))

    def paths(self) -> list[list[int]]:
        """For each decision without decisions below it, its path: the decisions from the first one down to it."""
        paths: list[list[int]] = []
        for leaf in (index for index, below in enumerate(self.children) if not below):
            path: list[int] = []
            index: int | None = leaf
            while index is not None:
                path.append(index)
                index = self.decisions[index].parent
            paths.append(path[::-1])
        return paths

    def subtree_sizes(self) -> np.ndarray:
        """For each decision the number of decisions in its subtree, itself included; int64 of shape (decisions,)."""
        sizes = np.ones(len(self.decisions), np.int64)
        for decision in reversed(self.decisions):  # children were visited after their parents
            if decision.parent is not None:
                sizes[decision.parent] += sizes[decision.index]
        return sizes

    def gains(self) -> np.ndarray:
        """How far each decision raised the lower bound, over the size of the root's; float64 of shape (decisions,).

        The gain is that of the lower of the children's bounds, as far as these are known and finite; never negative.
        """
        if not self.decisions:
            return np.zeros(0)
        scale = abs(self.decisions[0].bound) + 1e-6
        gains = [
            min((bound for bound in decision.child_bounds if bound is not None), default=math.inf) - decision.bound
            for decision in self.decisions
        ]
        return np.array([max(gain, 0.0) / scale if math.isfinite(gain) else 0.0 for gain in gains])


class Recorder(BranchingPlugin):
    """Asks a rule where to branch, and records the search."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self._decisions: list[Decision] = []
        self._index: dict[int, int] = {}
        """Of the decision at each node."""
        self._sides: dict[int, tuple[int, int]] = {}
        """Of each child, the decision that made it and whether it is the second."""
        self._bounds: list[list[float | None]] = []

    def branchinitsol(self) -> None:
        """SCIP: the search begins."""
        self._decisions, self._index, self._sides, self._bounds = [], {}, {}, []
        super().branchinitsol()

    def focused(self, focus: Focus) -> None:
        """Look at the node before the rule may change what is seen of it."""
        _ = focus.observation

    def made(self, focus: Focus, action: int, children: Sequence[Any]) -> None:
        """Record a choice."""
        index = len(self._decisions)
        self._index[focus.number] = index
        self._bounds.append([None, None])
        self._sides |= {child.getNumber(): (index, side) for side, child in enumerate(children)}
        parent = None if focus.parent is None else self._index[focus.parent]
        bound = self.model.getCurrentNode().getLowerbound()
        self._decisions.append(
            Decision(index, focus.number, parent, focus.depth, focus.observation, action, bound, (None, None))
        )

    def processed(self, number: int, bound: float) -> None:
        """Record the lower bound with which a node was left."""
        if number in self._sides:
            index, side = self._sides[number]
            self._bounds[index][side] = bound

    def episode(self) -> Episode:
        """The search, after `Model.optimize`."""
        infinity, cutoff = self.model.infinity(), self.model.getUpperbound()
        cutoff = cutoff if abs(cutoff) < infinity else math.inf
        decisions = []
        for decision, bounds in zip(self._decisions, self._bounds, strict=True):
            down, up = (bound if bound is None else min(bound, cutoff) for bound in bounds)
            decisions.append(replace(decision, child_bounds=(down, up)))
        return summarize(self.model, decisions)


class _Leaves(Eventhdlr):
    """Tells the recorder of each node that was processed."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def eventinit(self) -> None:
        for kind in ("NODEFEASIBLE", "NODEINFEASIBLE", "NODEBRANCHED"):
            self.model.catchEvent(getattr(SCIP_EVENTTYPE, kind), self)

    def eventexec(self, event: Any) -> None:  # noqa: ANN401
        node = event.getNode()
        is_infeasible = event.getType() == SCIP_EVENTTYPE.NODEINFEASIBLE
        self._recorder.processed(node.getNumber(), math.inf if is_infeasible else node.getLowerbound())


def install_recorder(model: Model, rule: Rule) -> Recorder:
    """Let a rule do the branching of a model, and record the search.

    Returns:
        The plugin: after `model.optimize()`, call its `check`, and then its `episode`.

    Raises:
        ValueError: if the model has such a rule already, or is being solved.
    """
    recorder = Recorder(rule)
    include(model, recorder)
    model.includeEventhdlr(_Leaves(recorder), "revibranch", "records the search of revibranch")
    return recorder


def summarize(model: Model, decisions: Sequence[Decision] = ()) -> Episode:
    """What a search took, after `Model.optimize`."""
    return Episode(
        tuple(decisions),
        model.getNTotalNodes(),
        model.getNLPIterations(),
        model.getStatus(),
        model.getObjVal() if model.getNSols() > 0 else None,
        model.getDualbound(),
        model.getSolvingTime(),
    )
