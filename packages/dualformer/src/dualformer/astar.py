"""A* search that records what it does: the traces that a model learns to write."""

import heapq
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

State = TypeVar("State")


class SearchTask(ABC, Generic[State]):
    """A shortest-path task with unit costs. States are hashable.

    Derive from it to search tasks of your own. With a `TaskTokenizer` of your own beside it, they are learned and
    solved like mazes: `record_from_trace`, `PlanningData`, `Planner`, `evaluate`.
    """

    @property
    @abstractmethod
    def initial(self) -> State:
        """The state from which the search starts."""

    @abstractmethod
    def children(self, state: State) -> Sequence[State]:
        """The states after each move, in a fixed order: in mazes and Sokoban up, down, left and right."""

    @abstractmethod
    def heuristic(self, state: State) -> float:
        """A lower bound of the remaining cost; infinite for a dead end. Only whole numbers have tokens."""

    @abstractmethod
    def is_goal(self, state: State) -> bool:
        """Whether a plan may end here."""

    @abstractmethod
    def key(self, state: State) -> int | str:
        """Orders nodes of equal cost in deterministic search."""

    def is_solved_by(self, plan: tuple[Any, ...]) -> bool:
        """Whether these positions, from the initial one on, lead to a goal, each a child of the one before.

        This is for tasks whose states are positions themselves; override it where your tokenizer's `place` gives
        something else for a state.
        """
        if not plan or plan[0] != self.initial:
            return False
        state = self.initial
        for after in plan[1:]:
            found = [child for child in self.children(state) if child == after]
            if not found:
                return False
            state = found[0]
        return self.is_goal(state)


class Step(NamedTuple):
    """One step of a search: a node put on the frontier (`create`) or taken from it for good (`close`)."""

    action: str
    state: object
    g: int
    h: float


@dataclass(frozen=True)
class Trace:
    """What a search did, and the plan that it found.

    Args:
        steps: Creations and closings, in order.
        plan: States from the initial one to a goal, both included; empty if there is no way.
    """

    steps: tuple[Step, ...]
    plan: tuple[object, ...]

    @property
    def is_solved(self) -> bool:
        """Whether there is a plan."""
        return bool(self.plan)


class _Node:
    """A state on the frontier. Nodes of equal cost compare by key."""

    __slots__ = ("f", "g", "h", "key", "parent", "state")

    def __init__(self, state: object, g: int, h: float, parent: "_Node | None", key: object) -> None:
        self.state, self.g, self.h, self.parent, self.key = state, g, h, parent, key
        self.f = g + h

    def __lt__(self, other: "_Node") -> bool:
        return self.f < other.f if self.f != other.f else self.key < other.key  # type: ignore[operator]


class _RandomNode(_Node):
    """A node that wins a comparison of equal costs by tossing a fair coin; its key is the source of the tosses."""

    __slots__ = ()

    def __lt__(self, other: "_Node") -> bool:
        return self.f < other.f if self.f != other.f else next(self.key)  # type: ignore[call-overload]


def astar(task: SearchTask[Any], *, deterministic: bool = False, rng: np.random.Generator | None = None) -> Trace:
    """Search with A*, recording every creation and closing of a node (section 3 and appendix of the paper).

    The node with the smallest cost so far plus heuristic, f = g + h, is closed and its children are created, unless
    they are known at no higher cost. A child with a lower cost than its node on the frontier replaces it; one with a
    lower cost than its closed node opens it again, which only happens where the heuristic is not consistent, as in
    Sokoban.

    Args:
        task: What to solve.
        deterministic: Break ties by the task's key, and create children in its order. Otherwise each comparison of
            equal costs is a coin toss and children are created in random order, as in all data sets of the paper.
        rng: Source of randomness; required unless deterministic.

    Returns:
        The trace; without a plan if the goal cannot be reached.

    Raises:
        ValueError: if the search is not deterministic and no `rng` is given, or a heuristic is not a number.
    """
    if not deterministic and rng is None:
        raise ValueError("a search that is not deterministic needs rng, such as numpy.random.default_rng(0)")
    return _search(task, None if deterministic else rng)


def _search(task: SearchTask[Any], rng: np.random.Generator | None) -> Trace:
    coins = None if rng is None else _coins(rng)
    root = _node(task, coins, task.initial, 0, task.heuristic(task.initial), None)
    heap = [root]
    opened: dict[object, _Node] = {root.state: root}
    closed: dict[object, float] = {}
    steps = [] if math.isinf(root.h) else [_step("create", root)]
    while heap:
        best = heapq.heappop(heap)
        if math.isinf(best.f):
            break
        del opened[best.state]
        closed[best.state] = best.f
        steps.append(_step("close", best))
        if task.is_goal(best.state):
            return Trace(tuple(steps), tuple(_way_to(best)))
        children = list(task.children(best.state))
        if rng is not None:
            rng.shuffle(children)
        for state in children:
            h = task.heuristic(state)
            f = best.g + 1 + h
            known = opened.get(state)
            # A dead end costs infinity, no less than the closed node that it is not: it is passed over here, too.
            if (known is not None and known.f <= f) or closed.get(state, math.inf) <= f:
                continue
            if known is not None:
                heap.remove(known)
                heapq.heapify(heap)
            opened[state] = child = _node(task, coins, state, best.g + 1, h, best)
            heapq.heappush(heap, child)
            steps.append(_step("create", child))
    return Trace(tuple(steps), ())


def _node(
    task: SearchTask[Any], coins: Iterator[bool] | None, state: object, g: int, h: float, parent: _Node | None
) -> _Node:
    h = h if type(h) is int else _plain(h, state)
    if coins is None:
        return _Node(state, g, h, parent, task.key(state))
    return _RandomNode(state, g, h, parent, coins)


def _step(action: str, node: _Node) -> Step:
    return Step(action, node.state, node.g, node.h)


def _plain(h: float, state: object) -> float:
    """A heuristic as a Python number, an integer if it is whole."""
    h = float(h)
    if math.isnan(h):
        raise ValueError(f"the heuristic of {state} is not a number")
    return int(h) if h.is_integer() else h


def _way_to(node: _Node | None) -> list[object]:
    states = []
    while node is not None:
        states.append(node.state)
        node = node.parent
    return states[::-1]


def _coins(rng: np.random.Generator) -> Iterator[bool]:
    """Tosses of a fair coin, without end."""
    while True:
        yield from (rng.integers(0, 2, 64) == 1).tolist()
