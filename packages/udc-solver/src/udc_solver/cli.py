"""The command line `udc-solver`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import ConquerorConfig, DividerConfig, SolverConfig, TrainConfig
from .paper import PAPER

Name = Literal["tsp", "atsp", "cvrp", "ovrp", "mtsp", "op", "pctsp", "spctsp", "kp", "mis"]


def solve(
    problem: Name,
    /,
    *,
    input: Path,  # noqa: A002 - the option's name
    out: Path | None = None,
    checkpoint: str | None = None,
    samples: int = 8,
    rounds: int = 50,
    time_limit: float | None = None,
    salesmen: int | None = None,
    complement: bool = False,
    plot: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Solve instances in files of the field.

    Args:
        problem: tsp, atsp, cvrp, ovrp, mtsp, op, pctsp, spctsp, kp or mis.
        input: Instances: .npz, .npy, .tsp, .atsp, .vrp, .col, .clq, or a list of edges.
        out: File for the solution: .json; of tours .tour, and of routes .sol, too.
        checkpoint: Folder that train wrote, or a packed .safetensors file; those of the package if not given.
        samples: Solutions that are built of each instance, of which the best is kept.
        rounds: Conquering rounds.
        time_limit: Seconds after which no further round begins.
        salesmen: Number of salesmen of an mTSP, if the file does not say it.
        complement: Take the complement of a graph, to find cliques.
        plot: Picture of the first solution to write: .svg, .png or .pdf.
        seed: Random seed.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands
    from .sources import FileOptions

    commands.solve(
        problem,
        FileOptions(input, salesmen, complement),
        checkpoint=checkpoint,
        samples=samples,
        rounds=rounds,
        time_limit=time_limit,
        seed=seed,
        out=out,
        plot=plot,
        device=device,
    ).show(as_json=json)


def improve(
    problem: Name,
    /,
    *,
    input: Path,  # noqa: A002 - the option's name
    solution: Path,
    out: Path | None = None,
    checkpoint: str | None = None,
    rounds: int = 50,
    time_limit: float | None = None,
    salesmen: int | None = None,
    complement: bool = False,
    plot: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Improve given solutions, whoever made them.

    Args:
        problem: tsp, atsp, cvrp, ovrp, mtsp, op, pctsp, spctsp, kp or mis.
        input: Instances, as of solve.
        solution: Solution of each instance: .json, .tour or .sol.
        out: File for the better solution: .json, .tour or .sol.
        checkpoint: Folder that train wrote, or a packed .safetensors file; those of the package if not given.
        rounds: Conquering rounds.
        time_limit: Seconds after which no further round begins.
        salesmen: Number of salesmen of an mTSP, if the file does not say it.
        complement: Take the complement of a graph.
        plot: Picture of the first solution to write: .svg, .png or .pdf.
        seed: Random seed.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands
    from .sources import FileOptions

    commands.improve(
        problem,
        FileOptions(input, salesmen, complement),
        solution,
        checkpoint=checkpoint,
        rounds=rounds,
        time_limit=time_limit,
        seed=seed,
        out=out,
        plot=plot,
        device=device,
    ).show(as_json=json)


def train(
    problem: Name,
    /,
    divider: DividerConfig,
    conqueror: ConquerorConfig,
    config: TrainConfig,
    *,
    out: Path,
    window: int | None = None,
    n_test: int = 8,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train the networks for your own sizes.

    Args:
        problem: tsp, atsp, cvrp, ovrp, mtsp, op, pctsp, spctsp, kp or mis.
        divider: The network that divides.
        conqueror: The network that conquers.
        config: How they are trained.
        out: Output folder: settings, history, checkpoint and weights.
        window: Nodes of a sub-problem; the paper's number for the problem if not given.
        n_test: New instances on which the trained solver is tried.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print as JSON.
    """
    from . import commands

    solver = SolverConfig(problem, window, divider, conqueror)
    commands.train(solver, config, out=out, device=device, resume=resume, n_test=n_test).show(as_json=json)


def generate(problem: Name, /, *, out: Path, n_nodes: int = 500, n: int = 1, seed: int = 0, json: bool = False) -> None:
    """Generate random instances of the paper's distributions.

    Args:
        problem: tsp, atsp, cvrp, ovrp, mtsp, op, pctsp, spctsp, kp or mis.
        out: File to write: .npz; of one instance .tsp, .vrp or .col, too.
        n_nodes: Nodes, customers or items of each.
        n: Number of instances.
        seed: Random seed.
        json: Print as JSON.
    """
    from . import commands

    commands.generate(problem, out, n_nodes=n_nodes, n=n, seed=seed).show(as_json=json)


def evaluate(
    problem: Name,
    /,
    *,
    input: Path | None = None,  # noqa: A002 - the option's name
    n_nodes: int = 200,
    n: int = 4,
    checkpoint: str | None = None,
    baselines: str | None = None,
    samples: int = 8,
    rounds: str = "0,10,50",
    seconds: float = 10.0,
    salesmen: int | None = None,
    complement: bool = False,
    plot: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Compare with baselines: quality and seconds.

    Args:
        problem: tsp, atsp, cvrp, ovrp, mtsp, op, pctsp, spctsp, kp or mis.
        input: Instances, as of solve; random ones if not given.
        n_nodes: Nodes of random instances.
        n: Number of random instances.
        checkpoint: Folder that train wrote, or a packed .safetensors file; those of the package if not given.
        baselines: Their names with commas; all if not given, an empty text for none.
        samples: Solutions that the solver builds of each instance.
        rounds: Numbers of conquering rounds with commas, each a run of its own.
        seconds: Time for an instance of baselines that search: 2-opt, PyVRP, HiGHS.
        salesmen: Number of salesmen of an mTSP, if the file does not say it.
        complement: Take the complement of a graph.
        plot: Figure of quality against seconds to write: .svg, .png or .pdf.
        seed: Random seed of instances and methods.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands
    from .sources import FileOptions

    commands.evaluate(
        problem,
        None if input is None else FileOptions(input, salesmen, complement),
        n_nodes=n_nodes,
        n=n,
        checkpoint=checkpoint,
        baselines=baselines,
        samples=samples,
        rounds=rounds,
        seconds=seconds,
        seed=seed,
        plot=plot,
        device=device,
    ).show(as_json=json)


def check(
    input: Path,  # noqa: A002 - the argument's name
    solution: Path,
    /,
    *,
    problem: Name | None = None,
    salesmen: int | None = None,
    complement: bool = False,
    json: bool = False,
) -> None:
    """Verify solutions by code that shares nothing with the solver.

    Args:
        input: Instances, as of solve.
        solution: Solution of each instance: .json, .tour or .sol.
        problem: Problem, if neither file tells it.
        salesmen: Number of salesmen of an mTSP, if the file does not say it.
        complement: Take the complement of a graph.
        json: Print as JSON.
    """
    from . import commands
    from .sources import FileOptions

    commands.check(FileOptions(input, salesmen, complement), solution, problem).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [solve, improve, train, generate, evaluate, check])
