"""Evidence: what was measured, in the one format that every reader uses."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import files
from .paper import PRESETS, Claim, Paper, Reference

SCHEMA = 1
HOLDS, DIRECTION, FAILS, ABSENT = "holds", "direction only", "does not hold", "not measured"
VERDICTS = (HOLDS, DIRECTION, FAILS, ABSENT)
"""From the strongest to none."""


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds, and how safely.

    `verdict` is decided on the means over seeds. `support` says in how many seeds, of how many, the same is true by
    itself: the whole statement where the claim holds, and the comparison in it elsewhere.
    """

    verdict: str
    support: tuple[int, int]


def judge(claim: Claim, measured: Sequence[Mapping[str, float]]) -> Verdict:
    """Judge a claim by the numbers of each seed."""
    if not measured:
        return Verdict(ABSENT, (0, 0))
    means = {key: statistics.fmean(seed[key] for seed in measured) for key in measured[0]}
    if claim.holds(means):
        verdict, decisive = HOLDS, claim.holds
    elif claim.direction:
        verdict, decisive = DIRECTION if claim.direction(means) else FAILS, claim.direction
    else:
        verdict, decisive = FAILS, claim.holds
    return Verdict(verdict, (sum(bool(decisive(seed)) for seed in measured), len(measured)))


@dataclass(frozen=True)
class Finding:
    """What was measured of one claim."""

    id: str
    statement: str
    metric: str
    criterion: str
    source: str
    """The paper that makes the claim, by the usual name of its method."""
    paper: dict[str, float | None]
    labels: dict[str, str]
    """A readable name for each key."""
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

    @property
    def holds_in_all_seeds(self) -> bool:
        """Whether the claim holds, and in each seed by itself."""
        return self.verdict == HOLDS and self.support[0] == self.support[1]


@dataclass(frozen=True)
class Evidence:
    """What was measured of a paper at one preset. Figures are named relative to the evidence file."""

    paper: str
    field: str
    references: tuple[Reference, ...]
    version: str
    preset: str
    only: tuple[str, ...]
    """The claims that the run was restricted to; none if it was not."""
    commit: str | None
    started: str
    seconds: float
    hardware: dict[str, Any]
    seeds: tuple[int, ...]
    captions: dict[str, str]
    """What each figure shows, in a sentence."""
    claims: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """Stem of its file."""
        return "-".join([self.preset, *self.only])

    def to_json(self) -> dict[str, Any]:
        """The object that the evidence file holds."""
        claims = [
            vars(finding) | {"support": list(finding.support), "figures": list(finding.figures)}
            for finding in self.claims
        ]
        lists = {
            "references": [asdict(one) | {"authors": list(one.authors), "url": one.url} for one in self.references],
            "only": list(self.only),
            "seeds": list(self.seeds),
            "claims": claims,
        }
        return {"schema": SCHEMA, **vars(self), **lists}


def find(
    paper: Paper,
    claim: Claim,
    measured: Sequence[Mapping[str, float]],
    **details: Any,  # noqa: ANN401 - of Finding
) -> Finding:
    """The finding for a claim from the numbers of each seed."""
    verdict = judge(claim, measured)
    return Finding(
        claim.id,
        claim.statement,
        claim.metric,
        claim.criterion,
        paper.source(claim).short,
        paper=dict(claim.paper),
        labels={key: claim.label(key) for key in claim.paper},
        measured={key: _summary([seed[key] for seed in measured]) for key in claim.paper} if measured else {},
        verdict=verdict.verdict,
        support=verdict.support,
        **details,
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
    except (AttributeError, KeyError, TypeError, ValueError) as error:
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
    references = tuple(
        Reference(**{key: item for key, item in one.items() if key != "url"} | {"authors": tuple(one["authors"])})
        for one in value["references"]
    )
    fields = {key: item for key, item in value.items() if key != "schema"}
    tuples = {"only": tuple(value["only"]), "seeds": tuple(value["seeds"]), "references": references, "claims": claims}
    return Evidence(**fields | tuples)


def _validate(finding: Finding) -> None:
    if finding.verdict not in VERDICTS:
        raise ValueError(f"the claim '{finding.id}' has the verdict '{finding.verdict}'")
    for key, summary in finding.measured.items():
        if set(summary) != {"mean", "std", "n", "values"} or summary["n"] != len(summary["values"]):
            raise ValueError(f"'{key}' of the claim '{finding.id}' is not a mean, std, n and as many values")


def check(evidence: Evidence, paper: Paper) -> None:
    """Check that evidence is of this paper as it is now, and that its verdicts follow from its numbers.

    Raises:
        ValueError: at the first thing that does not agree; one sentence.
    """
    if (evidence.paper, evidence.field, evidence.references) != (paper.name, paper.field, paper.references):
        raise ValueError(f"the evidence is of {evidence.paper}, and not of {paper.name} as it is now")
    found = {finding.id: finding for finding in evidence.claims}
    # A run that was restricted to some claims says nothing of the others, which may have changed since.
    claims = [claim for claim in paper.claims if not evidence.only or claim.id in evidence.only]
    absent = [claim.id for claim in claims if claim.id not in found]
    if absent or (not evidence.only and list(found) != [claim.id for claim in claims]):
        raise ValueError(f"the evidence has the claims {list(found)}, the paper {[claim.id for claim in claims]}")
    for claim in claims:
        finding = found[claim.id]
        details = {"note": finding.note, "figures": finding.figures, "seconds": finding.seconds}
        if finding != find(paper, claim, finding.by_seed, **details):
            raise ValueError(
                f"the evidence for '{claim.id}' does not follow from its own numbers and the claim as it is now"
            )


def best(found: Sequence[Evidence]) -> list[tuple[Finding, Evidence]]:
    """Each claim's finding in the first of several pieces of evidence that measured it, in the order of the claims.

    Where none did, it is the first that is not restricted to other claims.
    """
    whole = next((one for one in found if not one.only), found[0] if found else None)
    chosen = []
    for claim in [finding.id for finding in whole.claims] if whole else []:
        findings = [(finding, one) for one in found for finding in one.claims if finding.id == claim]
        measured = [pair for pair in findings if pair[0].verdict != ABSENT]
        chosen.append([*measured, *(pair for pair in findings if not pair[1].only), *findings][0])
    return chosen


def collect(folder: Path) -> list[Evidence]:
    """The evidence in a folder: the largest preset first, whole runs before those restricted to some claims.

    What `smoke` measured is not evidence.
    """
    found = [load(path) for path in sorted(folder.glob("*.json")) if not path.name.startswith(".")]
    rank = list(reversed(PRESETS))
    return sorted((one for one in found if one.preset != "smoke"), key=lambda one: (rank.index(one.preset), one.only))


def of(paper: Paper) -> list[Evidence]:
    """The evidence that came with a paper's package, the largest preset first."""
    return collect(folder_of(paper))


def folder_of(paper: Paper) -> Path:
    """Where a paper's package keeps its evidence: beside its modules, or in its source tree."""
    from importlib.util import find_spec

    spec = find_spec(paper.package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"the package {paper.package} of {paper.name} is not installed")
    package = Path(spec.submodule_search_locations[0])
    source = package.parent.parent / "results"
    return source if (package.parent.parent / "pyproject.toml").is_file() else package / "results"
