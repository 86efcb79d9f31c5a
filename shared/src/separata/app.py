"""The command `separata`: everything that is installed, at once."""

import json as json_module
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import cli


def list_papers(*, json: bool = False) -> None:
    """List the installed papers with their versions, claims and latest evidence.

    Args:
        json: Print as JSON.
    """
    from rich.console import Console
    from rich.table import Table

    from . import evidence, papers

    rows: list[dict[str, Any]] = []
    for paper in papers.installed():
        latest = next(iter(evidence.of(paper)), None)
        holding = sum(finding.verdict == evidence.HOLDS for finding in latest.claims) if latest else 0
        rows.append(
            {
                "name": paper.name,
                "version": paper.version,
                "title": paper.title,
                "claims": len(paper.claims),
                "holding": holding,
                "preset": latest.preset if latest else None,
                "measured": latest.started if latest else None,
            }
        )
    if json:
        print(json_module.dumps(rows, indent=2))  # noqa: T201
        return
    table = Table("paper", "version", "claims that hold", "measured", "title")
    for row in rows:
        measured = f"{row['preset']}, {row['measured'][:10]}" if row["preset"] else "not yet"
        table.add_row(row["name"], row["version"], f"{row['holding']} of {row['claims']}", measured, row["title"])
    console = Console()
    console.print(table if rows else "No paper is installed; pip install one, such as snn-continual.")


def reproduce(
    names: tuple[str, ...],
    /,
    *,
    preset: str = cli.default_preset(),
    seeds: int | None = None,
    device: str = "auto",
    precision: str = "32-true",
    devices: int = 1,
    nodes: int = 1,
    out: Path = Path("separata-runs"),
    resume: bool = False,
) -> None:
    """Measure what several papers claim, one after the other.

    Args:
        names: Names of installed papers.
        preset: The scale: smoke, quick, gpu or paper.
        seeds: Number of seeds; 3, or 1 for smoke, if not given.
        device: auto, cpu or cuda.
        precision: Lightning Fabric's name of the precision, such as 32-true or bf16-mixed.
        devices: Processes on this machine, each with a device of its own.
        nodes: Machines.
        out: Folder for the reports, one folder in it for each paper.
        resume: Go on with an interrupted run in the same folder.
    """
    from . import papers

    if not names:
        raise ValueError("name at least one paper; `separata list` shows those installed")
    chosen = [papers.find(name) for name in names]
    for paper in chosen:
        where = (device, precision, devices, nodes)
        cli.reproduce_and_show(paper, preset, (), seeds, where, out / paper.name, resume=resume, as_json=False)


def report(folders: tuple[Path, ...] = (), /, *, out: Path = Path("separata-report.html")) -> None:
    """Put all evidence on one page: what came with the installed papers, or what is in the given folders.

    Args:
        folders: Folders with evidence files, as `reproduce` wrote them.
        out: The HTML page to write.
    """
    from . import evidence, files, papers
    from . import report as pages

    found = [(one, evidence.folder_of(paper)) for paper in papers.installed() for one in evidence.of(paper)[:1]]
    if folders:
        found = [(evidence.load(path), path.parent) for folder in folders for path in _evidence_files(folder)]
    if not found:
        raise ValueError("there is no evidence to report on; run `separata reproduce PAPER` first, or name its folder")
    files.write_text(out, pages.html(found))
    print(out)  # noqa: T201


def _evidence_files(folder: Path) -> list[Path]:
    """The evidence files in a folder and in those directly below it."""
    found = [
        path for path in sorted([*folder.glob("*.json"), *folder.glob("*/*.json")]) if not path.name.startswith(".")
    ]
    if not found:
        raise FileNotFoundError(f"there is no evidence file in {folder}")
    return found


def readme(root: Path = Path(), /, *, check: bool = False) -> None:
    """Render the evidence tables in the READMEs of a Separata source tree.

    Args:
        root: The source tree.
        check: Change nothing; fail if a README is not current.
    """
    from . import files
    from .readme import render

    stale = [path for path, text in render(root).items() if path.read_text(encoding="utf-8") != text]
    if stale and check:
        raise ValueError(f"not current, run `separata readme`: {', '.join(str(path) for path in stale)}")
    for path in stale:
        files.write_text(path, render(root)[path])
        print(path)  # noqa: T201


def main() -> None:
    """Run the command `separata`."""
    from importlib.metadata import version

    commands: dict[str, Callable[..., Any]] = {
        "list": list_papers,
        "reproduce": reproduce,
        "report": report,
        "readme": readme,
    }
    cli.run("separata", "Research papers as packages, each with evidence.", commands, lambda: version("separata"))
