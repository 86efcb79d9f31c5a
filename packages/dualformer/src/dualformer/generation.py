"""What the commands `generate` and `trace` do; without PyTorch, which takes seconds to load."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from separata.output import Output
from separata.progress import Reporter

from . import records
from .astar import astar
from .configs import make_rng
from .dropping import TraceDropper, Variant
from .inputs import load_task, solved
from .records import Record
from .tokenizer import tokenizer_from_task


def generated(kind: str, size: int, n_tasks: int, *, seed: int, workers: int, options: dict[str, Any]) -> list[Record]:
    """Random tasks, with progress."""
    if workers < 0:
        raise ValueError(f"the number of workers must not be negative, but it is {workers}")
    if options["tasks_per_layout"] is not None and options["tasks_per_layout"] < 1:
        raise ValueError(f"--tasks-per-layout must be at least 1, not {options['tasks_per_layout']}")
    if options["max_trace"] is not None and options["max_trace"] < 1:
        raise ValueError(f"--max-trace must be at least 1, not {options['max_trace']}")
    made = records.generate_many(kind, size, n_tasks, seed=seed, workers=workers or None, options=options)
    return list(Reporter().track(made, "tasks", n_tasks))


def convert(drawings: Sequence[Path], *, seed: int, deterministic: bool, strict: bool) -> list[Record]:
    """Drawn tasks with their traces; those without a solution are skipped, or refused where `strict`."""
    rng = make_rng(seed)
    found, left_out = [], []
    for path in drawings:
        task = load_task(path)
        trace = astar(task, deterministic=deterministic, rng=rng)
        if trace.is_solved:
            found.append(records.record_from_trace(task, trace, tokenizer_from_task(task)))
        elif strict:
            solved(task, path, rng)
        else:
            left_out.append(path)
    if not found:
        raise ValueError("none of the tasks has a solution: no path from S to G")
    for path in left_out:
        Reporter().say(f"{path} is skipped: it has no solution")
    return found


def store(made: list[Record], out: Path, test_out: Path | None) -> Output:
    """Write tasks, the last tenth to a file of its own if one is given, and sum them up."""
    train, test = (made, []) if test_out is None else records.split(made)
    if test_out is not None:
        if test_out.resolve() == out.resolve():
            raise ValueError(f"--test-out must be another file than --out, {out}")
        records.save_jsonl(test, test_out)
    records.save_jsonl(train, out)
    value = {
        "n_tasks": len(train),
        "n_test_tasks": len(test),
        "out": str(out),
        "mean_trace_tokens": float(np.mean([len(one.reasoning) for one in made])),
        "mean_plan_positions": float(np.mean([one.plan_length for one in made])),
        "mean_prompt_tokens": float(np.mean([len(one.prompt) for one in made])),
        "sha256": records.fingerprint(out),
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
