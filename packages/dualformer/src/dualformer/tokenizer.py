"""The grammar of prompts, traces and plans as sequences of tokens."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from .astar import SearchTask, Step, Trace
from .maze import Cell, MazeTask, check_size
from .sokoban import SokobanState, SokobanTask

BOS, EOS = 0, 1
"""Numbers of the tokens that begin and end every sequence."""

MOST_COSTS = 1_000_000
"""Costs that a vocabulary has at most."""

CREATE, CLOSE, PLAN = "create", "close", "plan"


def _cost(value: float) -> str:
    # Interned: a large data set would otherwise hold each word a million times.
    return sys.intern(f"c{value}")


def _position(cell: Cell) -> list[str]:
    return [sys.intern(str(cell[0])), sys.intern(str(cell[1]))]


class TaskTokenizer(ABC):
    """Writes tasks, traces and plans as tokens, and tokens as numbers.

    The vocabulary is sorted as text, after `bos` and `eos`. A trace is a sequence of clauses, each with a step's
    action, its state, its cost so far `c{g}` and its heuristic `c{h}`; a plan has a clause `plan x y` for each
    position.

    Derive from it for tasks of your own: `kind` is their name, and the words hold `create`, `close`, `plan` and
    whatever the other methods write. Where your tasks have a `width` and a `height`, these must be the tokenizer's.

    Args:
        width: Cells in a row of the tasks.
        height: Cells in a column.
    """

    kind: str
    task_type: type = SearchTask
    """The tasks that it writes."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height

    @abstractmethod
    def words(self) -> Iterable[str]:
        """The vocabulary without `bos` and `eos`."""

    @abstractmethod
    def prompt(self, task: Any) -> list[str]:  # noqa: ANN401 - each tokenizer has its own tasks
        """The task as tokens."""

    @abstractmethod
    def state(self, state: Any, task: Any) -> list[str]:  # noqa: ANN401 - each tokenizer has its own tasks
        """The state in a clause of a trace."""

    @abstractmethod
    def place(self, state: Any) -> Cell:  # noqa: ANN401 - each tokenizer has its own states
        """The position that a plan has for a state."""

    @cached_property
    def vocab(self) -> tuple[str, ...]:
        """All tokens, each at its number."""
        return ("bos", "eos", *sorted(set(self.words())))

    @cached_property
    def ids(self) -> dict[str, int]:
        """The number of each token."""
        return {token: index for index, token in enumerate(self.vocab)}

    def spec(self) -> dict[str, Any]:
        """What `make_tokenizer` makes an equal tokenizer of; JSON can hold it."""
        return {"kind": self.kind, "width": self.width, "height": self.height}

    def check(self, task: Any) -> None:  # noqa: ANN401 - anything that has a size
        """See that a task is of the kind and size of this vocabulary.

        Raises:
            ValueError: if it is not.
        """
        if not isinstance(task, self.task_type):
            raise ValueError(f"the vocabulary is for {self.kind} tasks, not for {type(task).__name__}")
        width, height = getattr(task, "width", self.width), getattr(task, "height", self.height)
        if (width, height) != (self.width, self.height):
            raise ValueError(
                f"the vocabulary is for tasks of {self.width}x{self.height}, but the task is {width}x{height}"
            )

    def trace(self, steps: Sequence[Step], task: Any) -> list[str]:  # noqa: ANN401 - see `prompt`
        """The steps of a search as tokens.

        Raises:
            ValueError: if a cost has no word in the vocabulary: it is larger than any, or not a whole number.
        """
        tokens = []
        for step in steps:
            tokens += [step.action, *self.state(step.state, task), _cost(step.g), _cost(step.h)]
            if tokens[-1] not in self.ids or tokens[-2] not in self.ids:
                raise ValueError(self._without_word(step))
        return tokens

    def _without_word(self, step: Step) -> str:
        if step.h != int(step.h):
            return f"the heuristic {step.h} of {step.state} is not a whole number, and only whole costs have a token"
        return f"a cost of {max(step.g, step.h)} is outside the vocabulary of the {self.kind} traces"

    def plan(self, plan: Sequence[Any]) -> list[str]:
        """The states of a plan as tokens."""
        return [token for state in plan for token in (PLAN, *_position(self.place(state)))]

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The numbers of tokens.

        Raises:
            ValueError: if one is not in the vocabulary.
        """
        try:
            return [self.ids[token] for token in tokens]
        except KeyError as error:
            raise ValueError(
                f"the token {error} is not in the vocabulary of {self.kind} tasks of {self.width}x{self.height}"
            ) from None

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens of numbers, without `bos` and up to the first `eos`."""
        tokens = []
        for index in ids:
            if index == EOS:
                break
            if index != BOS:
                tokens.append(self.vocab[index])
        return tokens

    def encode_prompt(self, task: Any) -> list[int]:  # noqa: ANN401 - see `prompt`
        """What the encoder reads: bos, the task, eos.

        Raises:
            ValueError: if the task is of another size or kind than the vocabulary.
        """
        self.check(task)
        return [BOS, *self.encode(self.prompt(task)), EOS]

    def encode_trace(self, trace: Trace, task: Any) -> list[int]:  # noqa: ANN401 - see `prompt`
        """The numbers of the tokens of a trace."""
        return self.encode(self.trace(trace.steps, task))

    def encode_plan(self, trace: Trace) -> list[int]:
        """The numbers of the tokens of a trace's plan."""
        return self.encode(self.plan(trace.plan))

    def encode_target(self, reasoning: Iterable[str], plan: Iterable[str]) -> list[int]:
        """What the decoder reads and writes: bos, the reasoning (which may be empty), the plan, eos."""
        return [BOS, *self.encode(reasoning), *self.encode(plan), EOS]


