"""What the commands do."""

import time
from pathlib import Path
from typing import Any

import torch

from separata import files
from separata.output import Output, table
from separata.progress import Reporter
from separata.runs import MODEL, RunFolder

from .answers import answer_of, arrays_of, judge, judge_executed, row_of
from .checkpoints import from_pretrained, pretrained, unpack
from .configs import SolverConfig, TrainConfig
from .files.dimacs import save_graph
from .files.solutions import Answer, load_json, load_tour, save_json, save_tour
from .files.tsplib import save_tsp
from .files.vrplib import load_routes, save_routes, save_vrp
from .instances import Coordinates, Instance, Matrix, Routing, Salesmen
from .problems import get_problem
from .problems.prizes import SPCTSP
from .problems.problem import AnyProblem
from .selections import ABSENT, Items, Networks, StochasticPrizes
from .solver import UDC, Solution, device_of, make_solver
from .solver import load as load_solver
from .sources import FileOptions, Source, load_source
from .training import Trainer

MOST_SHOWN = 20
"""Instances that a person is shown."""
UNSEEN = 2**31
"""Seed of the instances on which a trained solver is tried; those of trainings are smaller."""
SAMPLES, ROUNDS = 8, 10
"""How it is tried."""


def solve(
    name: str,
    file: FileOptions,
    *,
    checkpoint: str | None,
    samples: int,
    rounds: int,
    time_limit: float | None,
    seed: int,
    out: Path | None,
    plot: Path | None,
    device: str,
) -> Output:
    """Solve the instances of a file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if an instance, a setting or the checkpoint is wrong.
    """
    reporter = Reporter()
    problem = get_problem(name)
    source = load_source(problem, file)
    _check_out(problem, source.instance, out, plot)
    solver = _solver(name, checkpoint, device, reporter)
    begin = time.perf_counter()
    found = solver.solve(
        source.instance,
        samples,
        rounds,
        torch.Generator().manual_seed(seed),
        time_limit=time_limit,
        track=reporter.track,
    )
    return _told(solver.problem, source, found, time.perf_counter() - begin, out, plot)


def improve(
    name: str,
    file: FileOptions,
    solution: Path,
    *,
    checkpoint: str | None,
    rounds: int,
    time_limit: float | None,
    seed: int,
    out: Path | None,
    plot: Path | None,
    device: str,
) -> Output:
    """Improve solutions of a file by conquering rounds.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if an instance, a solution, a setting or the checkpoint is wrong.
    """
    reporter = Reporter()
    problem = get_problem(name)
    source = load_source(problem, file)
    _check_out(problem, source.instance, out, plot)
    _, answers = load_answers(solution, name)
    before = _judged(problem, source, answers, solution)
    rows = [row_of(problem, source.instance[i : i + 1], answer) for i, answer in enumerate(answers)]
    solver = _solver(name, checkpoint, device, reporter)
    begin = time.perf_counter()
    found = solver.improve(
        source.instance,
        torch.stack(rows),
        rounds,
        torch.Generator().manual_seed(seed),
        time_limit=time_limit,
        track=reporter.track,
    )
    return _told(solver.problem, source, found, time.perf_counter() - begin, out, plot, before)


def _solver(name: str, checkpoint: str | None, device: str, reporter: Reporter) -> UDC:
    """The solver of a checkpoint, of the weights that come with the package, or an untrained one."""
    if checkpoint is not None:
        path = Path(checkpoint)
        is_packed = path.is_file() and path.name != MODEL
        solver = unpack(path, device) if is_packed else load_solver(path, device)
        if solver.problem.name != name:
            raise ValueError(f"{checkpoint} is a solver of {solver.problem.name}, not of {name}")
        return solver
    if name in pretrained():
        return from_pretrained(name, device)
    reporter.say(
        f"warning: no trained networks for {name} come with the package, so that these are untrained; make some with "
        f"train {name}, and name their folder with --checkpoint"
    )
    return make_solver(SolverConfig(name)).eval()


