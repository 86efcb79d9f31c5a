"""The command line `revibranch`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import ScipConfig
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
        seed: Random seed; the first problems are the same however many there are.
        format: File format.
        gz: Compress the files.
        json: Print a summary as JSON.
    """
    from . import commands

    ending = f".{format}{'.gz' if gz else ''}"
    commands.generate(kind, out, size, settings, n=n, seed=seed, ending=ending).show(as_json=json)


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
        policy: Who branches: scip, pscost, strong, random, mostfrac, relpscost, vanillafullstrong, or a file that train
            wrote.
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
    cli.main(PAPER, [generate, solve, evaluate])
