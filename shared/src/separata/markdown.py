"""Claims with their evidence as Markdown: a summary table, and below it the numbers and figures of each, folded."""

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from . import words
from .evidence import Evidence, Finding

Claims = Sequence[tuple[Finding, Evidence]]
"""Findings, each with the evidence that it is from, as `evidence.best` gives them."""


def page(found: Evidence) -> str:
    """One piece of evidence as a document of its own, beside its figures."""
    papers = [f"- [{prose(one.cited)}]({one.url})" if one.url else f"- {prose(one.cited)}" for one in found.references]
    head = [f"# {found.paper}: claims and measurements", "\n".join(papers)]
    return "\n\n".join([*head, claims([(finding, found) for finding in words.asked_for(found)], [found])])


def claims(best: Claims, found: Sequence[Evidence], folder: str = "") -> str:
    """How the claims were measured, the summary table, and the details.

    Args:
        best: The claims.
        found: All evidence that there is of them.
        folder: Where the evidence lies, as links to its figures have it: `results/`.
    """
    warning = [f"> **{words.NO_EVIDENCE}**"] if any(one.preset == "smoke" for one in found) else []
    measured = "\n".join(f"- {how(one)}" for one in found) if len(found) > 1 else f"{how(found[0])}."
    return "\n\n".join([*warning, measured, summary(best), words.SUPPORT, *details(best, found, folder)]) + "\n"


def how(found: Evidence) -> str:
    """How evidence was measured, and from which commit."""
    told = f"Measured with {words.summary(found)}"
    return f"{told}, commit `{found.commit[:12]}`" if found.commit else told


def summary(best: Claims) -> str:
    """The table of the claims: each in a sentence, with its verdict and the seeds that agree.

    Where they differ, it also says whose claim it is and at which preset it was measured.
    """
    columns = {
        "Claim": [f"**{finding.id}**: {prose(finding.statement)}" for finding, _ in best],
        "Paper": [finding.source for finding, _ in best],
        "Verdict": [_unbroken(f"{words.MARKS[finding.verdict]} {finding.verdict}") for finding, _ in best],
        "Seeds": [words.support(finding) for finding, _ in best],
        "Preset": [one.preset if finding.measured else "" for finding, one in best],
    }
    told_once = [name for name in ("Paper", "Preset") if len({*columns[name], ""}) <= 2]
    return table({name: cells for name, cells in columns.items() if name not in told_once})


def details(best: Claims, found: Sequence[Evidence], folder: str = "") -> list[str]:
    """What is behind each claim, folded: metric, criterion, numbers, note, figures; a shared figure stands once."""
    parts: list[str] = []
    shown: dict[str, str] = {}
    for finding, one in best:
        elsewhere = [
            f"`{other.name}`: {words.verdict(same)}"
            for other in found
            for same in other.claims
            if other is not one and same.id == finding.id and same.support[1]
        ]
        body = [
            f"<details>\n<summary><code>{finding.id}</code> {words.verdict(finding)}</summary>",
            f"- Metric: {prose(finding.metric)}\n- Criterion: {prose(finding.criterion)}",
            numbers(finding),
            prose(finding.note),
            f"Other measurements: {', '.join(elsewhere)}." if elsewhere else "",
            *_figures(finding, one, folder, shown),
            "</details>",
        ]
        parts.append("\n\n".join(part for part in body if part))
    return parts


def numbers(finding: Finding) -> str:
    """The table of a claim's numbers, empty if there are none."""
    rows = words.rows(finding)
    columns = {
        "": [prose(row.label) for row in rows],
        "Measured": [row.measured for row in rows],
        "Paper": [row.paper for row in rows],
    }
    kept = {name: cells for name, cells in columns.items() if any(cells)}
    return table(kept, numeric=("Measured", "Paper")) if rows else ""


def table(columns: Mapping[str, Sequence[str]], numeric: Sequence[str] = ()) -> str:
    """A table of columns by their headings; those in `numeric` are aligned to the right."""
    places = [place for place, name in enumerate(columns) if name in numeric]
    return lines([tuple(columns), *zip(*columns.values(), strict=True)], places)


def lines(rows: Sequence[Sequence[str]], numeric: Sequence[int] = ()) -> str:
    """A table of rows, the first of which is its head; the columns in `numeric` are aligned to the right."""
    ruler = ["---:" if place in numeric else ":---" for place in range(len(rows[0]))]
    cells = [[cell.replace("|", "&#124;") for cell in row] for row in (rows[0], ruler, *rows[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def prose(text: str) -> str:
    """Plain text with `code` in it, as Markdown that shows just that."""
    return "".join(
        part if part.startswith("`") else _escaped(part) for part in re.split(r"(`[^`]+`)", " ".join(text.split()))
    )


def _escaped(text: str) -> str:
    return re.sub(r"([*\\`\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", html.escape(text, quote=False))


def _unbroken(text: str) -> str:
    return text.replace(" ", "&nbsp;")


def _figures(finding: Finding, one: Evidence, folder: str, shown: dict[str, str]) -> list[str]:
    """The figures of a claim; of those that stand with another claim, the name of that one, once."""
    owners = {name: shown.setdefault(f"{one.name}/{name}", finding.id) for name in finding.figures}
    own = [name for name, owner in owners.items() if owner == finding.id]
    images = [f"![{prose(one.captions.get(name) or finding.statement)}]({folder}{name})" for name in own]
    others = Counter(owner for owner in owners.values() if owner != finding.id)
    told = [f"{'Figure: that' if n == 1 else 'Figures: those'} of `{owner}`." for owner, n in others.items()]
    return [*images, *told]