def _check_out(problem: AnyProblem, instance: Instance, out: Path | None, plot: Path | None) -> None:
    """Refuse files that cannot be, before the work."""
    files.check_writable(out)
    files.check_figure(plot)
    if plot is not None and isinstance(instance, Matrix):
        raise ValueError("a matrix of costs has no places to draw; leave out --plot")
    if out is None or out.suffix == ".json":
        return
    kinds = {".tour": Coordinates | Matrix, ".sol": Routing | Salesmen}
    if out.suffix not in kinds or not isinstance(instance, kinds[out.suffix]):
        own = next((f", or {suffix}" for suffix, kind in kinds.items() if isinstance(instance, kind)), "")
        raise ValueError(f"solutions of {problem.name} are written as .json{own}, not as {out.name}")
    if len(instance) > 1:
        raise ValueError(f"{out.name} holds one solution, but there are {len(instance)} instances; write .json")


def _told(
    problem: AnyProblem,
    source: Source,
    found: Solution,
    seconds: float,
    out: Path | None,
    plot: Path | None,
    before: list[float] | None = None,
) -> Output:
    """Judge solutions independently, write and draw them, and say what came out."""
    answers = [answer_of(problem, row) for row in found.solution]
    objectives = [
        judge(problem, source.instance[i : i + 1], answer, source.distance) for i, answer in enumerate(answers)
    ]
    rows: list[dict[str, Any]] = [{"instance": i, "objective": value} for i, value in enumerate(objectives)]
    for row, value in zip(rows, before or [], strict=False):
        row["before"] = value
    if isinstance(problem, SPCTSP) and isinstance(source.instance, StochasticPrizes):
        executed = problem.execute(source.instance, found.solution)
        for i, row in enumerate(rows):
            row["executed"] = judge_executed(source.instance[i : i + 1], answer_of(problem, executed[i]))
    if out is not None:
        _save(out, problem, source, answers, objectives)
    if plot is not None:
        _draw(plot, problem, source, answers[0], objectives[0])
    shown = table(rows[:MOST_SHOWN]).text
    if len(rows) > MOST_SHOWN:
        shown += f"\n... {len(rows) - MOST_SHOWN:,} more, mean {sum(objectives) / len(objectives):.4f}"
    written = "".join(f", {file}" for file in (out, plot) if file is not None)
    told = {
        "problem": problem.name,
        "name": source.name,
        "seconds": seconds,
        "rounds": found.trace[-1].rounds,
        "trace": [{"rounds": one.rounds, "seconds": one.seconds, "cost": one.cost} for one in found.trace],
        "objectives": objectives,
        "instances": rows,
        "solutions": answers,
    }
    return Output(told, f"{shown}\n{found.trace[-1].rounds} rounds in {seconds:.1f} s{written}")


def _save(out: Path, problem: AnyProblem, source: Source, answers: list[Answer], objectives: list[float]) -> None:
    if out.suffix == ".tour":
        save_tour(out, [one for one in answers[0] if isinstance(one, int)], source.name, objectives[0])
    elif out.suffix == ".sol":
        save_routes(out, [one for one in answers[0] if isinstance(one, list)], objectives[0])
    else:
        save_json(out, problem.name, answers, objectives)


def _draw(plot: Path, problem: AnyProblem, source: Source, answer: Answer, objective: float) -> None:
    from separata import plots

    from .drawing import draw_graph, draw_items, draw_routes, draw_tour

    instance = source.instance[:1]
    held = arrays_of(instance)
    title = f"{source.name}: {objective:.6g}"
    flat = [one for one in answer if isinstance(one, int)]
    if isinstance(instance, Items):
        figure = draw_items(held["weights"], held["values"], flat, title)
    elif isinstance(instance, Networks):
        edges = held["edges"].astype(int)
        figure = draw_graph(instance.n_nodes, edges[edges[:, 0] != ABSENT], flat, title)
    elif isinstance(instance, Coordinates):
        figure = draw_tour(held["points"], flat, title)
    else:
        routes = [one for one in answer if isinstance(one, list)] or [flat]
        figure = draw_routes(held["points"], routes, title, is_open=not getattr(problem, "returns", True))
    plots.save(figure, plot)


