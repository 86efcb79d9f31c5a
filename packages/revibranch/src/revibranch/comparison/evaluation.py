"""Rules compared on the same problems, with the same random seeds of SCIP."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import joblib

from revibranch.checkpoints import find
from revibranch.configs import ScipConfig
from revibranch.search import policies
from revibranch.search.solving import SolveInterrupted, SolveResult, solve
from separata import files
from separata.progress import Reporter

from .outcomes import SETTING_KINDS, Outcome, load_outcomes, save_outcomes
from .reports import BranchingReport

DEFAULT = ScipConfig()


@dataclass(frozen=True)
class _Job:
    """One problem to be solved by one rule with one seed."""

    instance: Any
    instance_name: str
    policy: Any
    policy_name: str
    config: ScipConfig
    digest: str

    @property
    def key(self) -> tuple[str, str, int]:
        return self.instance_name, self.policy_name, self.config.seed


def evaluate(
    rules: Mapping[str, Any],
    instances: Sequence[Any],
    config: ScipConfig = DEFAULT,
    *,
    seeds: Sequence[int] = (0,),
    n_workers: int = 0,
    csv: Path | None = None,
    resume: bool = False,
    quiet: bool = True,
) -> BranchingReport:
    """Solve each problem with each rule and each seed.

    Args:
        rules: Rules by the names that the report gives them: names or paths as `make_rule` takes them, or rules.
        instances: Paths of problems, or problems with a method `to_scip()` and names of their own.
        config: How SCIP solves, whoever branches; its seed is not used.
        seeds: SCIP's random seeds, the same for all rules.
        n_workers: Processes that solve at the same time; 0 to solve in this one. Seconds are only comparable where each
            has a core for itself.
        csv: File to which results are written as they come; a pipe or a device gets all of them at the end.
        resume: Take the results that the file has already.
        quiet: Show no progress.

    Raises:
        FileNotFoundError: if there is no such problem.
        ValueError: if there is nothing to compare, two problems have one name, or the file is there already and is not
            to be resumed, or is of other settings, problems or policies.
        OSError: if the file cannot be written.
        KeyboardInterrupt: after Ctrl-C; the file has what was finished.
    """
    jobs = list(_jobs(rules, instances, config, seeds))
    if n_workers < 0:
        raise ValueError(f"the number of workers must not be negative, but it is {n_workers}")
    outcomes = [] if csv is None else _earlier(csv, jobs, config, resume=resume)
    done = {one.key for one in outcomes}
    left = [job for job in jobs if job.key not in done]
    is_stream = csv is not None and csv.exists() and not csv.is_file()
    for outcome in Reporter(quiet=quiet).track(_solved(left, n_workers), "solved", len(left)):
        outcomes.append(outcome)
        if csv is not None and (not is_stream or len(outcomes) == len(jobs)):
            save_outcomes(csv, outcomes)
    order = {job.key: index for index, job in enumerate(jobs)}
    return BranchingReport(tuple(sorted(outcomes, key=lambda one: order[one.key])))


def _jobs(
    rules: Mapping[str, Any], instances: Sequence[Any], config: ScipConfig, seeds: Sequence[int]
) -> Iterator[_Job]:
    """What is to be solved: by problem, then by seed, then by rule."""
    for what, given in (("rule", rules), ("problem", instances), ("seed", seeds)):
        if not given:
            raise ValueError(f"give at least one {what} to compare")
    names = [str(one) if isinstance(one, str | Path) else one.name for one in instances]
    checked: tuple[tuple[str, list[Any]], ...] = (("problems", names), ("seeds", list(seeds)))
    for what, listed in checked:
        if twice := [one for one in listed if listed.count(one) > 1]:
            raise ValueError(f"two {what} must not be the same, but {twice[0]} is there twice")
    rule_digests = {name: _digest_of_rule(rule) for name, rule in rules.items()}
    for instance, name in zip(instances, names, strict=True):
        digest = _digest_of_instance(instance)
        for seed in seeds:
            settings = ScipConfig(**{**asdict(config), "seed": seed})
            for rule_name, rule in rules.items():
                together = hashlib.sha256(f"{digest} {rule_digests[rule_name]}".encode()).hexdigest()
                yield _Job(instance, name, rule, rule_name, settings, together[:16])


def _digest_of_rule(rule: Any) -> str:  # noqa: ANN401 - a name, a path or a rule
    """What tells a rule from another one of the same name."""
    if not isinstance(rule, str | Path):
        return rule.name
    name = policies.check_policy(str(rule))
    return name if name in policies.NAMES else hashlib.sha256(find(name).read_bytes()).hexdigest()


def _digest_of_instance(instance: Any) -> str:  # noqa: ANN401 - a path or a problem
    """What tells a problem from another one of the same name; of problems that cannot be written, only their name."""
    if isinstance(instance, str | Path):
        path = Path(instance)
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        return hashlib.sha256(path.read_bytes()).hexdigest()
    text = instance.to_mps() if hasattr(instance, "to_mps") else instance.name
    return hashlib.sha256(text.encode()).hexdigest()


def _solved(jobs: Sequence[_Job], n_workers: int) -> Iterator[Outcome]:
    """Solve them, in processes if there are several, and give the results in their order as they come."""
    if n_workers == 0:
        yield from map(_solve, jobs)
        return
    with joblib.parallel_config("loky", n_jobs=n_workers, inner_max_num_threads=1):
        yield from joblib.Parallel(return_as="generator", batch_size=1)(joblib.delayed(_solve)(job) for job in jobs)


def _solve(job: _Job) -> Outcome:
    try:
        found = solve(job.instance, job.policy, job.config)
    except SolveInterrupted:
        # An unfinished solve is no result.
        raise KeyboardInterrupt from None
    return _outcome(job, found)


def _outcome(job: _Job, found: SolveResult) -> Outcome:
    return Outcome(
        instance=job.instance_name,
        rule=job.policy_name,
        seed=job.config.seed,
        status=found.status,
        nodes=found.n_nodes,
        lp_iterations=found.n_lp_iterations,
        seconds=found.seconds,
        seconds_in_rule=found.seconds_in_rule,
        objective=found.objective,
        dual_bound=found.dual_bound,
        gap=found.gap,
        settings={name: getattr(job.config, name) for name in SETTING_KINDS},
        digest=job.digest,
    )


def _earlier(csv: Path, jobs: Sequence[_Job], config: ScipConfig, *, resume: bool) -> list[Outcome]:
    """The results that a file has already.

    Raises:
        ValueError: if it is there and is not to be resumed, or has results of something else.
    """
    files.check_writable(csv)
    if not csv.is_file():  # but a pipe or a device, perhaps
        return []
    if not resume:
        raise ValueError(f"{csv} is there already; resume to go on with it, or name another file")
    outcomes = load_outcomes(csv)
    digests = {job.key: job.digest for job in jobs}
    for one in outcomes:
        for name, value in one.settings.items():
            if value != getattr(config, name):
                raise ValueError(
                    f"{csv} has results with {name} {value}, but now it is {getattr(config, name)}; name another file"
                )
        if one.key not in digests:
            told = f"{one.instance} by {one.rule} with seed {one.seed}"
            raise ValueError(f"{csv} has a result that is not asked for, {told}; name another file")
        if one.digest != digests[one.key]:
            raise ValueError(
                f"{csv} has a result of another problem or policy of the same name, {one.instance} by {one.rule}; "
                "name another file"
            )
    return outcomes
