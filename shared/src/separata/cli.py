"""The command line that every package shares, made from typed functions."""

import contextlib
import functools
import io
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from .paper import Paper

BAD_INPUT = 2
INTERRUPTED = 130
UNREAD = 141


def default_preset() -> str:
    """The preset where none is asked for: `$SEPARATA_PRESET`, or `quick`."""
    return os.environ.get("SEPARATA_PRESET", "quick")


def main(paper: Paper, commands: Sequence[Callable[..., Any]], arguments: Sequence[str] | None = None) -> None:
    """Run the command line of a paper's package.

    Args:
        paper: The paper.
        commands: The package's own commands: typed functions whose docstrings are the help. A `ValueError` or `OSError`
            that one raises is shown as one line, with exit code 2.
        arguments: Instead of the process's own.
    """
    named = {function.__name__.replace("_", "-"): function for function in commands}
    run(paper.name, f"{paper.title} ({paper.year})", {**named, **_common(paper)}, lambda: paper.version, arguments)


def run(
    name: str,
    description: str,
    commands: Mapping[str, Callable[..., Any]],
    version: Callable[[], str],
    arguments: Sequence[str] | None = None,
) -> None:
    """Run a command line of several commands."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["--version"]:
        print(version())  # noqa: T201
        return
    call = _parse(name, description, commands, words)
    try:
        try:
            call()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        _leave_unread()
    except (ValueError, OSError) as error:
        if os.environ.get("SEPARATA_TRACEBACK"):
            raise
        _refuse(name, " ".join(str(error).split()))


def _parse(
    name: str, description: str, commands: Mapping[str, Callable[..., Any]], words: Sequence[str]
) -> Callable[[], Any]:
    """The call that the words ask for, not made yet."""
    import tyro

    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            return tyro.extras.subcommand_cli_from_dict(
                {key: _postponed(function) for key, function in commands.items()},
                prog=name,
                description=f"{description}\n\n--version prints the version.",
                args=words or ["--help"],
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
            )
    except SystemExit as end:
        if end.code == BAD_INPUT:
            _refuse(name, f"{_first_sentence(told.getvalue())}; see --help")
        raise


def _postponed(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the same arguments that gives the call instead of making it."""

    @functools.wraps(function)
    def postponed(*args: Any, **kwargs: Any) -> Callable[[], Any]:  # noqa: ANN401 - passed on
        return functools.partial(function, *args, **kwargs)

    return postponed


def _refuse(name: str, reason: str) -> NoReturn:
    """Say what a person did wrong as one line on standard error, and leave with exit code 2."""
    print(f"{name}: error: {reason}", file=sys.stderr)  # noqa: T201
    raise SystemExit(BAD_INPUT) from None


def _leave_unread() -> NoReturn:
    """Leave without a word, with the exit code of a program whose output nobody reads any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(UNREAD) from None


def _first_sentence(box: str) -> str:
    """What a boxed message says before its first rule."""
    words: list[str] = []
    for line in box.splitlines()[1:]:
        text = line.strip("│╭╮╰╯ ")
        if set(text) <= {"─"}:
            break
        words.append(text)
    return " ".join(words).rstrip(".")


def _common(paper: Paper) -> dict[str, Callable[..., Any]]:
    """The commands that every paper has."""

    def reproduce(
        *,
        preset: str = default_preset(),
        only: tuple[str, ...] = (),
        seeds: int | None = None,
        device: str = "auto",
        precision: str = "32-true",
        devices: int = 1,
        nodes: int = 1,
        out: Path | None = None,
        resume: bool = False,
        json: bool = False,
    ) -> None:
        """Measure what the paper claims, beside the baselines, and write a report.

        Args:
            preset: The scale: smoke (20 s), quick (10 min on 2 CPU cores), gpu (10 min on a GPU) or paper.
            only: Measure only these claims.
            seeds: Number of seeds; 3, or 1 for smoke, if not given.
            device: auto, cpu or cuda.
            precision: Lightning Fabric's name of the precision, such as 32-true or bf16-mixed.
            devices: Processes on this machine, each with a device of its own.
            nodes: Machines.
            out: Folder for the report; separata-runs/<paper> if not given.
            resume: Go on with an interrupted run in the same folder.
            json: Print the evidence as JSON instead of a table.
        """
        reproduce_and_show(
            paper, preset, only, seeds, (device, precision, devices, nodes), out, resume=resume, as_json=json
        )

    def claims(*, json: bool = False) -> None:
        """Show what the paper claims, and the evidence that comes with this package.

        Args:
            json: Print as JSON.
        """
        show_claims(paper, as_json=json)

    def cite() -> None:
        """Print the BibTeX entry of the paper."""
        print(paper.bibtex())  # noqa: T201

    return {"reproduce": reproduce, "claims": claims, "cite": cite}


def reproduce_and_show(
    paper: Paper,
    preset: str,
    only: tuple[str, ...],
    seeds: int | None,
    where: tuple[str, str, int, int],
    out: Path | None,
    *,
    resume: bool,
    as_json: bool,
) -> None:
    """Measure, write the reports, and print the evidence."""
    from rich.console import Console

    from . import report
    from .progress import Reporter
    from .reproduce import Plan, reproduce
    from .run import Compute

    folder = out or Path("separata-runs") / paper.name
    plan = Plan(preset, folder, seeds, only, Compute(*where), resume)
    reporter = Reporter()
    evidence = reproduce(paper, plan, reporter)
    if plan.compute.rank:
        return
    if as_json:
        print(json.dumps(evidence.to_json(), indent=2, ensure_ascii=False))  # noqa: T201
    else:
        report.terminal(evidence, Console())
    reporter.say(f"Report: {folder / plan.name}.html")


def show_claims(paper: Paper, *, as_json: bool) -> None:
    """Print a paper's claims."""
    from . import evidence

    verdicts = {found.preset: {f.id: f.verdict for f in found.claims} for found in evidence.of(paper)}
    if as_json:
        rows = [
            {
                "id": claim.id,
                "statement": claim.statement,
                "metric": claim.metric,
                "paper": dict(claim.paper),
                "note": claim.note,
                "verdicts": {preset: by_id[claim.id] for preset, by_id in verdicts.items() if claim.id in by_id},
            }
            for claim in paper.claims
        ]
        print(json.dumps({"paper": paper.name, "title": paper.title, "url": paper.url, "claims": rows}, indent=2))  # noqa: T201
        return
    print(f"{paper.title} ({paper.venue} {paper.year}) {paper.url}".rstrip())  # noqa: T201
    for claim in paper.claims:
        told = ", ".join(f"{by_id[claim.id]} at {preset}" for preset, by_id in verdicts.items() if claim.id in by_id)
        print(f"\n{claim.id}: {claim.statement}\n  measured as {claim.metric}; {told or 'no evidence yet'}")  # noqa: T201
