"""Reports on evidence: a terminal table, Markdown, and one self-contained HTML page."""

import base64
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import files
from .evidence import ABSENT, FAILS, HOLDS, Evidence, Finding

MARKS = {HOLDS: "✓", FAILS: "✗", ABSENT: "–"}
COLOURS = {HOLDS: "green", FAILS: "red", ABSENT: "dim"}


def write(evidence: Evidence, folder: Path, name: str | None = None) -> None:
    """Write the evidence as JSON, Markdown and HTML to `folder`, under the preset's name or the one given."""
    name = name or evidence.preset
    files.write_text(folder / f"{name}.md", markdown(evidence))
    files.write_text(folder / f"{name}.html", html([(evidence, folder)]))
    files.write_json(folder / f"{name}.json", evidence.to_json())


def number(value: float | None) -> str:
    """A number as a table shows it."""
    if value is None:
        return "–"
    if value != 0 and (abs(value) >= 1e5 or abs(value) < 1e-3):
        return f"{value:.2e}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def measured(finding: Finding) -> str:
    """What was measured, each key with its mean and standard deviation."""
    return ", ".join(
        f"{key} {number(value['mean'])}" + (f" ± {number(value['std'])}" if value["n"] > 1 and value["std"] else "")
        for key, value in finding.measured.items()
    )


def stated(finding: Finding) -> str:
    """The paper's own numbers."""
    return ", ".join(f"{key} {number(value)}" for key, value in finding.paper.items() if value is not None)


def verdict(finding: Finding) -> str:
    """The verdict with its mark and support."""
    support = f" ({finding.support[0]}/{finding.support[1]})" if finding.support[1] else ""
    return f"{MARKS[finding.verdict]} {finding.verdict}{support}"


def summary(evidence: Evidence) -> str:
    """How and at what cost the evidence was measured, in one line."""
    machine = evidence.hardware.get("gpu") or f"{evidence.hardware['cores']} CPU cores"
    seeds = "1 seed" if len(evidence.seeds) == 1 else f"{len(evidence.seeds)} seeds"
    return f"preset `{evidence.preset}`, {seeds}, {machine}, {duration(evidence.seconds)}, version {evidence.version}"


def duration(seconds: float) -> str:
    """A duration as a person says it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def terminal(evidence: Evidence, console: Console) -> None:
    """Print the claims with their verdicts."""
    table = Table(title=f"{evidence.paper}: {summary(evidence)}", title_justify="left", show_lines=True)
    for heading in ("claim", "measured", "paper", "verdict"):
        table.add_column(heading, overflow="fold")
    for finding in evidence.claims:
        claim = Text.assemble((finding.id, "bold"), f"\n{finding.statement}\n", (finding.metric, "dim"))
        values = "\n".join(measured(finding).split(", "))
        table.add_row(
            claim, values, "\n".join(stated(finding).split(", ")), Text(verdict(finding), COLOURS[finding.verdict])
        )
    console.print(table)


def markdown(evidence: Evidence) -> str:
    """The claims as a Markdown table."""
    lines = [
        f"Measured with {summary(evidence)}.",
        "",
        "| Claim | Metric | Paper | Measured | Verdict |",
        "|---|---|---|---|---|",
    ]
    for finding in evidence.claims:
        note = f"<br>*{finding.note}*" if finding.note else ""
        cells = (
            f"**{finding.id}**: {finding.statement}{note}",
            finding.metric,
            stated(finding) or "–",
            measured(finding) or "–",
        )
        lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} | {verdict(finding)} |")
    return "\n".join(lines) + "\n"


def html(evidence: Sequence[tuple[Evidence, Path]]) -> str:
    """One page that needs no other file; each piece of evidence comes with the folder of its figures."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(number=number, duration=duration, mark=MARKS.__getitem__)
    template = environment.from_string(resources.files(__package__).joinpath("report.html.j2").read_text("utf-8"))
    return template.render(papers=[_for_page(one, folder) for one, folder in evidence])


def _for_page(evidence: Evidence, folder: Path) -> dict[str, Any]:
    counts = {verdict: sum(f.verdict == verdict for f in evidence.claims) for verdict in MARKS}
    figures = {name: _image(folder / name) for finding in evidence.claims for name in finding.figures}
    return {"evidence": evidence, "counts": counts, "figures": figures, "summary": summary(evidence).replace("`", "")}


def _image(path: Path) -> str:
    """The figure as a data URI; as an image, nothing in it can run."""
    kind = {".svg": "image/svg+xml", ".png": "image/png"}[path.suffix]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
