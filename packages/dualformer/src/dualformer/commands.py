"""What the commands do: generate, show, solve and evaluate."""

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from separata import files
from separata.progress import Reporter
from separata.run import Compute

from . import drawing, records, runs
from .astar import astar
from .dropping import TraceDropper
from .inputs import read_records, read_task, solved
from .metrics import evaluate, reference_trace_length
from .planner import MODES, Response
from .records import Record
from .tokenizer import tokenizer_for

PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Shown:
    """Something to show to a person, as text, or to a program, as JSON."""

    value: Any
    text: str

    def show(self, *, as_json: bool) -> str:
        """As text."""
        return json.dumps(self.value, indent=2) if as_json else self.text


def generated(kind: str, size: int, n: int, *, seed: int, workers: int, options: dict[str, Any]) -> list[Record]:
    """Random tasks, with progress."""
    if workers < 0:
        raise ValueError(f"the number of workers must not be negative, but it is {workers}")
    max_trace = options["max_trace"]
    if max_trace is not None and max_trace < 1:
        raise ValueError(f"the most trace tokens must be at least 1, not {max_trace}")
    if n < 1:
        raise ValueError(f"the number of tasks must be at least 1, not {n}")
    made = records.generate_many(kind, size, n, seed=seed, workers=workers or None, options=options)
    return list(Reporter().track(made, "tasks", n))


def convert(drawings: Sequence[Path], *, seed: int, deterministic: bool, strict: bool) -> list[Record]:
    """Drawn tasks with their traces; those without a solution are left out, or refused if it is to be strict."""
    rng = np.random.default_rng(seed)
    found, left_out = [], []
    for path in drawings:
        task = read_task(path)
        trace = astar(task, deterministic=deterministic, rng=rng)
        if trace.is_solved:
            found.append(records.record_of(task, trace, tokenizer_for(task)))
        elif strict:
            solved(task, path, rng)
        else:
            left_out.append(path)
    if not found:
        raise ValueError("none of the tasks has a solution: no path from S to G")
    for path in left_out:
        Reporter().say(f"{path} is left out: it has no solution")
    return found


def store(made: list[Record], out: Path, test_out: Path | None) -> Shown:
    """Write tasks, the last tenth to a file of its own if there is one, and say what they are like."""
    train, test = (made, []) if test_out is None else records.split(made)
    if test_out is not None:
        if test_out.resolve() == out.resolve():
            raise ValueError(f"the tasks to test on need another file than {out}")
        records.write(test_out, test)
    records.write(out, train)
    lengths = [len(one.reasoning) for one in made]
    value = {
        "tasks": len(train),
        "test_tasks": len(test),
        "out": str(out),
        "mean_trace_tokens": float(np.mean(lengths)),
        "mean_plan_positions": float(np.mean([one.plan_length for one in made])),
        "mean_prompt_tokens": float(np.mean([len(one.prompt) for one in made])),
        "sha256": records.fingerprint(out),
    }
    beside = f" and {len(test)} to test on in {test_out}" if test_out else ""
    return Shown(
        value,
        f"{len(train)} tasks in {out}{beside}: on average {value['mean_trace_tokens']:.0f} trace tokens, plans of "
        f"{value['mean_plan_positions']:.1f} positions, prompts of {value['mean_prompt_tokens']:.0f} tokens",
    )


def show_trace(
    maze: Path | None,
    sokoban: Path | None,
    level: int,
    create_drop: float,
    variant: str,
    *,
    deterministic: bool,
    seed: int,
) -> Shown:
    """The trace and the plan of A* on a drawn task, at a level of dropping."""
    given = [(path, kind) for path, kind in ((maze, "maze"), (sokoban, "sokoban")) if path is not None]
    if len(given) != 1:
        raise ValueError("give one task, with --maze or with --sokoban")
    path, kind = given[0]
    dropper = TraceDropper(create_drop=create_drop, variant=variant)  # type: ignore[arg-type] # it checks the name
    rng = np.random.default_rng(seed)
    task = read_task(path, kind)
    tokenizer = tokenizer_for(task)
    found = astar(task, deterministic=deterministic, rng=rng)
    if not found.is_solved:
        solved(task, path, rng)
    kept = dropper.at_level(tokenizer.trace(found.steps, task), level, rng)
    plan = tokenizer.plan(found.plan)
    clauses = [" ".join(clause) for clause in dropper.clauses(kept)]
    positions = [" ".join(plan[i : i + 3]) for i in range(0, len(plan), 3)]
    value = {"level": level, "prompt": tokenizer.prompt(task), "reasoning": kept, "plan": plan}
    return Shown(value, "\n".join([*clauses, *positions]))


@dataclass(frozen=True)
class Sampling:
    """How responses are written.

    Raises:
        ValueError: if there is no such mode.
    """

    mode: str = "auto"
    samples: int = 16
    temperature: float = 1.0
    max_len: int | None = None
    seed: int = 0
    batch_rows: int = 2048

    def modes(self) -> tuple[str, ...]:
        """The mode, or all of them."""
        if self.mode not in (*MODES, "all"):
            raise ValueError(f"the mode must be one of {', '.join(MODES)}, not '{self.mode}'")
        return MODES if self.mode == "all" else (self.mode,)

    def write(self, planner: Any, tasks: Sequence[Record], mode: str) -> list[list[Response]]:  # noqa: ANN401 - a Planner
        """Responses to tasks."""
        return planner.solve_all(
            [one.task for one in tasks],
            mode,
            self.samples,
            self.temperature,
            self.max_len,
            torch.Generator().manual_seed(self.seed),
            batch_rows=self.batch_rows,
            track=Reporter().track,
        )