def load_answers(path: Path, problem: str | None) -> tuple[str | None, list[Answer]]:
    """Solutions in a file, and the problem that it names.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds none.
    """
    if path.suffix == ".tour":
        return None, [load_tour(path)]
    if path.suffix == ".sol":
        return None, [load_routes(path)[0]]
    if path.suffix != ".json":
        raise ValueError(f"solutions are read from .json, .tour and .sol, not from {path.name}")
    return load_json(path, problem)


def _judged(problem: AnyProblem, source: Source, answers: list[Answer], path: Path) -> list[float]:
    if len(answers) != len(source.instance):
        raise ValueError(f"{path} has {len(answers)} solutions, but there are {len(source.instance)} instances")
    values = []
    for i, answer in enumerate(answers):
        try:
            values.append(judge(problem, source.instance[i : i + 1], answer, source.distance))
        except ValueError as error:
            where = f"{path}, solution {i}" if len(answers) > 1 else str(path)
            raise ValueError(f"{where}: {error}") from None
    return values


def check(file: FileOptions, solution: Path, name: str | None) -> Output:
    """Verify solutions by the independent evaluators.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a file is wrong, or a solution is not feasible.
    """
    named, answers = load_answers(solution, name)
    name = name or named or {".tsp": "tsp", ".atsp": "atsp", ".vrp": "cvrp"}.get(file.path.suffix)
    if name is None:
        raise ValueError(f"neither {file.path.name} nor {solution.name} tells the problem; give --problem")
    problem = get_problem(name)
    source = load_source(problem, file)
    values = _judged(problem, source, answers, solution)
    rows = [{"instance": i, "objective": value} for i, value in enumerate(values)]
    return Output(
        {"problem": name, "feasible": True, "objectives": values}, f"{table(rows).text}\nfeasible, as {problem.title}"
    )


def generate(name: str, out: Path, *, n_nodes: int, n: int, seed: int) -> Output:
    """Write random instances.

    Raises:
        ValueError: if there is no such problem, a number is not positive, or the format is not one of the problem's.
    """
    problem = get_problem(name)
    if n < 1 or n_nodes < 1:
        raise ValueError(f"there must be at least one instance of one node, not {n} of {n_nodes}")
    if seed < 0:
        raise ValueError(f"--seed must not be negative, but it is {seed}")
    files.check_writable(out)
    instance = problem.generate(n_nodes, n, torch.Generator().manual_seed(seed))
    instance.check()
    if out.suffix == ".npz":
        instance.save(out)
    elif n > 1:
        raise ValueError(f"{out.name} holds one instance, not {n}; write .npz")
    else:
        _save_instance(problem, instance, out)
    value = {"problem": name, "n": n, "n_nodes": n_nodes, "seed": seed, "out": str(out)}
    return Output(value, f"{n} {'instance' if n == 1 else 'instances'} of {problem.title} in {out}")


def _save_instance(problem: AnyProblem, instance: Instance, out: Path) -> None:
    held = arrays_of(instance)
    if isinstance(instance, Coordinates) and out.suffix == ".tsp":
        save_tsp(out, held["points"], out.stem)
    elif isinstance(instance, Routing) and out.suffix == ".vrp":
        save_vrp(out, held["points"], held["demands"], float(held["capacity"]), out.stem)
    elif isinstance(instance, Networks) and out.suffix in {".col", ".clq", ".mis"}:
        edges = held["edges"].astype(int)
        save_graph(out, instance.n_nodes, edges[edges[:, 0] != ABSENT])
    else:
        raise ValueError(f"instances of {problem.name} are written as .npz, and of tsp as .tsp, cvrp .vrp, mis .col")


