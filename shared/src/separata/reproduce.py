"""Measuring a paper's claims: every experiment in turn, each kept on disk before the next begins."""

import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import evidence, experiments, files, provenance, report
from .configs import plain
from .evidence import Evidence
from .experiments import Experiment, Unmeasured
from .paper import PRESETS, Paper
from .progress import Reporter, stopped
from .run import Compute, Run
from .threads import limited

DEFAULT_SEEDS = {"smoke": 1}
"""Number of seeds of a preset, where it is not 3."""


@dataclass(frozen=True)
class Plan:
    """What to measure, at which scale, and where to write it.

    Raises:
        ValueError: if there is no such preset, or the number of seeds is not positive.
    """

    preset: str
    out: Path
    seeds: int | None = None
    only: tuple[str, ...] = ()
    compute: Compute = Compute()
    resume: bool = False
    first_seed: int = 0

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ValueError(f"the preset must be one of {', '.join(PRESETS)}, not '{self.preset}'")
        if self.seeds is not None and self.seeds < 1:
            raise ValueError(f"the number of seeds must be at least 1, not {self.seeds}")
        if self.first_seed < 0:
            raise ValueError(f"the first seed must be at least 0, not {self.first_seed}")

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The seeds: as many as asked for, in a row."""
        n_seeds = self.seeds or DEFAULT_SEEDS.get(self.preset, 3)
        return tuple(range(self.first_seed, self.first_seed + n_seeds))

    @property
    def name(self) -> str:
        """Stem of the report files: a part of the claims never overwrites a report on all of them."""
        return "-".join([self.preset, *self.only])


def reproduce(paper: Paper, plan: Plan, reporter: Reporter | None = None) -> Evidence:
    """Measure a paper's claims and write the reports: JSON, Markdown and HTML, with the figures beside.

    Raises:
        ValueError: if the plan names a claim that the paper does not make.
        PermissionError: if the output folder cannot be written to.
    """
    for claim in plan.only:
        paper.claim(claim)
    with limited(plan.compute.threads):
        return _reproduce(paper, plan, reporter)


def _reproduce(paper: Paper, plan: Plan, reporter: Reporter | None) -> Evidence:
    files.make_writable(plan.out)
    plan.compute.wait_for_all()
    is_main = plan.compute.rank == 0
    reporter = reporter if reporter and is_main else Reporter(quiet=True)
    todo = [one for one in experiments.of(paper) if not plan.only or set(plan.only) & set(one.claims)]
    reporter.say(f"{paper.name}: preset {plan.preset} ({PRESETS[plan.preset]}), to {plan.out}")
    started = _begin(paper, plan, reporter if is_main else None)
    records: list[dict[str, Any]] = []
    for number, experiment in enumerate(todo, 1):
        reporter.say(f"[{number}/{len(todo)}] {experiment.name}: {', '.join(experiment.claims)}")
        try:
            records.append(_measure_or_recall(paper, experiment, plan, reporter))
        except KeyboardInterrupt:
            reporter.say(f"Stopped in {experiment.name}, {number - 1} of {len(todo)} finished. Go on with: {stopped()}")
            raise
    result = _assemble(paper, plan, started, records)
    if is_main:
        report.write(result, plan.out, plan.name)
    plan.compute.wait_for_all()
    return result


def _begin(paper: Paper, plan: Plan, reporter: Reporter | None) -> str:
    """When the run began; on the main process, clear what an earlier one left unless this one goes on with it."""
    state = plan.out / ".state" / plan.preset
    stamp = {"started": datetime.now(UTC).isoformat(timespec="seconds"), "of": _fingerprint(paper, plan)}
    mark = state / "run.json"
    if reporter and mark.is_file():
        earlier = files.read_json(mark)
        if plan.resume and earlier["of"] == stamp["of"]:
            return earlier["started"]
        if plan.resume:
            reporter.say("The unfinished run was of another version, commit, device or seeds: starting over.")
        elif not (plan.out / f"{plan.name}.json").is_file():
            reporter.say(f"An unfinished run in {plan.out} is thrown away; --resume would have gone on with it.")
    if reporter:
        shutil.rmtree(state, ignore_errors=True)
        files.write_json(mark, stamp)
    plan.compute.wait_for_all()
    return files.read_json(mark)["started"]


def _fingerprint(paper: Paper, plan: Plan) -> dict[str, Any]:
    """What must be the same for two runs to be parts of one measurement."""
    return {
        "version": paper.version,
        "commit": provenance.commit(paper),
        "seeds": list(plan.seed_list),
        "device": plan.compute.accelerator,
        "precision": plan.compute.precision,
        "threads": plan.compute.threads,
    }


def _measure_or_recall(paper: Paper, experiment: Experiment, plan: Plan, reporter: Reporter) -> dict[str, Any]:
    config = experiment.presets[plan.preset]
    if isinstance(config, Unmeasured):
        reporter.say(f"  not measured at this preset: {config.reason}")
        notes = {claim: [config.reason] for claim in experiment.claims}
        return {**EMPTY, "notes": notes, "claims": list(experiment.claims)}
    place = plan.out / ".state" / plan.preset / f"{experiment.name}.json"
    if place.is_file():
        record = files.read_json(place)
        if record["config"] == plain(config):
            reporter.say(f"  already measured, in {record['seconds']:.0f} s")
            return record
    record = _measure(paper, experiment, plan, reporter)
    if plan.compute.rank == 0:
        files.write_json(place, record)
    plan.compute.wait_for_all()
    return record


def _measure(paper: Paper, experiment: Experiment, plan: Plan, reporter: Reporter) -> dict[str, Any]:
    run = Run(
        paper,
        experiment.claims,
        plan.out,
        preset=plan.preset,
        seeds=plan.seed_list,
        compute=plan.compute,
        reporter=reporter,
    )
    config = experiment.presets[plan.preset]
    start = time.monotonic()
    experiment(config, run)
    seconds = time.monotonic() - start
    if run.history and plan.compute.rank == 0:
        files.write_text(plan.out / plan.preset / f"{experiment.name}.csv", run.history_csv())
    return {
        "config": plain(config),
        "measurements": {claim: [_finite(seed) for seed in seeds] for claim, seeds in run.measurements.items()},
        "figures": run.figures,
        "captions": run.captions,
        "notes": run.notes,
        "seconds": seconds,
        "claims": list(experiment.claims),
    }


EMPTY: dict[str, Any] = {"measurements": {}, "figures": {}, "captions": {}, "notes": {}, "seconds": 0.0}
"""The record of an experiment that was not run."""


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """The numbers as JSON can hold them: None for what is not finite."""
    return {key: value if math.isfinite(value) else None for key, value in values.items()}


def _assemble(paper: Paper, plan: Plan, started: str, records: Sequence[dict[str, Any]]) -> Evidence:
    by_claim = {claim: record for record in records for claim in record["claims"]}
    findings = []
    for claim in paper.claims:
        record = by_claim.get(claim.id, EMPTY)
        findings.append(
            evidence.find(
                paper,
                claim,
                [
                    {key: math.nan if value is None else value for key, value in seed.items()}
                    for seed in record["measurements"].get(claim.id, [])
                ],
                note=" ".join([*([claim.note] if claim.note else []), *record["notes"].get(claim.id, [])]),
                figures=tuple(record["figures"].get(claim.id, [])),
                seconds=round(record["seconds"], 1),
            )
        )
    return Evidence(
        paper.name,
        paper.field,
        paper.references,
        paper.version,
        plan.preset,
        plan.only,
        provenance.commit(paper),
        started,
        round(sum(record["seconds"] for record in records), 1),
        provenance.hardware(),
        plan.seed_list,
        {name: text for record in records for name, text in record["captions"].items()},
        tuple(findings),
    )
