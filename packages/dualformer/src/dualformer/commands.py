"""What the commands do: generate tasks, show traces, solve and evaluate."""

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
from .planner import MODES, Planner, Response
from .records import Record
from .tokenizer import tokenizer_for

PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Shown:
    """A result, as text for people and as JSON for programs."""

    value: Any
    text: str

    def show(self, *, as_json: bool) -> str:
        """The text, or the JSON."""
        return json.dumps(self.value, indent=2) if as_json else self.text


def generated(kind: str, size: int, n: int, *, seed: int, workers: int, options: dict[str, Any]) -> list[Record]:
    """Random tasks, with progress."""
    if workers < 0:
        raise ValueError(f"the number of workers must not be negative, but it is {workers}")
    if options["tasks_per_layout"] is not None and options["tasks_per_layout"] < 1:
        raise ValueError(f"--tasks-per-layout must be at least 1, not {options['tasks_per_layout']}")
    if options["max_trace"] is not None and options["max_trace"] < 1:
        raise ValueError(f"--max-trace must be at least 1, not {options['max_trace']}")
    if n < 1:
        raise ValueError(f"the number of tasks must be at least 1, not {n}")
    made = records.generate_many(kind, size, n, seed=seed, workers=workers or None, options=options)
    return list(Reporter().track(made, "tasks", n))


def convert(drawings: Sequence[Path], *, seed: int, deterministic: bool, strict: bool) -> list[Record]:
    """Drawn tasks with their traces; those without a solution are skipped, or refused where `strict`."""
    rng = _generator(seed)
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
        Reporter().say(f"{path} is skipped: it has no solution")
    return found


def store(made: list[Record], out: Path, test_out: Path | None) -> Shown:
    """Write tasks, the last tenth to a file of its own if one is given, and sum them up."""
    train, test = (made, []) if test_out is None else records.split(made)
    if test_out is not None:
        if test_out.resolve() == out.resolve():
            raise ValueError(f"--test-out must be another file than --out, {out}")
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
    beside = f" and {_count(len(test), 'test task')} in {test_out}" if test_out else ""
    return Shown(
        value,
        f"{_count(len(train), 'task')} in {out}{beside}; means: {value['mean_trace_tokens']:.0f} trace tokens, "
        f"{value['mean_plan_positions']:.1f} plan positions, {value['mean_prompt_tokens']:.0f} prompt tokens",
    )


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'s' if n != 1 else ''}"


def _generator(seed: int) -> np.random.Generator:
    if seed < 0:
        raise ValueError(f"the seed must be at least 0, not {seed}")
    return np.random.default_rng(seed)


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
    """A*'s trace and plan for a drawn task, at a level of dropping."""
    given = [(path, kind) for path, kind in ((maze, "maze"), (sokoban, "sokoban")) if path is not None]
    if len(given) != 1:
        raise ValueError("give one task, with --maze or with --sokoban")
    path, kind = given[0]
    dropper = TraceDropper(create_drop=create_drop, variant=variant)  # type: ignore[arg-type] # it checks the name
    rng = _generator(seed)
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
    """How responses are sampled.

    Raises:
        ValueError: if a number is out of range.
    """

    mode: str = "auto"
    samples: int = 16
    temperature: float = 1.0
    max_len: int | None = None
    seed: int = 0
    batch_rows: int = 2048

    def __post_init__(self) -> None:
        _generator(self.seed)
        if self.batch_rows < 1:
            raise ValueError(f"--batch-rows must be at least 1, not {self.batch_rows}")

    def modes(self) -> tuple[str, ...]:
        """The mode, or all three.

        Raises:
            ValueError: if there is no such mode.
        """
        if self.mode not in (*MODES, "all"):
            raise ValueError(f"the mode must be one of {', '.join(MODES)}, not '{self.mode}'")
        return MODES if self.mode == "all" else (self.mode,)

    def write(self, planner: Any, tasks: Sequence[Record], mode: str) -> list[list[Response]]:  # noqa: ANN401 - a Planner
        """The planner's responses to tasks."""
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
    """Responses to a task, of which the best has the shortest correct plan; if none is correct, it is the first."""

    name: str
    record: Record
    responses: list[Response]

    @property
    def n_correct(self) -> int:
        """Number of responses with a correct plan."""
        return sum(one.solves(self.record.task) for one in self.responses)

    @property
    def best(self) -> Response:
        """The response to show."""
        correct = [one for one in self.responses if one.solves(self.record.task)]
        return min(correct, key=lambda one: (len(one.plan or ()), one.trace_length), default=self.responses[0])

    def to_json(self) -> dict[str, Any]:
        """For JSON."""
        is_solved = self.n_correct > 0
        return {
            "task": self.name,
            "solved": is_solved,
            "optimal": is_solved and len(self.best.plan or ()) == self.record.plan_length,
            "plan": [list(cell) for cell in self.best.plan or ()] if is_solved else None,
            "shortest": self.record.plan_length,
            "right": self.n_correct,
            "samples": len(self.responses),
            "trace_tokens": self.best.trace_length,
            "reasoning": list(self.best.trace),
        }

    def summary(self) -> str:
        """For people."""
        value = self.to_json()
        trace = f"{value['trace_tokens']} trace tokens" if value["trace_tokens"] else "no trace"
        if not value["solved"]:
            return f"{self.name}: no correct plan in {value['samples']} samples ({trace} in the first)"
        kind = "optimal" if value["optimal"] else f"the optimum is {value['shortest']}"
        return (
            f"{self.name}: a plan of {len(value['plan'])} positions ({kind}) with {trace}; {value['right']} of "
            f"{value['samples']} samples are correct"
        )