def evaluate(
    name: str,
    file: FileOptions | None,
    *,
    n_nodes: int,
    n: int,
    checkpoint: str | None,
    baselines: str | None,
    samples: int,
    rounds: str,
    seconds: float,
    seed: int,
    plot: Path | None,
    device: str,
) -> Output:
    """Compare the solver with baselines on the same instances.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a setting or an instance is wrong, or there is no such baseline.
    """
    from .comparison import compare, methods_of

    reporter = Reporter()
    problem = get_problem(name)
    files.check_figure(plot)
    try:
        numbers = [int(word) for word in rounds.split(",")]
    except ValueError:
        raise ValueError(f"--rounds takes whole numbers with commas, such as 0,10, not {rounds}") from None
    if min(numbers) < 0 or seconds <= 0:
        raise ValueError(f"rounds must not be negative and seconds positive, not {rounds} and {seconds:g}")
    if file is not None:
        source = load_source(problem, file)
    elif n < 1 or n_nodes < 1:
        raise ValueError(f"there must be at least one instance of one node, not {n} of {n_nodes}")
    else:
        source = Source(problem.generate(n_nodes, n, torch.Generator().manual_seed(seed)), f"{name}-{n_nodes}")
    solver = _solver(name, checkpoint, device, reporter)
    chosen = methods_of(name) if baselines is None else [word for word in baselines.split(",") if word]
    reports, notes = compare(
        solver, source, chosen, samples=samples, rounds=numbers, seconds=seconds, seed=seed, track=reporter.track
    )
    for note in notes:
        reporter.say(note)
    sign = -1 if problem.is_maximized else 1
    best = min(sign * one.objective for one in reports)
    rows: list[dict[str, Any]] = [
        {
            "method": one.method,
            "objective": one.objective,
            "gap_percent": 100 * (sign * one.objective - best) / abs(best) if best else 0.0,
            "seconds": one.seconds,
        }
        for one in reports
    ]
    if plot is not None:
        from separata import plots

        from .drawing import draw_quality

        curve = [{**row, "method": row["method"].split(" (")[0]} for row in rows]
        plots.save(draw_quality(curve, "objective", f"{problem.title}, {source.name}"), plot)
    return table(rows, {"instances": len(source.instance)})


def train(
    config: SolverConfig, train_config: TrainConfig, *, out: Path, device: str, resume: bool, n_test: int
) -> Output:
    """Train a solver in a folder, and try it on new instances.

    Raises:
        ValueError: if a setting is wrong, the training diverges, or the folder holds another one.
    """
    if n_test < 1:
        raise ValueError(f"--n-test must be at least 1, not {n_test}")
    reporter = Reporter()
    folder = RunFolder.begin(out, {"solver": config, "train": train_config}, resume=resume)
    solver = make_solver(config, train_config.seed).to(device_of(device))
    trainer = Trainer(
        solver, train_config, checkpoint=folder.checkpoint, track=reporter.track, log=folder.log(reporter)
    )
    folder.fit(trainer, solver, reporter)
    problem, size = solver.problem, train_config.sizes[0]
    instance = problem.generate(size, n_test, torch.Generator().manual_seed(UNSEEN))
    found = solver.solve(instance, SAMPLES, ROUNDS, torch.Generator().manual_seed(UNSEEN))
    divided, conquered = (float(problem.objective(torch.tensor(found.trace[i].cost))) for i in (0, -1))
    value = {"out": str(out), "n_steps": train_config.n_steps, "divided": divided, "conquered": conquered}
    return Output(
        value,
        f"{train_config.n_steps:,} steps, in {out}\n{n_test} new instances of {size} nodes: {divided:.4f} divided, "
        f"{conquered:.4f} after {ROUNDS} rounds",
    )
