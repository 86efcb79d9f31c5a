"""The command line `dualformer`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import Mode, RunConfig, SamplingConfig, Sources
from .dropping import Variant
from .paper import PAPER

DEFAULT = SamplingConfig()


def generate(
    drawings: tuple[Path, ...] = (),
    /,
    *,
    out: Path,
    task: Literal["maze", "sokoban"] = "maze",
    size: int = 10,
    n_tasks: int = 1000,
    test_out: Path | None = None,
    tasks_per_layout: int = 1,
    every_task: bool = False,
    max_trace: int | None = None,
    deterministic: bool = False,
    strict: bool = False,
    seed: int = 0,
    workers: int = 1,
    json: bool = False,
) -> None:
    """Generate tasks with the traces and plans of A*, as JSON lines.

    Args:
        drawings: Mazes (# . S G) or Sokoban levels (.xsb), all of one size, to solve instead of random tasks.
        out: File for the tasks, .jsonl.
        task: Kind of random tasks.
        size: Number of rows and of columns.
        n_tasks: Number of tasks.
        test_out: File for the last tenth of the tasks; the two files share no walls of mazes and no Sokoban level.
        tasks_per_layout: Mazes with the same walls.
        every_task: Keep every success of 100 draws of start and goal per layout, as the released generator does.
        max_trace: Skip tasks with more trace tokens than this.
        deterministic: Let A* break ties in a fixed order instead of at random.
        strict: Refuse a drawing without a solution, or with too long a trace, instead of skipping it.
        seed: Random seed.
        workers: Number of processes; 0 for one per core.
        json: Print a summary as JSON.
    """
    from . import generation

    is_grouped = {"--tasks-per-layout": tasks_per_layout != 1, "--every-task": every_task}
    sized = {"--task": task != "maze", "--size": size != 10, "--n-tasks": n_tasks != 1000, "--workers": workers != 1}
    generation.check_options(
        drawings,
        out,
        test_out,
        of_random={**sized, **is_grouped},
        of_mazes={option: given and task != "maze" for option, given in is_grouped.items()},
        of_drawings={"--strict": strict},
    )
    if all(is_grouped.values()):
        raise ValueError("--every-task keeps what there is of a layout; give it or --tasks-per-layout, not both")
    per_layout = None if every_task else tasks_per_layout
    options = {"tasks_per_layout": per_layout, "deterministic": deterministic, "max_trace": max_trace}
    made = (
        generation.convert(drawings, seed=seed, deterministic=deterministic, strict=strict, max_trace=max_trace)
        if drawings
        else generation.generated(task, size, n_tasks, seed=seed, workers=workers, options=options)
    )
    generation.store(made, out, test_out).show(as_json=json)


def trace(
    *,
    maze: Path | None = None,
    sokoban: Path | None = None,
    level: int = 0,
    create_drop: float = 0.3,
    variant: Variant = "paper",
    deterministic: bool = False,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Show A*'s trace and plan for a task, at a level of dropping.

    Args:
        maze: Maze drawn with #, ., S and G.
        sokoban: Sokoban level, .xsb.
        level: What to drop: 0 nothing; 1 close clauses; 2 also costs; 3 also some create clauses; 4 the whole trace.
        create_drop: Share of create clauses that level 3 drops.
        variant: How level 3 drops: as in the paper, or as in the released code for mazes or Sokoban.
        deterministic: Break ties in a fixed order instead of at random.
        seed: Random seed of ties and dropping.
        json: Print as JSON.
    """
    from . import generation

    shown = generation.show_trace(maze, sokoban, level, create_drop, variant, deterministic=deterministic, seed=seed)
    shown.show(as_json=json)


def train(
    sources: Sources,
    config: RunConfig,
    *,
    out: Path,
    device: str = "auto",
    precision: str = "32-true",
    devices: int = 1,
    nodes: int = 1,
    resume: bool = False,
) -> None:
    """Train a planner on tasks with traces, which are dropped anew each time an example is drawn.

    Args:
        sources: What the training reads.
        config: Dropping, the model, and how it is trained.
        out: Folder for the model, its settings and its history.
        device: Where to train: auto, cpu or cuda.
        precision: Precision of training: 32-true, bf16-mixed or 16-mixed.
        devices: Number of processes on this machine, each with its own device.
        nodes: Number of machines.
        resume: Resume an interrupted training in the same folder.
    """
    from separata.run import Compute

    from . import runs

    compute = Compute(device, precision, devices, nodes)
    result = runs.train(sources, config, out, compute=compute, resume=resume)
    if compute.rank == 0:
        print(result.summary())


def solve(
    run: str,
    tasks: tuple[Path, ...],
    /,
    *,
    mode: Mode = "auto",
    config: SamplingConfig = DEFAULT,
    draw: bool = False,
    image: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Solve mazes or Sokoban levels; of the sampled plans, the shortest correct one is shown.

    Args:
        run: Folder that `train` wrote, or a model that comes with the package: dualformer, complete-trace or
            solution-only (mazes of 8x8).
        tasks: Mazes (# . S G), Sokoban levels (.xsb) or .jsonl files.
        mode: How to think: fast (answer at once), slow (search first) or auto (as the model decides).
        config: How responses are sampled.
        draw: Draw the task, the explored cells and the path on the terminal.
        image: File to draw the first task to, or a folder for all of them; .svg, .png or .pdf.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    if draw and json:
        raise ValueError("--draw is for people, --json for programs; give one of them")
    solutions = commands.solve(run, tasks, mode, config, image=image, device=device)
    commands.show_solutions(solutions, draws=draw).show(as_json=json)


def evaluate(
    run: str,
    tasks: tuple[Path, ...],
    /,
    *,
    mode: Literal[Mode, "all"] = "auto",
    config: SamplingConfig = DEFAULT,
    limit: int | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Evaluate a planner: optimal and solved tasks, success weighted by cost, trace length, diversity.

    Args:
        run: Folder that `train` wrote, or a model that comes with the package.
        tasks: Test tasks: .jsonl files, mazes or Sokoban levels.
        mode: How to think: fast, slow, auto, or all three.
        config: How responses are sampled.
        limit: Number of tasks to evaluate, from the first; all if not given.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    chosen = None if mode == "all" else mode
    commands.evaluate_run(run, tasks, chosen, config, limit=limit, device=device).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [generate, trace, train, solve, evaluate])
