"""Reports on evidence: on the terminal, as Markdown, and as one self-contained HTML page."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from . import files, markdown, words
from .evidence import ABSENT, DIRECTION, FAILS, HOLDS, Evidence, Finding
from .page import html
from .words import Row, Tally, rows, tally, verdict

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["STYLES", "Row", "Tally", "html", "rows", "tally", "terminal", "verdict", "write"]

STYLES = {HOLDS: "green", DIRECTION: "blue", FAILS: "red", ABSENT: "dim"}
"""How the terminal shows each verdict."""

WIDEST = 100
"""Columns of the terminal that are used."""


def write(found: Evidence, folder: Path, name: str | None = None) -> None:
    """Write evidence as JSON, Markdown and HTML to `folder`, under its own name or the one given."""
    name = name or found.name
    files.write_text(folder / f"{name}.md", markdown.page(found))
    files.write_text(folder / f"{name}.html", html([(found, folder)]))
    files.write_json(folder / f"{name}.json", found.to_json())


def terminal(found: Evidence, console: "Console") -> None:
    """Print each claim with its numbers, and below them all verdicts at a glance."""
    width = min(console.width, WIDEST)
    for part in _parts(found):
        console.print(part, width=width, highlight=False)


def _parts(found: Evidence) -> "Iterator[RenderableType]":
    from rich.rule import Rule
    from rich.text import Text

    yield Text(f"{found.paper}: {words.summary(found)}", "bold")
    smoke = [Text(words.NO_EVIDENCE, "bold yellow")] if found.preset == "smoke" else []
    yield from smoke
    for finding in words.asked_for(found):
        yield ""
        yield from _claim(finding, has_others=len(found.references) > 1)
    yield Rule(style="dim")
    yield from _overview(found)
    yield Text(f"{words.count(words.asked_for(found))}. {words.SUPPORT}")
    yield from smoke


def _claim(finding: Finding, *, has_others: bool) -> "Iterator[RenderableType]":
    from rich.padding import Padding
    from rich.text import Text

    yield Text.assemble((finding.id, "bold"), "  ", (verdict(finding), STYLES[finding.verdict]))
    told = {
        "Claimed by": finding.source if has_others else "",
        "Metric": finding.metric,
        "Criterion": finding.criterion,
        "Not measured": finding.note if finding.verdict == ABSENT else "",
    }
    yield Padding(Text(finding.statement), (0, 0, 0, 2), expand=False)
    for name, text in told.items():
        if text:
            yield Padding(Text.assemble((f"{name}: ", "dim"), text), (0, 0, 0, 2), expand=False)
    if rows(finding):
        yield Padding(_numbers(finding), (0, 0, 0, 4), expand=False)


def _numbers(finding: Finding) -> "RenderableType":
    """The numbers of a claim, without a column that would be empty."""
    from rich.table import Table
    from rich.text import Text

    listed = rows(finding)
    columns = {"measured": [row.measured for row in listed], "paper": [row.paper for row in listed]}
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim", show_edge=False)
    table.add_column("")
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    for row, *cells in zip(listed, *shown.values(), strict=True):
        table.add_row(Text(row.label), *cells)
    return table


def _overview(found: Evidence) -> "Iterator[RenderableType]":
    """A line for each claim: verdict, support, id."""
    from rich.text import Text

    listed = [(f"{words.MARKS[one.verdict]} {one.verdict}", words.support(one), one) for one in words.asked_for(found)]
    first, second = (max(map(len, column)) for column in ([one[0] for one in listed], [one[1] for one in listed]))
    for told, support, finding in listed:
        yield Text.assemble((told.ljust(first), STYLES[finding.verdict]), f"  {support:<{second}}  {finding.id}")
