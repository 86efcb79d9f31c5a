"""Planning data as JSON lines: each a task with its search trace and its plan as tokens."""

import hashlib
import json
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from separata import files

from .astar import SearchTask, Trace
from .maze import MAX_FAILURES, MazeTask, random_mazes
from .sokoban import SokobanTask, random_sokobans
from .tokenizer import CLOSE, CREATE, TASKS, TaskTokenizer, make_tokenizer, tokenizer_from_task

Task = MazeTask | SokobanTask
"""Tasks that files hold."""


@dataclass(frozen=True)
class Record:
    """A task with the trace and the plan of A*, as words.

    Args:
        task: The task; one of your own cannot be written to a file.
        prompt: The task as tokens.
        reasoning: The trace as tokens; empty where there is none.
        plan: The plan as tokens.
    """

    task: SearchTask[Any]
    prompt: tuple[str, ...]
    reasoning: tuple[str, ...]
    plan: tuple[str, ...]

    @property
    def plan_length(self) -> int:
        """Positions of the plan, start and goal included."""
        return len(self.plan) // 3

    def to_json(self) -> dict[str, Any]:
        """For JSON, as `from_json` reads it.

        Raises:
            ValueError: if the task is neither a maze nor a Sokoban level.
        """
        task = board(self.task)
        spec = {"kind": kind_of(task), **{field.name: getattr(task, field.name) for field in fields(task)}}
        return {
            "task": spec,
            "prompt": list(self.prompt),
            "reasoning": list(self.reasoning),
            "plan": list(self.plan),
        }

    @classmethod
    def from_json(cls, value: Any) -> "Record":  # noqa: ANN401 - whatever stands in a file
        """Read a record.

        Raises:
            ValueError: if something is missing or of another kind, or the prompt and the plan are not of the task.
        """
        if not isinstance(value, dict) or not isinstance(value.get("task"), dict):
            raise ValueError('not an object with a "task"')
        task = _task(value["task"])
        parts: list[Any] = [value.get(name) for name in ("prompt", "reasoning", "plan")]
        if not all(isinstance(part, list) and all(isinstance(word, str) for word in part) for part in parts):
            raise ValueError('"prompt", "reasoning" and "plan" must be lists of words')
        record = cls(task, *(tuple(map(sys.intern, part)) for part in parts))
        if list(record.prompt) != tokenizer_from_task(task).prompt(task):
            raise ValueError("the prompt is not that of the task")
        if not task.is_solved_by(positions(record.plan) or ()):
            raise ValueError("the plan does not solve the task")
        if record.reasoning and record.reasoning[0] not in (CREATE, CLOSE):
            raise ValueError(f"the reasoning begins with '{record.reasoning[0]}', not with '{CREATE}' or '{CLOSE}'")
        return record


def positions(plan: Sequence[str]) -> tuple[tuple[int, int], ...] | None:
    """The positions of a plan in words; None if it does not follow the grammar."""
    if len(plan) % 3 or any(word != "plan" for word in plan[::3]):
        return None
    if not all(word.isdecimal() for i, word in enumerate(plan) if i % 3):
        return None
    return tuple((int(x), int(y)) for x, y in zip(plan[1::3], plan[2::3], strict=True))


def board(task: SearchTask[Any]) -> Task:
    """The task, if files can hold it.

    Raises:
        ValueError: if it is neither a maze nor a Sokoban level.
    """
    if not isinstance(task, (MazeTask, SokobanTask)):
        raise ValueError(f"files hold mazes and Sokoban levels, not {type(task).__name__}")
    return task


def kind_of(task: Task) -> str:
    """`maze` or `sokoban`."""
    return next(kind for kind, known in TASKS.items() if isinstance(task, known))


def record_from_trace(task: SearchTask[Any], trace: Trace, tokenizer: TaskTokenizer) -> Record:
    """The record of a solved task.

    Raises:
        ValueError: if the trace has no plan, or a cost that the vocabulary has not.
    """
    if not trace.is_solved:
        what = "level" if isinstance(task, SokobanTask) else "task"
        raise ValueError("no path from S to G" if isinstance(task, MazeTask) else f"the {what} cannot be solved")
    words = (tokenizer.prompt(task), tokenizer.trace(trace.steps, task), tokenizer.plan(trace.plan))
    return Record(task, *(tuple(part) for part in words))


