"""What the commands `solve` and `evaluate` do."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from separata import files
from separata.output import Output, table
from separata.progress import Reporter

from . import drawing, runs
from .configs import MODES, Mode, SamplingConfig, make_rng
from .inputs import load_tasks
from .metrics import evaluate, reference_trace_length
from .planner import Planner, Response
from .records import Record, board


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
            "n_correct": self.n_correct,
            "n_samples": len(self.responses),
            "trace_length": self.best.trace_length,
            "reasoning": list(self.best.trace),
        }

    def summary(self) -> str:
        """For people."""
        value = self.to_json()
        trace = f"{value['trace_length']} trace tokens" if value["trace_length"] else "no trace"
        if not value["solved"]:
            return f"{self.name}: no correct plan in {value['n_samples']} samples ({trace} in the first)"
        kind = "optimal" if value["optimal"] else f"the optimum is {value['shortest']}"
        return (
            f"{self.name}: a plan of {len(value['plan'])} positions ({kind}) with {trace}; {value['n_correct']} of "
            f"{value['n_samples']} samples are correct"
        )


def solve(
    run: str, paths: Sequence[Path], mode: Mode, config: SamplingConfig, *, image: Path | None, device: str
) -> list[Solution]:
    """Solve the tasks of files, and draw them if there is to be an image.

    Raises:
        ValueError: if no file is given, a task has no solution or another size than the model's vocabulary, or the
            image is of another format than figures.
    """
    if image is not None and image.suffix:
        files.check_figure_format(image)
    planner, named = _prepare(run, paths, make_rng(config.seed), device=device)
    if image is not None:
        _check_image(image)
    responses = planner.respond([record.task for _, record in named], mode, config, Reporter().track)
    solutions = [Solution(name, record, of) for (name, record), of in zip(named, responses, strict=True)]
    if image is not None:
        _draw(solutions, image)
    return solutions


def _check_image(path: Path) -> None:
    """See that a figure, or a folder of them, can be written, before the work."""
    if path.suffix:
        files.check_writable(path)
    elif path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file; name a folder, or a figure that ends with .svg, .png or .pdf")
    else:
        files.make_writable(path)


def _prepare(
    run: str, paths: Sequence[Path], rng: np.random.Generator, *, device: str
) -> tuple[Planner, list[tuple[str, Record]]]:
    """The planner of a run, and the tasks of files, which are of its size."""
    if not paths:
        raise ValueError("give a task after the model: a maze (.txt), a Sokoban level (.xsb) or a .jsonl file")
    planner = runs.load(run, device)
    named = load_tasks(paths, rng)
    runs.check_tasks(planner, named)
    return planner, named


def show_solutions(solutions: Sequence[Solution], *, draws: bool) -> Output:
    """Solutions for people and for programs."""
    lines = [line for one in solutions for line in _told(one, draws=draws)]
    return Output([one.to_json() for one in solutions], "\n".join(lines))


def _told(solution: Solution, *, draws: bool) -> Iterator[str]:
    if draws:
        best = solution.best
        plan = best.plan if solution.n_correct else None
        yield colored(drawing.text(board(solution.record.task), best.trace, plan or ()))
        yield "  ".join(f"{mark} {word}" for mark, word in drawing.LEGEND.items())
    yield solution.summary()


def colored(drawn: str) -> str:
    """A drawing, in color if standard output is a terminal that shows it."""
    from rich.console import Console
    from rich.text import Text

    if not Console().is_terminal:
        return drawn
    console = Console(file=io.StringIO(), force_terminal=True, no_color=Console().no_color)
    console.print(
        Text("\n").join(Text.assemble(*((c, drawing.COLORS.get(c, "")) for c in row)) for row in drawn.split("\n"))
    )
    return console.file.getvalue().rstrip("\n")  # type: ignore[attr-defined]


def _draw(solutions: Sequence[Solution], path: Path) -> None:
    """Draw the first solution to a file, or all of them as PNG to a folder."""
    from separata import plots

    targets = [(solutions[0], path)]
    if not path.suffix:
        names = [f"{number:03}-{Path(one.name.split(':')[0]).stem}.png" for number, one in enumerate(solutions, 1)]
        targets = [(one, path / name) for one, name in zip(solutions, names, strict=True)]
    for one, target in targets:
        plan = one.best.plan if one.n_correct else None
        plots.save(drawing.figure(board(one.record.task), one.best.trace, plan or ()), target)


def evaluate_run(
    run: str, paths: Sequence[Path], mode: Mode | None, config: SamplingConfig, *, limit: int | None, device: str
) -> Output:
    """Evaluate a planner on the tasks of files, in one mode or, if none is given, in all."""
    if limit is not None and limit < 1:
        raise ValueError(f"--limit must be at least 1, not {limit}")
    rng = make_rng(config.seed)
    planner, named = _prepare(run, paths, rng, device=device)
    records = [record for _, record in named[:limit]]
    tasks = [record.task for record in records]
    reference = [reference_trace_length(task, rng) for task in tasks]
    reports = {}
    for one in MODES if mode is None else (mode,):
        responses = planner.respond(tasks, one, config, Reporter().track)
        reports[one] = evaluate(responses, records, reference=reference).to_json()
    rows = [
        {"": name, **{one: _cell(report[name]) for one, report in reports.items()}}
        for name in next(iter(reports.values()))
    ]
    return Output(reports if mode is None else reports[mode], table(rows).text)


def _cell(value: float | None) -> str:
    """A number of a table: counts in full, others with four digits."""
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}"
