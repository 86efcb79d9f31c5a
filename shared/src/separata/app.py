"""The command `separata`: everything that is installed, at once."""

import json as json_module
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import cli
from .commands import default_preset, measure
from .paper import Paper
from .threads import asked

LEGEND = (
    "Claims that hold: {} in all seeds, {} on the mean over seeds only, {} in direction only, {} not; {} not measured. "
    "NAME claims shows them."
)


def list_papers(*, json: bool = False) -> None:
    """List the installed papers and how many of their claims hold.

    Args:
        json: Print as JSON.
    """
    from . import papers

    found, broken = papers.survey()
    rows = [_row(paper) for paper in found] + [{"name": one.name, "error": one.reason} for one in broken]
    rows.sort(key=lambda row: row["name"])
    if json:
        print(json_module.dumps(rows, indent=2, ensure_ascii=False))  # noqa: T201
    elif rows:
        print(_table(rows))  # noqa: T201
    else:
        print("No paper is installed; pip install one, such as snn-continual.")  # noqa: T201


def _row(paper: Paper) -> dict[str, Any]:
    """What the list says of a paper."""
    from . import claims, words

    try:
        tally = words.count([finding for finding, _ in claims.found(paper)])
    except (OSError, ValueError) as error:
        return {"name": paper.name, "error": str(error)}
    return {
        "name": paper.name,
        "version": paper.version,
        "field": paper.field,
        "title": paper.title,
        "references": [{"cited": one.cited, "url": one.url} for one in paper.references],
        "claims": tally.total,
        "verdicts": vars(tally),
    }


def _table(rows: list[dict[str, Any]]) -> str:
    """One line a paper, in 79 columns, and what the columns are."""
    from .evidence import ABSENT, DIRECTION, FAILS, HOLDS
    from .words import MARKS

    heads = (MARKS[HOLDS], f"({MARKS[HOLDS]})", *(MARKS[verdict] for verdict in (DIRECTION, FAILS, ABSENT)))
    name = max([len("paper"), *(len(row["name"]) for row in rows)])
    field = cli.WIDTH - name - 5 * len(heads) - 4
    lines = [f"{'paper':<{name}}  {'field':<{field}}  {''.join(f'{head:>5}' for head in heads)}"]
    for row in rows:
        if "error" in row:
            lines.append(_cut(f"{row['name']:<{name}}  {row['error']}", cli.WIDTH))
            continue
        numbers = "".join(f"{n or '·':>5}" for n in row["verdicts"].values())
        lines.append(f"{row['name']:<{name}}  {_cut(row['field'], field):<{field}}  {numbers}")
    return "\n".join([*lines, "", textwrap.fill(LEGEND.format(*heads), cli.WIDTH)])


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def reproduce(
    names: tuple[str, ...],
    /,
    *,
    preset: str = default_preset(),
    seeds: int | None = None,
    first_seed: int = 0,
    threads: int | None = None,
    device: str = "auto",
    precision: str = "32-true",
    devices: int = 1,
    nodes: int = 1,
    out: Path = Path("separata-runs"),
    resume: bool = False,
) -> None:
    """Measure the claims of several papers, one after the other.

    Args:
        names: Names of installed papers.
        preset: How much to spend on each: smoke (20 s; no evidence), quick (10 min on 2 CPU cores), gpu (10 min on
            one GPU) or paper (the paper's own setting).
        seeds: Number of seeds; 3, or 1 for smoke, if not given.
        first_seed: The seeds are this one and those that follow.
        threads: CPU threads per process; $OMP_NUM_THREADS, or 1, if not given.
        device: auto, cpu or cuda.
        precision: Precision as Lightning Fabric names it, such as 32-true or bf16-mixed.
        devices: Processes on this machine, each on its own device.
        nodes: Machines.
        out: Folder for the reports, with a folder for each paper.
        resume: Continue an interrupted run in the same folder.
    """
    from . import papers
    from .reproduce import Plan
    from .run import Compute

    if not names:
        raise ValueError("name at least one paper; `separata list` shows those installed")
    compute = Compute(device, precision, devices, nodes, asked(threads))
    for paper in [papers.find(name) for name in names]:
        measure(paper, Plan(preset, out / paper.name, seeds, (), compute, resume, first_seed))


def report(folders: tuple[Path, ...] = (), /, *, out: Path = Path("separata-report.html")) -> None:
    """Put all evidence on one page.

    It is the evidence that came with the installed papers, or that in the given folders.

    Args:
        folders: Folders with evidence files, as `reproduce` wrote them.
        out: The HTML page to write.
    """
    from . import evidence, files, papers
    from . import report as pages

    found = [(one, evidence.folder_of(paper)) for paper in papers.installed() for one in evidence.of(paper)]
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
    """Render the evidence in the READMEs of a source tree.

    Args:
        root: The source tree.
        check: Change nothing; fail if a README is not current.
    """
    from . import files
    from .readme import render

    rendered = render(root)
    stale = [path for path, text in rendered.items() if path.read_text(encoding="utf-8") != text]
    if stale and check:
        raise ValueError(f"not current, run `separata readme`: {', '.join(str(path) for path in stale)}")
    for path in stale:
        files.write_text(path, rendered[path])
        print(path)  # noqa: T201


def main() -> None:
    """Run the command `separata`."""
    from importlib.metadata import version

    from .new import new

    commands: dict[str, Callable[..., Any]] = {
        "list": list_papers,
        "reproduce": reproduce,
        "report": report,
        "new": new,
        "readme": readme,
    }
    cli.run("separata", "Research papers as packages, each with evidence.", commands, lambda: version("separata"))