def generate(
    kind: str,
    size: int,
    rng: np.random.Generator,
    *,
    tasks_per_layout: int | None = 1,
    deterministic: bool = False,
    max_trace: int | None = None,
) -> Iterator[Record]:
    """Random tasks of one size with their traces, without end, no two equal.

    Args:
        kind: `maze` or `sokoban`.
        size: Number of rows and of columns.
        rng: Source of randomness.
        tasks_per_layout: Mazes with the same walls; None for as many as the released generator keeps.
        deterministic: Whether A* breaks ties in a fixed order.
        max_trace: Most tokens of a trace; tasks with longer ones are skipped.

    Raises:
        ValueError: if there is no such kind, the size is too small, or no suitable task is found among 2,000 in a row.
    """
    tokenizer = make_tokenizer(kind, size, size)
    tasks: Iterator[tuple[Task, Trace]] = (
        random_mazes(size, size, rng, tasks_per_layout=tasks_per_layout, deterministic=deterministic)
        if kind == "maze"
        else random_sokobans(size, size, rng, deterministic=deterministic)
    )
    failures = 0
    for task, trace in tasks:
        record = record_from_trace(task, trace, tokenizer)
        failures += 1
        if max_trace is None or len(record.reasoning) <= max_trace:
            failures = 0
            yield record
        elif failures == MAX_FAILURES:
            raise ValueError(f"gave up after {failures:,} tasks in a row with traces of more than {max_trace} tokens")


CHUNK = 250
"""Tasks that are drawn from one seed by `generate_many`."""


def _chunk(kind: str, size: int, options: dict[str, Any], seed: int, number: int, n: int) -> list[Record]:
    return list(islice(generate(kind, size, np.random.default_rng([seed, number]), **options), n))


def generate_many(
    kind: str,
    size: int,
    n_tasks: int,
    *,
    seed: int = 0,
    workers: int | None = 1,
    options: Mapping[str, Any] | None = None,
) -> Iterator[Record]:
    """Different tasks, generated on several cores.

    Each chunk of tasks has its own seed, so that they do not depend on the number of workers.

    Args:
        kind: `maze` or `sokoban`.
        size: Number of rows and of columns.
        n_tasks: Number of tasks.
        seed: Random seed.
        workers: Processes; None for one a core.
        options: Further arguments of `generate`.

    Raises:
        ValueError: if `n_tasks` is not positive, the seed is negative, there are not as many such tasks, or
            `generate` refuses.
    """
    if n_tasks < 1:
        raise ValueError(f"the number of tasks must be at least 1, not {n_tasks}")
    if seed < 0:
        raise ValueError(f"the seed must be at least 0, not {seed}")
    options = dict(options or {})
    # What cannot be made is refused here, before processes start.
    next(generate(kind, size, np.random.default_rng(0), **options))
    seen: set[Any] = set()
    made = number = failures = 0
    with joblib.Parallel(n_jobs=workers or -1, return_as="generator", pre_dispatch="2*n_jobs") as parallel:
        while made < n_tasks:
            for chunk in parallel(_calls(kind, size, options, seed, number, n_tasks - made)):
                number += 1
                fresh = [one for one in chunk if _identity(one) not in seen]
                seen.update(_identity(one) for one in chunk)
                yield from fresh
                made += len(fresh)
                failures = 0 if fresh else failures + len(chunk)
            if failures >= MAX_FAILURES:
                found = f"found only {made:,} of {n_tasks:,} such tasks"
                raise ValueError(f"{found}: none of the last {failures:,} was new")


def _calls(
    kind: str, size: int, options: dict[str, Any], seed: int, number: int, n: int
) -> Iterator[tuple[Callable[..., list[Record]], tuple[Any, ...], dict[str, Any]]]:
    """The chunks of `n` tasks, from the seed of this number on."""
    for index, start in enumerate(range(0, n, CHUNK)):
        yield joblib.delayed(_chunk)(kind, size, options, seed, number + index, min(CHUNK, n - start))


def _identity(record: Record) -> Hashable:
    """What no two chunks, and not training and test, share: the layout of a maze, or a whole level."""
    return record.task.layout if isinstance(record.task, MazeTask) else record.task


