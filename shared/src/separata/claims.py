"""A paper's claims with their evidence, as the command `claims` shows them."""

import json
import textwrap
from dataclasses import asdict
from typing import Any

from . import evidence, words
from .arguments import WIDEST
from .evidence import Evidence, Finding
from .paper import Paper


def found(paper: Paper) -> list[tuple[Finding, Evidence | None]]:
    """Each claim as it was measured at the largest preset at which it was, with the evidence that it is from."""
    by_id = {finding.id: (finding, one) for finding, one in evidence.best(evidence.of(paper))}
    return [by_id.get(claim.id) or (evidence.find(paper, claim, [], note=claim.note), None) for claim in paper.claims]


def as_json(paper: Paper) -> str:
    """The claims with their findings, as JSON."""
    value = {
        "paper": paper.name,
        "title": paper.title,
        "url": paper.url,
        "references": [asdict(one) | {"url": one.url} for one in paper.references],
        "claims": [_row(finding, one) for finding, one in found(paper)],
    }
    return json.dumps(value, indent=2, ensure_ascii=False)


def _row(finding: Finding, measured_in: Evidence | None) -> dict[str, Any]:
    names = ("preset", "seeds", "commit", "version", "started", "hardware")
    return vars(finding) | {name: getattr(measured_in, name, None) for name in names}


def as_text(paper: Paper) -> str:
    """The claims for people: first verdict and numbers, then what they are of."""
    heads = "\n".join(f"{_fill(one.cited, 0)}\n{one.url}".rstrip() for one in paper.references)
    claims = found(paper)
    tally = _fill(str(words.count([finding for finding, _ in claims])), 0)
    return "\n\n".join([heads, tally, *(_block(paper, *one) for one in claims)])


def _block(paper: Paper, finding: Finding, measured_in: Evidence | None) -> str:
    where = f", preset {measured_in.preset}" if measured_in and finding.measured else ""
    told = {
        "Criterion": finding.criterion,
        "Metric": finding.metric,
        "Claimed by": finding.source if paper.others else "",
        "Note": finding.note,
    }
    lines = [f"{words.verdict(finding)}  {finding.id}{where}", *_numbers(finding), _fill(finding.statement, 2)]
    return "\n".join([*lines, *(_fill(f"{name}: {text}", 2) for name, text in told.items() if text)])


def _numbers(finding: Finding) -> list[str]:
    """What was measured beside the paper's own numbers, one key a line, in columns."""
    rows = [(row.label, row.measured, row.paper and f"paper: {row.paper}") for row in words.rows(finding)]
    columns = [column for column in zip(*rows, strict=True) if any(column)]
    padded = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns]
    return [f"    {'  '.join(cells)}".rstrip() for cells in zip(*padded, strict=True)]


def _fill(text: str, indent: int) -> str:
    """The text in lines of fewer than 80 columns."""
    margin = " " * indent
    return textwrap.fill(text, WIDEST - 1, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)
