"""What the commands do."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from separata import configs, files
from separata.output import Output, finite
from separata.progress import Reporter

from .configs import PolicyConfig, ScipConfig, TrainConfig
from .instances.configs import FamilySettings, Kind, Size
from .instances.families import FIRST_OF_TRAINING, family_config, make_instance
from .instances.paths import is_problem, problem_files

if TYPE_CHECKING:
    from .instances.sources import ProblemSet


def generate(
    kind: Kind,
    out: Path,
    size: Size,
    settings: FamilySettings,
    *,
    n: int,
    seed: int,
    ending: str,
) -> Output:
    """Write random problems to a folder, and how they were made.

    Raises:
        ValueError: if a setting is not one of the family's or makes no problem, or the folder has problems already.
        OSError: if it cannot be written to.
    """
    if not 1 <= n <= FIRST_OF_TRAINING:
        raise ValueError(f"--n must be at least 1 and at most {FIRST_OF_TRAINING:,}, not {n}")
    if seed < 0:
        raise ValueError(f"--seed must not be negative, but it is {seed}")
    config = _family_config(kind, size, settings)
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


@dataclass(frozen=True)
class Sources:
    """What is trained on, as it is typed.

    Args:
        instances: Files, folders, or a family.
        size: Size of the family's problems.
        settings: Of the family, instead of the size's.
        n_instances: Number of problems, where it is not that of the files, or 1000 of a family.
        validation: Files, folders, a share of the instances, or nothing.
    """

    instances: tuple[str, ...]
    size: Size
    settings: FamilySettings
    n_instances: int | None
    validation: tuple[str, ...]


def train(
    sources: Sources,
    out: Path,
    policy: PolicyConfig,
    config: TrainConfig,
    scip: ScipConfig,
    *,
    device: str,
    resume: bool,
) -> Output:
    """Train a policy in a folder.

    Raises:
        ValueError: if a setting is wrong, there is nothing to train on, the training diverges, or the folder holds
            another training or one that is not to be resumed.
        FileNotFoundError: if there is no such problem.
        KeyboardInterrupt: after Ctrl-C, when it was said how to go on.
    """
    reporter = Reporter()
    problems, held_out = _problems(sources, config.seed, reporter)

    from .learning import runs  # not before the problems are there: PyTorch takes seconds to load

    settings = runs.RunConfig(policy, config, scip, problems.names, held_out.names)
    report = runs.train(
        problems.instances,
        out,
        settings,
        validation=held_out.instances,
        device=device,
        resume=resume,
        reporter=reporter,
    )
    value = {
        "model": str(report.model),
        "n_instances": len(problems.instances),
        "n_validation": len(held_out.instances),
        "n_episodes": report.n_episodes,
        "n_updates": report.n_updates,
        "nodes": None if report.nodes is None else finite(report.nodes),
    }
    if not report.n_updates:
        reporter.say(
            f"warning: the network has learned nothing: in {report.n_episodes} episodes there were no "
            f"{config.n_before:,} branchings of problems that were solved, after which learning begins (--n-before)"
        )
    told = "" if value["nodes"] is None else f"; {value['nodes']:.1f} nodes on held-out problems"
    return Output(value, f"{report.model}: {report.n_episodes:,} episodes, {report.n_updates:,} updates{told}")


def _problems(given: Sources, seed: int, reporter: Reporter) -> "tuple[ProblemSet, ProblemSet]":
    """What to train on, and what is held out."""
    from .instances.sources import ProblemSet

    if given.n_instances is not None and given.n_instances < 1:
        raise ValueError(f"--n-instances must be at least 1, not {given.n_instances}")
    first = given.instances[0] if given.instances else ""
    if first in get_args(Kind):
        if len(given.instances) > 1:
            raise ValueError(f"--instances takes files and folders, or one family, not {first} and more")
        family = _family_config(first, given.size, given.settings)  # type: ignore[arg-type]
        problems = ProblemSet.from_family(family, given.n_instances, seed)
    else:
        if len(given.instances) == 1 and not Path(first).exists():
            raise FileNotFoundError(
                f"there is no file or folder {first}, nor a family of that name: there are {', '.join(get_args(Kind))}"
            )
        if foreign := _given(given.settings):
            raise ValueError(f"{_option(next(iter(foreign)))} is an option of random problems; these are in files")
        problems = ProblemSet.from_files([Path(one) for one in given.instances], given.n_instances, reporter)
    share = _share(given.validation)
    if given.validation and share is None:
        held_out = ProblemSet.from_files([Path(one) for one in given.validation], None, reporter)
        return problems, held_out
    return problems.hold_out(share, seed)


def _share(validation: Sequence[str]) -> float | None:
    """The share that is held out, if one is given and not files."""
    if len(validation) != 1 or Path(validation[0]).exists():
        return None
    try:
        return float(validation[0])
    except ValueError:
        return None


def solve(file: Path, policy: str, config: ScipConfig, *, out: Path | None, json: bool) -> None:
    """Solve a problem, show how, and write the solution if there is one.

    Raises:
        ValueError: if the problem cannot be read, there is no such policy, or no solution to write.
        KeyboardInterrupt: after Ctrl-C, when what was found is shown and written.
    """
    from .search import policies, solving

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
        Reporter().say(f"{out} is not written: there is no best solution")


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

    from .comparison import evaluation
    from .search import policies

    if n_seeds < 1:
        raise ValueError(f"--n-seeds must be at least 1, not {n_seeds}")
    if resume and csv is None:
        raise ValueError("--resume goes on with a file of results; give it with --csv")
    listed = [policies.check_policy(name) for name in names.split(",") if name]
    if len(set(listed)) < len(listed):
        raise ValueError(f"--policies names a policy twice: {names}")
    paths = problem_files(instances)
    files.check_figure(plot)
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


def _family_config(kind: Kind, size: Size, settings: FamilySettings) -> Any:  # noqa: ANN401 - of any family
    """The configuration of a family with the options that were given.

    Raises:
        ValueError: if one is of another family.
    """
    known = configs.plain(family_config(kind, size))
    given = _given(settings)
    if foreign := [name for name in given if name not in known]:
        told = ", ".join(_option(name) for name in asdict(settings) if name in known)
        raise ValueError(f"{_option(foreign[0])} does not apply to {kind}, whose options are {told}")
    return family_config(kind, size, **given)


def _given(settings: FamilySettings) -> dict[str, Any]:
    return {name: value for name, value in asdict(settings).items() if value is not None and value is not False}


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
