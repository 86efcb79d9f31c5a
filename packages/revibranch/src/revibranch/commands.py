"""What the commands do."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from separata import configs, files
from separata.output import Output
from separata.progress import Reporter

from .configs import ScipConfig
from .instances.configs import FamilySettings, Kind, Size
from .instances.families import family_config, make_instance
from .instances.paths import is_problem, problem_files


def generate(
    kind: Kind,
    out: Path,
    size: Size,
    settings: FamilySettings,
    *,
    n: int,
    seed: int,
    ending: Literal[".lp", ".mps", ".lp.gz", ".mps.gz"],
) -> Output:
    """Write random problems to a folder, and how they were made.

    Raises:
        ValueError: if a setting is not one of the family's or makes no problem, or the folder has problems already.
        OSError: if it cannot be written to.
    """
    if n < 1:
        raise ValueError(f"--n must be at least 1, not {n}")
    if seed < 0:
        raise ValueError(f"--seed must not be negative, but it is {seed}")
    known = configs.plain(family_config(kind, size))
    given = {name: value for name, value in asdict(settings).items() if value is not None and value is not False}
    if foreign := [name for name in given if name not in known]:
        told = ", ".join(_option(name) for name in asdict(settings) if name in known)
        raise ValueError(f"{_option(foreign[0])} does not apply to {kind}, whose options are {told}")
    config = family_config(kind, size, **given)
    # What makes no problem is refused before the folder is made.
    problem = make_instance(config, seed)
    files.make_writable(out)
    if there := [path for path in out.iterdir() if is_problem(path)]:
        raise ValueError(f"{out} has problems already, such as {min(there).name}; choose another folder")
    made = {"kind": kind, "n": n, "seed": seed, "config": configs.plain(config)}
    for index in Reporter().track(range(n), "problems"):
        make_instance(config, seed, index).write(out / f"instance_{index:05}{ending}")
    files.write_json(out / "instances.json", made)
    value = {**made, "out": str(out), "n_variables": problem.n_variables, "n_rows": problem.n_rows}
    return Output(
        value,
        f"{n:,} {'problem' if n == 1 else 'problems'} in {out}; the first has {problem.n_variables:,} variables, "
        f"{problem.n_rows:,} rows and {problem.matrix.nnz:,} nonzeros",
    )


def solve(file: Path, policy: str, config: ScipConfig, *, out: Path | None, json: bool) -> None:
    """Solve a problem, show how, and write the solution if there is one.

    Raises:
        ValueError: if the problem cannot be read, there is no such policy, or no solution to write.
        KeyboardInterrupt: after Ctrl-C, when what was found is shown and written.
    """
    from . import policies, solving

    if out is not None and out.suffix != ".sol":
        raise ValueError(f"a solution is written as .sol, not as {out.name}")
    policies.check_policy(policy)
    files.check_writable(out)
    interrupt = None
    try:
        result = solving.solve(file, policy, config)
    except solving.SolveInterrupted as error:
        result, interrupt = error.result, error
    if out is not None and result.solution is not None:
        result.write_solution(out)
    shown = Output({"instance": str(file), "policy": policy, **result.to_json()}, result.summary())
    shown.show(as_json=json)
    if interrupt is not None:
        raise interrupt
    if out is not None and result.solution is None:
        Reporter().say(f"{out} is not written: there is no solution")


def evaluate(
    instances: Sequence[Path],
    names: str,
    config: ScipConfig,
    *,
    n_seeds: int,
    n_workers: int,
    csv: Path | None,
    plot: Path | None,
    resume: bool,
) -> Output:
    """Compare policies on problems.

    Raises:
        FileNotFoundError: if there is no such problem.
        ValueError: if there is nothing to compare, no such policy, or the file of results is of something else.
    """
    from separata import plots

    from . import evaluation, policies

    if n_seeds < 1:
        raise ValueError(f"--n-seeds must be at least 1, not {n_seeds}")
    if resume and csv is None:
        raise ValueError("--resume goes on with a file of results; give it with --csv")
    listed = [policies.check_policy(name) for name in names.split(",") if name]
    if len(set(listed)) < len(listed):
        raise ValueError(f"--policies names a policy twice: {names}")
    paths = problem_files(instances)
    if plot is not None:
        files.check_writable(plots.check_format(plot))
    report = evaluation.evaluate(
        {name: name for name in listed},
        paths,
        config,
        seeds=range(config.seed, config.seed + n_seeds),
        n_workers=n_workers,
        csv=csv,
        resume=resume,
        quiet=False,
    )
    if plot is not None and report.pairs():
        plots.save(report.profile().figure(xlabel="Factor of the fewest nodes"), plot)
    elif plot is not None:
        Reporter().say(f"{plot} is not written: all policies solve all problems at the root")
    return report.to_output()


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