def solve(run: str, paths: Sequence[Path], sampling: Sampling, *, device: str) -> list[Solution]:
    """Solve the tasks of files.

    Raises:
        ValueError: if no file is given, or a task has no solution or another size than the model's vocabulary.
    """
    (mode,) = sampling.modes() if sampling.mode != "all" else (_refuse_all(),)
    planner, named = _prepare(run, paths, _generator(sampling.seed), device=device)
    responses = sampling.write(planner, [record for _, record in named], mode)
    return [Solution(name, record, of) for (name, record), of in zip(named, responses, strict=True)]


def _prepare(
    run: str, paths: Sequence[Path], rng: np.random.Generator, *, device: str
) -> tuple[Planner, list[tuple[str, Record]]]:
    """The planner of a run, and the tasks of files, which are of its size."""
    if not paths:
        raise ValueError("give a task after the model: a maze (.txt), a Sokoban level (.xsb) or a .jsonl file")
    planner = runs.load(run, Compute(device).torch_device)
    named = read_records(paths, rng)
    runs.check_tasks(planner, named)
    return planner, named


def _refuse_all() -> str:
    raise ValueError(f"the mode must be one of {', '.join(MODES)}, not 'all'")


def show_solutions(solutions: Sequence[Solution], *, draws: bool, as_json: bool) -> str:
    """Solutions, as text or as JSON."""
    if as_json:
        return json.dumps([one.to_json() for one in solutions], indent=2)
    return "\n".join(line for one in solutions for line in _told(one, draws=draws))


def _told(solution: Solution, *, draws: bool) -> Iterator[str]:
    if draws:
        best = solution.best
        plan = best.plan if solution.n_correct else None
        yield colored(drawing.text(solution.record.task, best.trace, plan or ()))
        yield "  ".join(f"{mark} {word}" for mark, word in drawing.LEGEND.items())
    yield solution.summary()


def colored(drawn: str) -> str:
    """A drawing, in colour if standard output is a terminal that shows it."""
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
    """Draw the first solution to a file, or all of them as PNG to a folder.

    Raises:
        ValueError: if the file is neither .png, .svg nor .pdf.
    """
    if path.suffix and path.suffix not in PICTURES:
        raise ValueError(f"a picture is a {', '.join(PICTURES)} file, not {path.name}")
    targets: Iterable[tuple[Solution, Path]] = [(solutions[0], path)]
    if not path.suffix:
        names = [f"{number:03}-{Path(one.name.split(':')[0]).stem}.png" for number, one in enumerate(solutions, 1)]
        targets = [(one, path / name) for one, name in zip(solutions, names, strict=True)]
    for one, target in targets:
        plan = one.best.plan if one.n_correct else None
        figure = drawing.figure(one.record.task, one.best.trace, plan or ())
        with files.replacing(target) as part:
            figure.savefig(part, bbox_inches="tight", dpi=150)


def evaluate_run(run: str, paths: Sequence[Path], sampling: Sampling, *, limit: int | None, device: str) -> Shown:
    """Evaluate a planner on the tasks of files, in one mode or all."""
    modes = sampling.modes()
    if limit is not None and limit < 1:
        raise ValueError(f"--limit must be at least 1, not {limit}")
    rng = _generator(sampling.seed)
    planner, named = _prepare(run, paths, rng, device=device)
    tasks = [record for _, record in named[:limit]]
    reference = [reference_trace_length(one.task, rng) for one in tasks]
    found = {mode: evaluate(sampling.write(planner, tasks, mode), tasks, reference=reference) for mode in modes}
    value = {mode: report.to_json() for mode, report in found.items()}
    names = list(next(iter(value.values())))
    table = [("", modes), *((name, [_cell(value[mode][name]) for mode in modes]) for name in names)]
    rows = ["  ".join([f"{name:20}", *(f"{cell:>8}" for cell in cells)]) for name, cells in table]
    return Shown(value if sampling.mode == "all" else value[modes[0]], "\n".join(rows))


def _cell(value: float | None) -> str:
    """A number of a table: counts in full, others with four digits."""
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}"