@dataclass(frozen=True)
class Solution:
    """The best of several responses to a task: the shortest right plan, or the first response if none is right."""

    name: str
    record: Record
    responses: list[Response]

    @property
    def n_right(self) -> int:
        """Number of responses with a right plan."""
        return sum(one.solves(self.record.task) for one in self.responses)

    @property
    def best(self) -> Response:
        """The response to show."""
        right = [one for one in self.responses if one.solves(self.record.task)]
        return min(right, key=lambda one: (len(one.plan or ()), one.trace_length), default=self.responses[0])

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        is_right = self.n_right > 0
        return {
            "task": self.name,
            "solved": is_right,
            "optimal": is_right and len(self.best.plan or ()) == self.record.plan_length,
            "plan": [list(cell) for cell in self.best.plan or ()] if is_right else None,
            "shortest": self.record.plan_length,
            "right": self.n_right,
            "samples": len(self.responses),
            "trace_tokens": self.best.trace_length,
            "reasoning": list(self.best.trace),
        }

    def summary(self) -> str:
        """For a person."""
        value = self.to_json()
        thought = f"{value['trace_tokens']} trace tokens" if value["trace_tokens"] else "no trace"
        if not value["solved"]:
            return f"{self.name}: no right plan in {value['samples']} samples ({thought} in the first)"
        kind = "the shortest" if value["optimal"] else f"the shortest has {value['shortest']}"
        return (
            f"{self.name}: a way of {len(value['plan'])} positions, {kind}; right in {value['right']} of "
            f"{value['samples']} samples, {thought}"
        )


def solve(run: str, paths: Sequence[Path], sampling: Sampling, *, device: str) -> list[Solution]:
    """Solve the tasks of files.

    Raises:
        ValueError: if a task has no solution or is not of the size of the model's vocabulary.
    """
    (mode,) = sampling.modes() if sampling.mode != "all" else (_refuse_all(),)
    planner = runs.load(run, Compute(device).torch_device)
    named = read_records(paths, np.random.default_rng(sampling.seed))
    runs.check_tasks(planner, named)
    responses = sampling.write(planner, [record for _, record in named], mode)
    return [Solution(name, record, of) for (name, record), of in zip(named, responses, strict=True)]


def _refuse_all() -> str:
    raise ValueError(f"the mode must be one of {', '.join(MODES)}, not 'all'")


def show_solutions(solutions: Sequence[Solution], *, draws: bool, as_json: bool) -> str:
    """Solutions as text."""
    if as_json:
        return json.dumps([one.to_json() for one in solutions], indent=2)
    return "\n".join(line for one in solutions for line in _told(one, draws=draws))


def _told(solution: Solution, *, draws: bool) -> Iterator[str]:
    if draws:
        best = solution.best
        plan = best.plan if solution.n_right else None
        yield colored(drawing.text(solution.record.task, best.trace, plan or ()))
        yield "  ".join(f"{mark} {word}" for mark, word in drawing.LEGEND.items())
    yield solution.summary()


def colored(drawn: str) -> str:
    """A drawing in colours, if standard output is a terminal that shows them."""
    from rich.console import Console
    from rich.text import Text

    if not Console().is_terminal:
        return drawn
    console = Console(file=io.StringIO(), force_terminal=True, no_color=Console().no_color)
    console.print(
        Text("\n").join(Text.assemble(*((c, drawing.COLORS.get(c, "")) for c in row)) for row in drawn.split("\n"))
    )
    return console.file.getvalue().rstrip("\n")  # type: ignore[attr-defined]


def draw(solutions: Sequence[Solution], path: Path) -> None:
    """Draw the first solution to a file, or all to a folder, as PNG.

    Raises:
        ValueError: if the file is of another kind than .png, .svg or .pdf.
    """
    if path.suffix and path.suffix not in PICTURES:
        raise ValueError(f"a picture is written as {', '.join(PICTURES)}, not as {path.name}")
    targets: Iterable[tuple[Solution, Path]] = [(solutions[0], path)]
    if not path.suffix:
        names = [f"{number:03}-{Path(one.name.split(':')[0]).stem}.png" for number, one in enumerate(solutions, 1)]
        targets = [(one, path / name) for one, name in zip(solutions, names, strict=True)]
    for one, target in targets:
        plan = one.best.plan if one.n_right else None
        figure = drawing.figure(one.record.task, one.best.trace, plan or ())
        with files.replacing(target) as part:
            figure.savefig(part, bbox_inches="tight", dpi=150)


def evaluate_run(run: str, paths: Sequence[Path], sampling: Sampling, *, limit: int | None, device: str) -> Shown:
    """Measure a planner on the tasks of files, in one mode or all."""
    modes = sampling.modes()
    if limit is not None and limit < 1:
        raise ValueError(f"the number of tasks must be at least 1, not {limit}")
    planner = runs.load(run, Compute(device).torch_device)
    rng = np.random.default_rng(sampling.seed)
    named = read_records(paths, rng)[:limit]
    runs.check_tasks(planner, named)
    tasks = [record for _, record in named]
    reference = [reference_trace_length(one.task, rng) for one in tasks]
    found = {mode: evaluate(sampling.write(planner, tasks, mode), tasks, reference=reference) for mode in modes}
    value = {mode: report.to_json() for mode, report in found.items()}
    names = list(next(iter(value.values())))
    rows = ["  ".join([f"{'':20}", *(f"{mode:>8}" for mode in modes)])]
    for name in names:
        cells = [value[mode][name] for mode in modes]
        rows.append("  ".join([f"{name:20}", *(f"{'-' if cell is None else f'{cell:.4g}':>8}" for cell in cells)]))
    return Shown(value if sampling.mode == "all" else value[modes[0]], "\n".join(rows))
