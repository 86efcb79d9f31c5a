"""The parts of READMEs that are rendered from evidence."""

import re
import tomllib
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from . import evidence, markdown, words
from .evidence import ABSENT, DIRECTION, FAILS, HOLDS
from .words import MARKS, Tally

PART = re.compile(r"(<!-- separata:(claims|papers) -->\n).*?(<!-- /separata -->)", re.DOTALL)
"""What stands between these comments is rendered."""

UNMEASURED = "Not measured yet"

COUNTED = (MARKS[HOLDS], f"({MARKS[HOLDS]})", MARKS[DIRECTION], MARKS[FAILS], MARKS[ABSENT])
"""Marks of what a `Tally` counts."""


def render(root: Path) -> dict[Path, str]:
    """The text that each README of a source tree should have.

    Between `<!-- separata:claims -->` and `<!-- /separata -->`, a package's README has its claims, each with the best
    evidence that there is; the root's README has the table of all papers between `<!-- separata:papers -->` and the
    same end.

    Raises:
        ValueError: if a README has no such part.
    """
    folders = sorted(path.parent for path in root.glob("packages/*/pyproject.toml"))
    texts = {folder / "README.md": _fill(folder / "README.md", claims(folder)) for folder in folders}
    return {root / "README.md": _fill(root / "README.md", papers(folders)), **texts}


def _fill(path: Path, part: str) -> str:
    text, count = PART.subn(lambda match: f"{match[1]}{part}{match[3]}", path.read_text(encoding="utf-8"))
    if not count:
        raise ValueError(f"{path} has no part between <!-- separata:claims --> or :papers --> and <!-- /separata -->")
    return text


def claims(folder: Path) -> str:
    """The claims of the package in `folder` with their evidence."""
    found = evidence.collect(folder / "results")
    return markdown.claims(evidence.best(found), found, "results/") if found else f"{UNMEASURED}.\n"


def papers(folders: list[Path]) -> str:
    """The table of all papers by field, with the numbers of their claims by verdict."""
    listed = sorted(map(_listed, folders), key=lambda one: (one.field == UNMEASURED, one.field, one.name))
    lines = []
    for field, of_field in groupby(listed, key=lambda one: one.field):
        lines.append(("", f"**{field}**", *(f"**{mark}**" for mark in COUNTED)))
        lines += [one.cells for one in of_field]
    total = sum((one.tally for one in listed), Tally())
    legend = ", ".join(f"{mark} {text}" for mark, text in zip(COUNTED, total.told, strict=True))
    return f"Of {total.total} claims, {legend}.\n\n{markdown.lines(lines, numeric=range(2, 7))}\n"


@dataclass(frozen=True)
class _Listed:
    """A package as the table of all papers has it."""

    name: str
    gives: str
    field: str
    methods: tuple[str, ...]
    tally: Tally

    @property
    def cells(self) -> tuple[str, ...]:
        """Its row."""
        methods = f" ({', '.join(self.methods)})" if self.methods else ""
        counts = (str(n or "") for n in self.tally.counts)
        return (f"[{self.name}](packages/{self.name})", markdown.prose(self.gives + methods), *counts)


def _listed(folder: Path) -> _Listed:
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # "What it gives: how"; one line a paper has no room for the second part.
    gives = project["description"].split(":")[0]
    found = evidence.collect(folder / "results")
    references = found[0].references if found else ()
    methods = tuple(one.short for one in references if one.short != folder.name)
    return _Listed(folder.name, gives, found[0].field if found else UNMEASURED, methods, words.tally(found))
