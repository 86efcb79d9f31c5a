"""Evidence: what was measured, in the one format that every reader uses."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import files
from .paper import PRESETS, Claim, Paper

SCHEMA = 1
HOLDS, FAILS, ABSENT = "holds", "does not hold", "not measured"


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds, and how safely.

    `verdict` is decided on the means over seeds; `support` says in how many seeds, of how many, it holds by itself.
    """

    verdict: str
    support: tuple[int, int]


def judge(claim: Claim, measured: Sequence[Mapping[str, float]]) -> Verdict:
    """Judge a claim by the numbers of each seed."""
    if not measured:
        return Verdict(ABSENT, (0, 0))
    means = {key: statistics.fmean(seed[key] for seed in measured) for key in measured[0]}
    support = sum(bool(claim.holds(seed)) for seed in measured)
    return Verdict(HOLDS if claim.holds(means) else FAILS, (support, len(measured)))


@dataclass(frozen=True)
class Finding:
    """What was measured of one claim."""

    id: str
    statement: str
    metric: str
    paper: dict[str, float | None]
    measured: dict[str, dict[str, Any]]
    """For each key `mean`, sample standard deviation `std`, number of seeds `n`, and the `values` of the seeds."""
    verdict: str
    support: tuple[int, int]
    note: str = ""
    figures: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def by_seed(self) -> list[dict[str, float]]:
        """The numbers of each seed."""
        columns = [[(key, _number(value)) for value in summary["values"]] for key, summary in self.measured.items()]
        return [dict(row) for row in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Evidence:
    """What was measured of a paper at one preset. Figures are named relative to the evidence file."""

    paper: str
    version: str
    preset: str
    commit: str | None
    started: str
    seconds: float
    hardware: dict[str, Any]
    seeds: tuple[int, ...]
    claims: tuple[Finding, ...] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """The object that the evidence file holds."""
        claims = [
            vars(finding) | {"support": list(finding.support), "figures": list(finding.figures)}
            for finding in self.claims
        ]
        return {"schema": SCHEMA, **vars(self), "seeds": list(self.seeds), "claims": claims}


def find(claim: Claim, measured: Sequence[Mapping[str, float]], **details: Any) -> Finding:  # noqa: ANN401 - of Finding
    """The finding for a claim from the numbers of each seed."""
    verdict = judge(claim, measured)
    summary = {key: _summary([seed[key] for seed in measured]) for key in claim.paper} if measured else {}
    return Finding(
        claim.id, claim.statement, claim.metric, dict(claim.paper), summary, verdict.verdict, verdict.support, **details
    )


def _summary(values: Sequence[float]) -> dict[str, Any]:
    finite = all(math.isfinite(value) for value in values)
    return {
        "mean": statistics.fmean(values) if finite else None,
        "std": (statistics.stdev(values) if len(values) > 1 else 0.0) if finite else None,
        "n": len(values),
        "values": [value if math.isfinite(value) else None for value in values],
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def load(path: Path) -> Evidence:
    """Read an evidence file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not evidence in this format; one sentence.
    """
    value = files.read_json(path)
    try:
        return from_json(value)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not evidence in schema {SCHEMA}: {error}") from None


def from_json(value: Mapping[str, Any]) -> Evidence:
    """The evidence that `Evidence.to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: if it is anything else.
    """
    if value.get("schema") != SCHEMA:
        raise ValueError(f"its schema is {value.get('schema')!r}")
    if value["preset"] not in PRESETS:
        raise ValueError(f"its preset is '{value['preset']}'")
    claims = tuple(
        Finding(**one | {"support": tuple(one["support"]), "figures": tuple(one["figures"])}) for one in value["claims"]
    )
    for finding in claims:
        _validate(finding)
    fields = {key: item for key, item in value.items() if key != "schema"}
    return Evidence(**fields | {"seeds": tuple(value["seeds"]), "claims": claims})


def _validate(finding: Finding) -> None:
    if finding.verdict not in (HOLDS, FAILS, ABSENT):
        raise ValueError(f"the claim '{finding.id}' has the verdict '{finding.verdict}'")
    for key, summary in finding.measured.items():
        if set(summary) != {"mean", "std", "n", "values"} or summary["n"] != len(summary["values"]):
            raise ValueError(f"'{key}' of the claim '{finding.id}' is not a mean, std, n and as many values")


def check(evidence: Evidence, paper: Paper) -> None:
    """Check that evidence is of this paper as it is now, and that its verdicts follow from its numbers.

    Raises:
        ValueError: at the first thing that does not agree; one sentence.
    """
    if evidence.paper != paper.name:
        raise ValueError(f"the evidence is of {evidence.paper}, not of {paper.name}")
    ids = [finding.id for finding in evidence.claims]
    if ids != [claim.id for claim in paper.claims]:
        raise ValueError(f"the evidence has the claims {ids}, the paper {[claim.id for claim in paper.claims]}")
    for finding, claim in zip(evidence.claims, paper.claims, strict=True):
        if finding != find(claim, finding.by_seed, note=finding.note, figures=finding.figures, seconds=finding.seconds):
            raise ValueError(
                f"the evidence for '{claim.id}' does not follow from its own numbers and the claim as it is now"
            )


def of(paper: Paper) -> list[Evidence]:
    """The evidence that came with a paper's package, the largest preset first."""
    folder = folder_of(paper)
    found = [load(folder / f"{preset}.json") for preset in reversed(PRESETS) if (folder / f"{preset}.json").is_file()]
    return [evidence for evidence in found if evidence.preset != "smoke"]


def folder_of(paper: Paper) -> Path:
    """Where a paper's package keeps its evidence: beside its modules, or in its source tree."""
    from importlib.util import find_spec

    spec = find_spec(paper.package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"the package {paper.package} of {paper.name} is not installed")
    package = Path(spec.submodule_search_locations[0])
    source = package.parent.parent / "results"
    return source if (package.parent.parent / "pyproject.toml").is_file() else package / "results"
