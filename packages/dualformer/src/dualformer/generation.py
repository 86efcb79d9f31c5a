"""What the commands `generate` and `trace` do; without PyTorch, which takes seconds to load."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from separata import files
from separata.output import Output
from separata.progress import Reporter

from . import records
from .astar import astar
from .configs import make_rng
from .dropping import TraceDropper, Variant
from .inputs import load_task, solved
from .maze import MazeTask
from .records import Record
from .tokenizer import tokenizer_from_task


def check_options(
    drawings: Sequence[Path],
    out: Path,
    test_out: Path | None,
    *,
    of_random: Mapping[str, bool],
    of_mazes: Mapping[str, bool],
    of_drawings: Mapping[str, bool],
) -> None:
    """See that what is asked for can be done, before the work.

    Args:
        drawings: Files of tasks, if any.
        out: File to write.
        test_out: A second one.
        of_random: Options for random tasks, and whether each is given.
        of_mazes: Those for random mazes, and whether each applies to what is made.
        of_drawings: Those for drawings.

    Raises:
        ValueError: if an option does not apply, or a file would be written over another one.
        OSError: if a file cannot be written.
    """
    for options, purpose in (
        (of_random if drawings else {}, "random tasks, not for drawings"),
        ({} if drawings else of_mazes, "mazes, not for Sokoban levels"),
        ({} if drawings else of_drawings, "drawings, not for random tasks"),
    ):
        if given := [option for option, is_given in options.items() if is_given]:
            raise ValueError(f"{' and '.join(given)} {'is' if len(given) == 1 else 'are'} for {purpose}")
    if test_out is not None and test_out.resolve() == out.resolve():
        raise ValueError(f"--test-out must be another file than --out, {out}")
    for path in (out, test_out):
        if path is not None and path.resolve() in {one.resolve() for one in drawings}:
            raise ValueError(f"{path} is one of the drawings; write to another file")
        files.check_writable(path)


def generated(kind: str, size: int, n_tasks: int, *, seed: int, workers: int, options: dict[str, Any]) -> list[Record]:
    """Random tasks, with progress."""
    if workers < 0:
        raise ValueError(f"the number of workers must not be negative, but it is {workers}")
    if options["tasks_per_layout"] is not None and options["tasks_per_layout"] < 1:
        raise ValueError(f"--tasks-per-layout must be at least 1, not {options['tasks_per_layout']}")
    _check_max_trace(options["max_trace"])
    made = records.generate_many(kind, size, n_tasks, seed=seed, workers=workers or None, options=options)
    return list(Reporter().track(made, "tasks", n_tasks))


def _check_max_trace(max_trace: int | None) -> None:
    if max_trace is not None and max_trace < 1:
        raise ValueError(f"--max-trace must be at least 1, not {max_trace}")


def convert(
    drawings: Sequence[Path], *, seed: int, deterministic: bool, strict: bool, max_trace: int | None
) -> list[Record]:
    """Drawn tasks with their traces; those without a solution are skipped, or refused where `strict`."""
    _check_max_trace(max_trace)
    rng = make_rng(seed)
    tasks = [load_task(path) for path in drawings]
    shapes = {
        path: f"{records.kind_of(task)} {task.width}x{task.height}" for path, task in zip(drawings, tasks, strict=True)
    }
    for path, shape in shapes.items():
        if shape != shapes[drawings[0]]:
            told = f"{drawings[0]} is {shapes[drawings[0]]} and {path} {shape}"
            raise ValueError(f"a file holds tasks of one shape, but {told}; write each to a file of its own")
    found, left_out = [], []
    for path, task in zip(drawings, tasks, strict=True):
        trace = astar(task, deterministic=deterministic, rng=rng)
        if not trace.is_solved:
            reason = "no path from S to G" if isinstance(task, MazeTask) else "the level cannot be solved"
        else:
            record = records.record_from_trace(task, trace, tokenizer_from_task(task))
            if max_trace is None or len(record.reasoning) <= max_trace:
                found.append(record)
                continue
            reason = f"its trace has {len(record.reasoning):,} tokens, more than {max_trace:,}"
        if strict:
            raise ValueError(f"{path}: {reason}")
        left_out.append((path, reason))
    if not found:
        raise ValueError(f"none of the tasks can be used: {left_out[0][0]}: {left_out[0][1]}")
    for path, reason in left_out:
        Reporter().say(f"{path} is skipped: {reason}")
    return found


def store(made: list[Record], out: Path, test_out: Path | None) -> Output:
    """Write tasks, the last tenth to a file of its own if one is given, and sum them up."""
    train, test = (made, []) if test_out is None else records.split(made)
    digests = records.save_all({out: train} if test_out is None else {out: train, test_out: test})
    value = {
        "n_tasks": len(train),
        "n_test_tasks": len(test),
        "out": str(out),
        "mean_trace_tokens": float(np.mean([len(one.reasoning) for one in made])),
        "mean_plan_positions": float(np.mean([one.plan_length for one in made])),
        "mean_prompt_tokens": float(np.mean([len(one.prompt) for one in made])),
        "sha256": digests[out],
    }
    beside = f" and {_count(len(test), 'test task')} in {test_out}" if test_out else ""
    return Output(
        value,
        f"{_count(len(train), 'task')} in {out}{beside}; means: {value['mean_trace_tokens']:.0f} trace tokens, "
        f"{value['mean_plan_positions']:.1f} plan positions, {value['mean_prompt_tokens']:.0f} prompt tokens",
    )


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'s' if n != 1 else ''}"


def show_trace(
    maze: Path | None,
    sokoban: Path | None,
    level: int,
    create_drop: float,
    variant: Variant,
    *,
    deterministic: bool,
    seed: int,
) -> Output:
    """A*'s trace and plan for a drawn task, at a level of dropping."""
    given = [(path, kind) for path, kind in ((maze, "maze"), (sokoban, "sokoban")) if path is not None]
    if len(given) != 1:
        raise ValueError("give one task, with --maze or with --sokoban")
    path, kind = given[0]
    if level != 3 and (create_drop, variant) != (0.3, "paper"):
        raise ValueError(f"--create-drop and --variant say how level 3 drops, and do not apply to level {level}")
    if variant == "released" and create_drop != 0.3:
        raise ValueError("the variant released draws the share that it drops; --create-drop does not apply")
    dropper = TraceDropper(create_drop=create_drop, variant=variant)
    rng = make_rng(seed)
    task = load_task(path, kind)
    tokenizer = tokenizer_from_task(task)
    found = astar(task, deterministic=deterministic, rng=rng)
    if not found.is_solved:
        solved(task, path, rng)
    kept = dropper.at_level(tokenizer.trace(found.steps, task), level, rng)
    plan = tokenizer.plan(found.plan)
    clauses = [" ".join(clause) for clause in dropper.clauses(kept)]
    positions = [" ".join(plan[i : i + 3]) for i in range(0, len(plan), 3)]
    value = {"level": level, "prompt": tokenizer.prompt(task), "reasoning": kept, "plan": plan}
    return Output(value, "\n".join([*clauses, *positions]))
