"""Evidence in the words and numbers that all reports share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from . import evidence
from .evidence import ABSENT, DIRECTION, FAILS, HOLDS, Evidence, Finding
from .rounding import Format, is_whole, number, three_digits

MARKS = {HOLDS: "✓", DIRECTION: "◐", FAILS: "✗", ABSENT: "–"}
"""A sign for each verdict, so that none is told by its colour alone."""

NO_EVIDENCE = "No evidence: the preset smoke only shows that everything runs; its numbers and verdicts mean nothing."

SUPPORT = "Verdicts are decided on the means over seeds; k/n says that the same is true in k of n seeds by itself."
"""What the fraction beside a verdict is."""


@dataclass(frozen=True)
class Tally:
    """How many claims have which verdict; of those that hold, how many do so in each seed by itself."""

    all_seeds: int = 0
    mean_only: int = 0
    direction: int = 0
    fails: int = 0
    absent: int = 0

    @property
    def counts(self) -> tuple[int, int, int, int, int]:
        """The five numbers in this order."""
        return (self.all_seeds, self.mean_only, self.direction, self.fails, self.absent)

    @property
    def total(self) -> int:
        """The number of claims."""
        return sum(self.counts)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(one + another for one, another in zip(self.counts, other.counts, strict=True)))

    @property
    def told(self) -> tuple[str, ...]:
        """Each number in words: `3 hold in all seeds`."""
        texts = (
            ("holds in all seeds", "hold in all seeds"),
            ("holds on the mean only", "hold on the mean only"),
            ("holds in direction only", "hold in direction only"),
            ("does not hold", "do not hold"),
            ("is not measured", "are not measured"),
        )
        return tuple(f"{n} {one if n == 1 else many}" for n, (one, many) in zip(self.counts, texts, strict=True))

    def __str__(self) -> str:
        told = [text for n, text in zip(self.counts, self.told, strict=True) if n]
        return f"{self.total} {'claim' if self.total == 1 else 'claims'}: {', '.join(told) or 'none'}"


def tally(found: Sequence[Evidence]) -> Tally:
    """Count the verdicts of a paper's claims, each by the best of its evidence; all zero where there is none."""
    return count([finding for finding, _ in evidence.best(found)])


def count(findings: Sequence[Finding]) -> Tally:
    """Count the verdicts of findings."""
    holding = [finding for finding in findings if finding.verdict == HOLDS]
    in_all = sum(finding.holds_in_all_seeds for finding in holding)
    others = (sum(finding.verdict == verdict for finding in findings) for verdict in (DIRECTION, FAILS, ABSENT))
    return Tally(in_all, len(holding) - in_all, *others)


def asked_for(found: Evidence) -> list[Finding]:
    """The claims that a run was to measure: all, or those that it was restricted to and what was measured with them."""
    return [one for one in found.claims if not found.only or one.measured or one.id in found.only]


def support(finding: Finding) -> str:
    """In how many seeds, of how many, the verdict is true by itself: `2/3`; empty where nothing was measured."""
    return f"{finding.support[0]}/{finding.support[1]}" if finding.support[1] else ""


def verdict(finding: Finding) -> str:
    """The verdict with its mark and support: `✓ holds (3/3)`."""
    told = f"{MARKS[finding.verdict]} {finding.verdict}"
    return f"{told} ({support(finding)})" if support(finding) else told


@dataclass(frozen=True)
class Row:
    """The numbers of one key of a claim as a table shows them; a text is empty where there is nothing to show."""

    label: str
    mean: str
    std: str
    seeds: tuple[str, ...]
    paper: str

    @property
    def measured(self) -> str:
        """`0.902 ± 0.002`."""
        return f"{self.mean} ± {self.std}" if self.std else self.mean


def rows(finding: Finding) -> list[Row]:
    """The numbers of a claim under their readable labels.

    There is a standard deviation where there are several seeds and they differ, the seeds' own numbers likewise, and a
    number of the paper where it is known.
    """
    return [_row(finding, key) for key in finding.paper if finding.measured or finding.paper[key] is not None]


def _row(finding: Finding, key: str) -> Row:
    stated = finding.paper[key]
    if not finding.measured:
        return Row(finding.labels[key], "", "", (), number(stated))
    summary = finding.measured[key]
    values = [math.nan if value is None else value for value in summary["values"]]
    write = _format([summary["mean"], summary["std"]] if summary["mean"] is not None else summary["values"], stated)
    write_seed = Format(0) if is_whole(values) else write
    differ = len(set(summary["values"])) > 1
    return Row(
        finding.labels[key],
        write(math.nan if summary["mean"] is None else summary["mean"]),
        write(summary["std"]) if differ and summary["std"] is not None else "",
        tuple(map(write_seed, values)) if differ else (),
        "" if stated is None else write(stated),
    )


def _format(numbers: Sequence[float | None], stated: float | None) -> Format:
    """The format of a row: three digits of what was measured, and one decimal more where the paper's needs it."""
    if is_whole([*numbers, stated]):
        return Format(0)
    mine, theirs = three_digits(numbers), three_digits([stated])
    if stated is None or mine.decimals is None or theirs.decimals is None:
        return mine
    return Format(min(max(mine.decimals, theirs.decimals), mine.decimals + 1))


def seeds(found: Evidence) -> str:
    """`seeds 0 to 2`, `seed 7`."""
    listed = found.seeds
    if len(listed) == 1:
        return f"seed {listed[0]}"
    if list(listed) == list(range(listed[0], listed[-1] + 1)):
        return f"seeds {listed[0]} to {listed[-1]}"
    return f"seeds {', '.join(map(str, listed))}"


def duration(seconds: float) -> str:
    """A duration as a person says it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def machine(found: Evidence) -> str:
    """What it was measured on: `2 CPU cores`, or the name of the GPU."""
    cores = found.hardware["cores"]
    return found.hardware.get("gpu") or ("1 CPU core" if cores == 1 else f"{cores} CPU cores")


def summary(found: Evidence) -> str:
    """How and at what cost evidence was measured, in one line."""
    only = f" for {' and '.join(found.only)}" if found.only else ""
    parts = (f"preset {found.preset}{only}", seeds(found), machine(found), duration(found.seconds))
    return f"{', '.join(parts)}, version {found.version}"
