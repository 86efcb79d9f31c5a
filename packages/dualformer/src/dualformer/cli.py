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
        drawings: Mazes (# . S G) or Sokoban levels (.xsb) to solve instead of random tasks.
        out: File for the tasks, .jsonl.
        task: Kind of random tasks: maze or sokoban.
        size: Number of rows and of columns.
        n: Number of tasks.
        test_out: File for the last tenth of the tasks; the two files share no layout.
        tasks_per_layout: Mazes with the same walls.
        every_task: Keep every success of 100 draws of start and goal per layout, as the released generator does.
        max_trace: Skip tasks with more trace tokens than this.
        deterministic: Let A* break ties in a fixed order instead of at random.
        strict: Refuse a drawing without a solution instead of skipping it.
        seed: Random seed.
        workers: Number of processes; 0 for one per core.
        json: Print a summary as JSON.
    """
    from . import commands

    per_layout = None if every_task else tasks_per_layout
    options = {"tasks_per_layout": per_layout, "deterministic": deterministic, "max_trace": max_trace}
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
    """Show A*'s trace and plan for a task, at a level of dropping.

    Args:
        maze: Maze drawn with #, ., S and G.
        sokoban: Sokoban level, .xsb.
        level: What to drop: 0 nothing; 1 close clauses; 2 also costs; 3 also some create clauses; 4 the whole trace.
        create_drop: Share of create clauses that level 3 drops.
        variant: How level 3 drops: paper, released or released-sokoban.
        deterministic: Break ties in a fixed order instead of at random.
        seed: Random seed of ties and dropping.
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
    """Train a planner on tasks with traces, which are dropped anew each time an example is drawn.

    Args:
        data: Tasks, .jsonl.
        out: Folder for the model, its settings and its history.
        probs: Probabilities of levels 0 to 4: five numbers with commas, or maze, sokoban, complete-trace,
            solution-only, mix-P, level-1, levels-1-2, levels-1-2-3; the paper's for the kind of task if not given.
        create_drop: Share of create clauses that level 3 drops.
        variant: How level 3 drops: paper, released or released-sokoban.
        model: Size of the model: s, m, l or xl.
        dim: Width, if not that of the size.
        layers: Layers of encoder and decoder, if not those of the size.
        heads: Attention heads, if not those of the size.
        steps: Optimizer steps.
        batch_size: Tasks per step, over all devices.
        lr: Peak learning rate.
        warmup: Warm-up steps; 2000, or a twentieth of the steps if that is less, if not given.
        weight_decay: Weight decay of AdamW.
        max_tokens: Most tokens in one pass, padding included; larger steps accumulate gradients.
        validation: Tasks for the validation loss, .jsonl.
        weights: Number format of the saved weights: float32 or bfloat16.
        start_from: Run, or model that comes with the package, to initialize from.
        seed: Random seed of initialization, order of tasks and dropping.
        device: Where to train: auto, cpu or cuda.
        precision: Precision of training: 32-true, bf16-mixed or 16-mixed.
        devices: Number of processes on this machine, each with its own device.
        nodes: Number of machines.
        resume: Resume an interrupted training in the same folder.
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
    """Solve mazes or Sokoban levels; of the sampled plans, the shortest correct one is shown.

    Args:
        run: Folder that `train` wrote, or a model that comes with the package: dualformer, complete-trace or
            solution-only (mazes of 8x8).
        tasks: Mazes (# . S G), Sokoban levels (.xsb) or .jsonl files.
        mode: How to think: fast (answer at once), slow (search first) or auto (as the model decides).
        samples: Responses per task.
        temperature: Sampling temperature; 0 for greedy decoding.
        max_len: Most tokens of a response.
        draw: Draw the task, the explored cells and the path.
        image: File to draw the first task to, or a folder for all of them; .png, .svg or .pdf.
        seed: Random seed of sampling.
        device: Where to compute: auto, cpu or cuda.
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
    """Evaluate a planner: optimal and solved tasks, success weighted by cost, trace length, diversity.

    Args:
        run: Folder that `train` wrote, or a model that comes with the package.
        tasks: Test tasks: .jsonl files, mazes or Sokoban levels.
        mode: How to think: fast, slow, auto, or all three.
        samples: Responses per task.
        temperature: Sampling temperature; 0 for greedy decoding.
        max_len: Most tokens of a response.
        limit: Number of tasks to evaluate, from the first; all if not given.
        batch_rows: Most responses that are sampled at once.
        seed: Random seed of sampling.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    sampling = commands.Sampling(mode, samples, temperature, max_len, seed, batch_rows)
    print(commands.evaluate_run(run, tasks, sampling, limit=limit, device=device).show(as_json=json))


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [generate, trace, train, solve, eval])
