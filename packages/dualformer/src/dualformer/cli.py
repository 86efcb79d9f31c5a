"""The command line `dualformer`."""

from pathlib import Path

from separata import cli

from .paper import PAPER


def generate(
    drawings: tuple[Path, ...] = (),
    /,
    *,
    out: Path,
    task: str = "maze",
    size: int = 10,
    n: int = 1000,
    test_out: Path | None = None,
    tasks_per_layout: int = 1,
    max_trace: int | None = None,
    deterministic: bool = False,
    strict: bool = False,
    seed: int = 0,
    workers: int = 1,
    json: bool = False,
) -> None:
    """Make tasks with the traces and plans of A*, a JSON object a line.

    Args:
        drawings: Instead of random tasks, mazes (# . S G) or Sokoban levels (.xsb) from these files.
        out: File for the tasks, .jsonl.
        task: maze or sokoban.
        size: Cells in each direction.
        n: Number of tasks.
        test_out: File for the last tenth of the tasks; the two files share no layout.
        tasks_per_layout: Mazes that share their walls.
        max_trace: Leave out tasks with more trace tokens than this.
        deterministic: Let A* break ties in a fixed order instead of at random.
        strict: Refuse a drawing that has no solution instead of leaving it out.
        seed: Of the tasks.
        workers: Processes; 0 for one on each core.
        json: Print what was made as JSON.
    """
    from . import commands

    options = {"tasks_per_layout": tasks_per_layout, "deterministic": deterministic, "max_trace": max_trace}
    made = (
        commands.convert(drawings, seed=seed, deterministic=deterministic, strict=strict)
        if drawings
        else commands.generated(task, size, n, seed=seed, workers=workers, options=options)
    )
    print(commands.store(made, out, test_out).show(as_json=json))


def trace(
    *,
    maze: Path | None = None,
    sokoban: Path | None = None,
    level: int = 0,
    create_drop: float = 0.3,
    variant: str = "paper",
    deterministic: bool = False,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Show what A* does on a task, at a level of dropping.

    Args:
        maze: Maze drawn with #, ., S and G.
        sokoban: Sokoban level, .xsb.
        level: 0 keeps all; 1 drops close; 2 also costs; 3 also a share of create; 4 the whole trace.
        create_drop: Share of clauses that level 3 drops.
        variant: paper, released or released-sokoban.
        deterministic: Break ties in a fixed order instead of at random.
        seed: Of ties and dropping.
        json: Print as JSON.
    """
    from . import commands

    shown = commands.show_trace(maze, sokoban, level, create_drop, variant, deterministic=deterministic, seed=seed)
    print(shown.show(as_json=json))


def train(
    *,
    data: Path,
    out: Path,
    probs: str = "",
    create_drop: float = 0.3,
    variant: str = "paper",
    model: str = "s",
    dim: int | None = None,
    layers: int | None = None,
    heads: int | None = None,
    steps: int = 400_000,
    batch_size: int = 64,
    lr: float = 2.5e-4,
    warmup: int | None = None,
    weight_decay: float = 0.01,
    max_tokens: int = 16_384,
    validation: Path | None = None,
    weights: str = "float32",
    start_from: str = "",
    seed: int = 0,
    device: str = "auto",
    precision: str = "32-true",
    devices: int = 1,
    nodes: int = 1,
    resume: bool = False,
) -> None:
    """Train a planner on tasks with traces; traces are dropped anew each time that they are learned from.

    Args:
        data: Tasks, .jsonl.
        out: Folder for the model, its settings and its history.
        probs: Shares of the levels 0 to 4: five numbers with commas, or maze, sokoban, complete-trace, solution-only,
            mix-P, level-1, levels-1-2, levels-1-2-3; the paper's for the kind of task if not given.
        create_drop: Share of clauses that level 3 drops.
        variant: paper, released or released-sokoban.
        model: s, m, l or xl.
        dim: Width, instead of that of the model's size.
        layers: Layers of encoder and of decoder, instead.
        heads: Heads of attention, instead.
        steps: Steps of the optimiser.
        batch_size: Tasks in a step, over all devices.
        lr: Largest learning rate.
        warmup: Steps of warm-up; 2000 if not given, or a twentieth of the steps if that is less.
        weight_decay: Of AdamW.
        max_tokens: Tokens, padding included, that a device takes at once; a step is cut into parts of similar lengths.
        validation: Tasks whose loss is logged, .jsonl.
        weights: Number format of the saved weights, float32 or bfloat16.
        start_from: Run, or model that comes with this package, to begin with instead of random weights.
        seed: Of the initial weights, the order of tasks and the dropping.
        device: auto, cpu or cuda.
        precision: 32-true, bf16-mixed or 16-mixed.
        devices: Processes on this machine, each with a device of its own.
        nodes: Machines.
        resume: Go on with an interrupted training in the same folder.
    """
    from separata.run import Compute

    from . import runs
    from .training import Training

    settings = runs.Settings(
        data,
        probs,
        create_drop,
        variant,
        model,
        dim,
        layers,
        heads,
        Training(steps, batch_size, lr, warmup, weight_decay, max_tokens, seed),
        validation,
        weights,
        start_from,
    )
    compute = Compute(device, precision, devices, nodes)
    result = runs.train(settings, out, compute=compute, resume=resume)
    if compute.rank == 0:
        print(result.summary())


def solve(
    run: str,
    tasks: tuple[Path, ...],
    /,
    *,
    mode: str = "auto",
    samples: int = 64,
    temperature: float = 1.0,
    max_len: int | None = None,
    draw: bool = False,
    image: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Solve mazes or Sokoban levels with a trained planner; the shortest right plan among the samples is shown.

    Args:
        run: Folder that `train` wrote, or a model that comes with this package: dualformer, complete-trace,
            solution-only (mazes of 8x8).
        tasks: Mazes (# . S G), Sokoban levels (.xsb), or .jsonl files.
        mode: fast (answer at once), slow (search first) or auto (as the model decides).
        samples: Responses to each task.
        temperature: Of sampling; 0 for the most likely token.
        max_len: Most tokens of a response.
        draw: Draw the task, the explored cells and the path.
        image: File to draw the first task to, or a folder for all of them; .png, .svg or .pdf.
        seed: Of sampling.
        device: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    sampling = commands.Sampling(mode, samples, temperature, max_len, seed)
    solutions = commands.solve(run, tasks, sampling, device=device)
    if image is not None:
        commands.draw(solutions, image)
    print(commands.show_solutions(solutions, draws=draw, as_json=json))


def eval(  # noqa: A001 - the command's name
    run: str,
    tasks: tuple[Path, ...],
    /,
    *,
    mode: str = "auto",
    samples: int = 64,
    temperature: float = 1.0,
    max_len: int | None = None,
    limit: int | None = None,
    batch_rows: int = 2048,
    seed: int = 0,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Measure a planner: optimal and solved tasks, success weighted by cost, trace length, diversity.

    Args:
        run: Folder that `train` wrote, or a model that comes with this package.
        tasks: Test tasks: .jsonl files, mazes or Sokoban levels.
        mode: fast, slow, auto, or all.
        samples: Responses to each task.
        temperature: Of sampling.
        max_len: Most tokens of a response.
        limit: Take only the first tasks.
        batch_rows: Responses that are written at once.
        seed: Of sampling.
        device: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    sampling = commands.Sampling(mode, samples, temperature, max_len, seed, batch_rows)
    print(commands.evaluate_run(run, tasks, sampling, limit=limit, device=device).show(as_json=json))


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [generate, trace, train, solve, eval])