def save_jsonl(records: Iterable[Record], path: Path | str) -> None:
    """Write records as JSON, one a line, whole or not at all.

    Raises:
        ValueError: if `load_jsonl` could not read them: there is none, they are of several kinds or sizes, or of
            tasks that files cannot hold.
    """
    save_all({Path(path): records})


def save_all(parts: Mapping[Path, Iterable[Record]]) -> dict[Path, str]:
    """Write several files like `save_jsonl`, all or none; gives back the SHA-256 of each.

    Raises:
        ValueError: if one could not be read.
    """
    digests = {}
    with ExitStack() as stack:
        for path, records in parts.items():
            part = stack.enter_context(files.replacing(path))
            digest = hashlib.sha256()
            with part.open("wb") as file:
                for record in alike(records, path):
                    line = json.dumps(record.to_json(), separators=(",", ":")).encode() + b"\n"
                    file.write(line)
                    digest.update(line)
            digests[path] = digest.hexdigest()
    return digests


def alike(records: Iterable[Record], path: Path) -> Iterator[Record]:
    """The records of a file, while they are all of one kind and size.

    Raises:
        ValueError: if they are not, or there is none.
    """
    first = None
    for record in records:
        task = board(record.task)
        shape = f"{kind_of(task)} {task.width}x{task.height}"
        first = first or shape
        if shape != first:
            raise ValueError(f"{path}: tasks of several shapes, {first} and {shape}; keep each in a file of its own")
        yield record
    if first is None:
        raise ValueError(f"{path} holds no task")


def load_jsonl(path: Path | str, limit: int | None = None) -> list[Record]:
    """The records of a file.

    Args:
        path: The file.
        limit: Read no more than this many.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a line is no record; it is named by its number. Also if there is none, or tasks differ in kind or
            size.
    """
    path = Path(path)
    lines = islice(files.read_json_lines(path), limit)
    return list(alike((_parse(path, number, value) for number, value in lines), path))


def fingerprint(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def split(records: Sequence[Record], share: float = 0.9) -> tuple[list[Record], list[Record]]:
    """Split into training records, the first ones, and test records: mazes with other walls, or other levels.

    Args:
        records: Records in the order in which they were stored.
        share: Share of training records; those with the walls of a maze to test on, or the
            same level, are dropped.

    Raises:
        ValueError: if the share is not between 0 and 1, or either part would be empty.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share to train on must be between 0 and 1, not {share}")
    cut = int(len(records) * share)
    held_out = {_identity(record) for record in records[cut:]}
    train = [record for record in records[:cut] if _identity(record) not in held_out]
    if not train or cut == len(records):
        raise ValueError(f"{len(records)} tasks are too few to train on {share:.0%} of them and test on the rest")
    return train, list(records[cut:])


def _parse(path: Path, number: int, value: Any) -> Record:  # noqa: ANN401 - whatever stands in a line
    try:
        return Record.from_json(value)
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: {error}") from None


def _task(spec: dict[str, Any]) -> Task:
    cells = {"start": 1, "goal": 1, "worker": 1, "walls": 2, "boxes": 2, "docks": 2}
    if spec.get("kind") not in TASKS:
        raise ValueError(f"the kind of task must be one of {', '.join(TASKS)}, not '{spec.get('kind')}'")
    known = TASKS[spec["kind"]]
    names = [field.name for field in fields(known)]
    if set(spec) != {"kind", *names}:
        raise ValueError(f"a {spec['kind']} task has kind, {', '.join(names)}, not {', '.join(spec)}")
    return known(**{name: _cells(name, spec[name], cells.get(name, 0)) for name in names})


def _cells(name: str, value: Any, depth: int) -> Any:  # noqa: ANN401 - numbers, nested in lists
    """A number, a cell, or a tuple of cells."""
    if depth == 2 and isinstance(value, list):
        return tuple(_cells(name, item, 1) for item in value)
    if depth == 1 and isinstance(value, list) and len(value) == 2:
        return tuple(_cells(name, item, 0) for item in value)
    if depth == 0 and isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f'"{name}" of the task must be {("a whole number", "[x, y]", "a list of [x, y]")[depth]}')
