"""The HTML page of evidence, which needs no other file and no script."""

import base64
import html as markup
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from . import evidence, words
from .evidence import ABSENT, DIRECTION, FAILS, HOLDS, Evidence, Finding
from .paper import PRESETS, Reference
from .words import Row, Tally

if TYPE_CHECKING:
    from jinja2 import Template

CLASSES = {HOLDS: "holds", DIRECTION: "direction", FAILS: "fails", ABSENT: "absent"}
"""What the style sheet calls each verdict."""

KINDS = {".svg": "image/svg+xml", ".png": "image/png"}

OPEN = 8
"""Up to so many papers, the overview of each is unfolded."""


@dataclass(frozen=True)
class Figure:
    """A figure where it is shown first, or a link to that place."""

    anchor: str
    name: str
    """What links to it say."""
    caption: str
    alternative: str
    """For those who do not see it."""
    source: str
    """Data URI, empty where the figure stands elsewhere; as an image, nothing in it can run."""


@dataclass(frozen=True)
class Section:
    """A claim on the page."""

    anchor: str
    finding: Finding
    found: Evidence
    rows: list[Row]
    figures: list[Figure]


@dataclass(frozen=True)
class Chapter:
    """A paper, or the papers that a package implements, on the page."""

    anchor: str
    found: list[Evidence]
    sections: list[Section]

    @property
    def name(self) -> str:
        """The package's."""
        return self.found[0].paper

    @property
    def field(self) -> str:
        """Field of research."""
        return self.found[0].field

    @property
    def references(self) -> tuple[Reference, ...]:
        """The papers."""
        return self.found[0].references

    @property
    def tally(self) -> Tally:
        """How many claims have which verdict."""
        return words.count([section.finding for section in self.sections])

    @property
    def is_smoke(self) -> bool:
        """Whether it is no evidence."""
        return self.found[0].preset == "smoke"


def html(found: Sequence[tuple[Evidence, Path]]) -> str:
    """One page of evidence, each piece of which comes with the folder of its figures.

    Evidence of one paper in one folder is shown together, each claim as it was measured at the largest preset.
    """
    chapters = _chapters(found)
    total = sum((chapter.tally for chapter in chapters), Tally())
    return _template().render(chapters=chapters, total=total, words=words, is_open=len(chapters) <= OPEN)


@cache
def _template() -> "Template":
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(prose=prose, verdict=words.verdict, support=words.support, mark=words.MARKS.__getitem__)
    environment.filters.update(duration=words.duration, summary=words.summary, css=CLASSES.__getitem__)
    return environment.from_string(resources.files(__package__).joinpath("report.html.j2").read_text("utf-8"))


def _chapters(found: Sequence[tuple[Evidence, Path]]) -> list[Chapter]:
    together: dict[tuple[str, Path, tuple[str, ...]], list[Evidence]] = {}
    for one, folder in found:
        together.setdefault((one.paper, folder, tuple(finding.id for finding in one.claims)), []).append(one)
    anchors: Counter[str] = Counter()
    chapters = []
    for (name, folder, _), pieces in together.items():
        anchors[name] += 1
        anchor = name if anchors[name] == 1 else f"{name}-{anchors[name]}"
        chapters.append(_chapter(anchor, _ranked(pieces), folder))
    return chapters


def _ranked(pieces: Sequence[Evidence]) -> list[Evidence]:
    """The largest preset first, and what `smoke` measured only where there is nothing else."""
    largest_first = sorted(pieces, key=lambda one: (-list(PRESETS).index(one.preset), one.only))
    return [one for one in largest_first if one.preset != "smoke"] or largest_first


def _chapter(anchor: str, found: list[Evidence], folder: Path) -> Chapter:
    shown: dict[str, str] = {}
    sections = []
    for finding, one in evidence.best(found):
        if finding in words.asked_for(one):
            place = f"{anchor}-{finding.id}"
            figures = [_figure(name, place, finding, one, folder, shown) for name in finding.figures]
            sections.append(Section(place, finding, one, words.rows(finding), figures))
    return Chapter(anchor, found, sections)


def _figure(name: str, section: str, finding: Finding, found: Evidence, folder: Path, shown: dict[str, str]) -> Figure:
    """The figure, or a link to the section that shows it already."""
    place = shown.setdefault(f"{found.name}/{name}", section)
    caption = found.captions.get(name, "")
    source = _image(folder / name) if place == section else ""
    stem = Path(name).stem
    return Figure(f"{place}-{stem}", caption or stem.replace("-", " "), caption, caption or finding.statement, source)


def _image(path: Path) -> str:
    return f"data:{KINDS[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def prose(text: str) -> str:
    """Plain text with `code` in it, as HTML."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", markup.escape(text))
