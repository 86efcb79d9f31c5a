"""The command line `revibranch`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import PolicyConfig, ScipConfig, TrainConfig
from .instances.configs import FamilySettings, Kind, Size
from .paper import PAPER


def generate(
    kind: Kind,
    /,
    settings: FamilySettings,
    *,
    out: Path,
    n: int = 100,
    size: Size = "train",
    seed: int = 0,
    format: Literal["lp", "mps"] = "lp",  # noqa: A002 - the option's name
    gz: bool = False,
    json: bool = False,
) -> None:
    """Generate random problems of a family, as published.

    Args:
        kind: setcover, auction, indset, facilities or knapsack.
        settings: Instead of the size's.
        out: Folder for the files; it must have no problems yet.
        n: Number of problems.
        size: How large they are, where no option below says otherwise.
        seed: Random seed; the first problems are the same however many there are, and those that train draws are
            others.
        format: File format.
        gz: Compress the files.
        json: Print a summary as JSON.
    """
    from . import commands

    ending = f".{format}{'.gz' if gz else ''}"
    commands.generate(kind, out, size, settings, n=n, seed=seed, ending=ending).show(as_json=json)


def train(
    policy: PolicyConfig,
    config: TrainConfig,
    settings: FamilySettings,
    *,
    instances: tuple[str, ...],
    out: Path,
    size: Size = "train",
    n_instances: int | None = None,
    validation: tuple[str, ...] = (),
    time_limit: float = 600.0,
    node_limit: int = -1,
    separating_rounds: int = 0,
    heuristics: bool = True,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train a branching policy on problems, and keep the best.

    The folder has model.safetensors, which solve and evaluate take as a policy, the settings, the history and its
    curve.

    Args:
        policy: The network.
        config: How it is trained.
        settings: Of a family, instead of the size's.
        instances: Problems, folders of them, or a family: setcover, auction, indset, facilities or knapsack, whose
            problems are others than those of generate, whatever the seed.
        out: Output folder.
        size: How large problems of a family are.
        n_instances: Number of problems: 1000 of a family or all files, if not given.
        validation: Held-out problems that choose the weights: files, folders, or a share of the instances, such as 0.1
            or 0; a tenth, but 10 at most, if not given.
        time_limit: Seconds for each problem.
        node_limit: Nodes for each problem; -1 for no limit.
        separating_rounds: Rounds of cuts at each node below the root; -1 for SCIP's default.
        heuristics: Let SCIP's primal heuristics run.
        device: Where the network learns: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    from . import commands

    scip = ScipConfig(time_limit, node_limit, separating_rounds=separating_rounds, heuristics=heuristics)
    sources = commands.Sources(instances, size, settings, n_instances, validation)
    commands.train(sources, out, policy, config, scip, device=device, resume=resume).show(as_json=json)


def solve(
    file: Path,
    /,
    config: ScipConfig,
    *,
    policy: str = "scip",
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Solve a mixed-integer linear problem with SCIP, a policy branching.

    Args:
        file: Problem: .lp, .mps or .cip, or one of them and .gz.
        config: How SCIP solves.
        policy: Who branches: scip, pscost, strong, random, mostfrac, relpscost, vanillafullstrong; auction or setcover,
            the policies that come with the package; or a file that train wrote.
        out: File for the best solution, .sol.
        json: Print as JSON.
    """
    from . import commands

    commands.solve(file, policy, config, out=out, json=json)


def evaluate(
    config: ScipConfig,
    *,
    instances: tuple[Path, ...],
    policies: str,
    n_seeds: int = 1,
    n_workers: int = 0,
    csv: Path | None = None,
    plot: Path | None = None,
    resume: bool = False,
    json: bool = False,
) -> None:
    """Compare policies on the same problems: nodes, LP iterations, seconds.

    Args:
        config: How SCIP solves; the seed is the first one.
        instances: Problems, or folders of them.
        policies: Policies as solve takes them, with commas between; nodes are relative to the first.
        n_seeds: Number of SCIP's random seeds for each problem.
        n_workers: Processes that solve at the same time; 0 to solve in this one.
        csv: File to which results are written as they come.
        plot: Figure of the performance profile to write: .svg, .png or .pdf.
        resume: Take the results that the file has already.
        json: Print as JSON.
    """
    from . import commands

    commands.evaluate(
        instances, policies, config, n_seeds=n_seeds, n_workers=n_workers, csv=csv, plot=plot, resume=resume
    ).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [generate, train, solve, evaluate])
