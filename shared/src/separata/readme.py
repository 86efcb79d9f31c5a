"""The parts of READMEs that are rendered from evidence."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from . import evidence, report
from .evidence import Evidence
from .paper import PRESETS

PART = re.compile(r"(<!-- separata:(claims|papers) -->\n).*?(<!-- /separata -->)", re.DOTALL)
"""What stands between these comments is rendered."""


def render(root: Path) -> dict[Path, str]:
    """The text that each README of a source tree should have.

    Between `<!-- separata:claims -->` and `<!-- /separata -->`, a package's README has its claims with their evidence,
    at each preset that was measured; the root's README has the table of all papers between `<!-- separata:papers -->`
    and the same end.

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
    """The claims of the package in `folder`, at each preset that was measured, with the figures."""
    parts = []
    for one in _evidence(folder):
        figures = dict.fromkeys(name for finding in one.claims for name in finding.figures)
        images = "\n".join(f"![{Path(name).stem}](results/{name})" for name in figures)
        parts.append(f"{report.markdown(one)}\n{images}\n" if images else report.markdown(one))
    return "\n".join(parts) or "Not measured yet.\n"


def papers(folders: list[Path]) -> str:
    """The table of all papers with their verdicts."""
    lines = ["| Package | What it gives you | Claims that hold | Measured with |", "|---|---|---|---|"]
    for folder in folders:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        latest = next(_evidence(folder), None)
        holding = sum(finding.verdict == evidence.HOLDS for finding in latest.claims) if latest else 0
        measured = f"{holding} of {len(latest.claims)} | {report.summary(latest)}" if latest else "not measured yet | –"
        lines.append(f"| [{folder.name}](packages/{folder.name}) | {project['description']} | {measured} |")
    return "\n".join(lines) + "\n"


def _evidence(folder: Path) -> Iterator[Evidence]:
    """The evidence in a package's folder, the largest preset first."""
    for preset in reversed(PRESETS):
        path = folder / "results" / f"{preset}.json"
        if preset != "smoke" and path.is_file():
            yield evidence.load(path)