class MazeTokenizer(TaskTokenizer):
    """Tokens of mazes of one size.

    The prompt is `start x y goal x y`, then `wall x y` for every wall in ascending order of x + y·width.

    Raises:
        ValueError: if the size is not positive, or too large.
    """

    kind = "maze"
    task_type = MazeTask

    def __init__(self, width: int, height: int) -> None:
        if width < 1 or height < 1:
            raise ValueError(f"a maze has at least one cell in each direction, not {width}x{height}")
        check_size(self.kind, width, height)
        super().__init__(width, height)

    def words(self) -> Iterable[str]:
        """Coordinates, costs below the number of cells, and seven words."""
        yield from (str(value) for value in range(max(self.width, self.height)))
        yield from (_cost(value) for value in range(self.width * self.height))
        yield from ("start", "goal", "wall", CREATE, CLOSE, PLAN)

    def prompt(self, task: MazeTask) -> list[str]:
        """Start, goal and walls."""
        walls = [token for cell in task.walls for token in ("wall", *_position(cell))]
        return ["start", *_position(task.start), "goal", *_position(task.goal), *walls]

    def state(self, state: Cell, task: MazeTask) -> list[str]:  # noqa: ARG002 - the same for all tasks
        """The cell."""
        return _position(state)

    def place(self, state: Cell) -> Cell:
        """The cell."""
        return state


class SokobanTokenizer(TaskTokenizer):
    """Tokens of Sokoban levels of one size.

    The prompt is `worker x y`, then `box x y` for every box that is not on a dock, `dock x y` for every dock without a
    box and `wall x y` for every wall, each group in the order of the text "x-y". A state of a trace is the worker and
    the boxes that are not on a dock.

    Args:
        width: Cells in a row.
        height: Cells in a column.
        max_cost: Costs up to this, exclusive, have a token.

    Raises:
        ValueError: if the size or the number of costs is not positive, or too large.
    """

    kind = "sokoban"
    task_type = SokobanTask

    def __init__(self, width: int = 7, height: int = 7, max_cost: int = 40_000) -> None:
        if min(width, height, max_cost) < 1:
            raise ValueError(f"sizes and costs must be positive, not {width}x{height} and {max_cost}")
        check_size("Sokoban level", width, height)
        if max_cost > MOST_COSTS:
            raise ValueError(f"a vocabulary has at most {MOST_COSTS:,} costs, not {max_cost}")
        super().__init__(width, height)
        self.max_cost = max_cost

    def spec(self) -> dict[str, Any]:
        """What `make_tokenizer` makes an equal tokenizer of."""
        return {**super().spec(), "max_cost": self.max_cost}

    def words(self) -> Iterable[str]:
        """Coordinates, costs, and seven words."""
        yield from (str(value) for value in range(max(self.width, self.height)))
        yield from (_cost(value) for value in range(self.max_cost))
        yield from ("box", "worker", "dock", "wall", CREATE, CLOSE, PLAN)

    def prompt(self, task: SokobanTask) -> list[str]:
        """Worker, boxes, docks and walls."""
        start = task.initial
        groups = (("box", task.to_move(start)), ("dock", task.open_docks(start)), ("wall", task.walls))
        things = [token for name, cells in groups for cell in _sorted(cells) for token in (name, *_position(cell))]
        return ["worker", *_position(task.worker), *things]

    def state(self, state: SokobanState, task: SokobanTask) -> list[str]:
        """The worker, and the boxes that are still to be moved."""
        boxes = [token for cell in _sorted(task.to_move(state)) for token in ("box", *_position(cell))]
        return ["worker", *_position(state.worker), *boxes]

    def place(self, state: SokobanState) -> Cell:
        """The worker's position."""
        return state.worker


def _sorted(cells: Iterable[Cell]) -> list[Cell]:
    return sorted(cells, key=lambda cell: f"{cell[0]}-{cell[1]}")


TASKS: dict[str, type[MazeTask] | type[SokobanTask]] = {"maze": MazeTask, "sokoban": SokobanTask}
"""The tasks of each kind of vocabulary."""


def make_tokenizer(kind: str, width: int, height: int, max_cost: int | None = None) -> TaskTokenizer:
    """The tokenizer of a kind of task.

    Raises:
        ValueError: if there is no such kind.
    """
    if kind == "maze":
        return MazeTokenizer(width, height)
    if kind == "sokoban":
        return SokobanTokenizer(width, height, 40_000 if max_cost is None else max_cost)
    raise ValueError(f"the kind of task must be one of {', '.join(TASKS)}, not '{kind}'")


def tokenizer_from_task(task: SearchTask[Any]) -> TaskTokenizer:
    """The tokenizer of tasks like this one.

    Raises:
        ValueError: if it is no maze and no Sokoban level.
    """
    if not isinstance(task, (MazeTask, SokobanTask)):
        raise ValueError(f"there is no tokenizer for a {type(task).__name__}; give your own")
    return make_tokenizer("maze" if isinstance(task, MazeTask) else "sokoban", task.width, task.height)
