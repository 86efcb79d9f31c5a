"""The commands that every paper's package has."""

import json as json_module
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from . import claims as shown
from .arguments import Option
from .paper import Paper
from .threads import asked

if TYPE_CHECKING:
    from .reproduce import Plan

Only = Annotated[tuple[str, ...], Option("CLAIM ...")]


def default_preset() -> str:
    """The preset where none is asked for: `$SEPARATA_PRESET`, or `quick`."""
    return os.environ.get("SEPARATA_PRESET", "quick")


def of(paper: Paper) -> dict[str, Callable[..., Any]]:
    """The commands `reproduce`, `claims` and `cite` of a paper."""

    def reproduce(
        *,
        preset: str = default_preset(),
        only: Only = (),
        seeds: int | None = None,
        first_seed: int = 0,
        threads: int | None = None,
        device: str = "auto",
        precision: str = "32-true",
        devices: int = 1,
        nodes: int = 1,
        out: Path | None = None,
        resume: bool = False,
        json: bool = False,
    ) -> None:
        """Measure the paper's claims beside baselines, and write a report.

        Args:
            preset: How much to spend: smoke (20 s; no evidence), quick (10 min on 2 CPU cores), gpu (10 min on one
                GPU) or paper (the paper's own setting).
            only: Measure these claims only.
            seeds: Number of seeds; 3, or 1 for smoke, if not given.
            first_seed: The seeds are this one and those that follow.
            threads: CPU threads per process; $OMP_NUM_THREADS, or 1, if not given.
            device: auto, cpu or cuda.
            precision: Precision as Lightning Fabric names it, such as 32-true or bf16-mixed.
            devices: Processes on this machine, each on its own device.
            nodes: Machines.
            out: Folder for the report; separata-runs/NAME if not given.
            resume: Continue an interrupted run in the same folder.
            json: Print the evidence as JSON instead of a table.
        """
        from .reproduce import Plan
        from .run import Compute

        compute = Compute(device, precision, devices, nodes, asked(threads))
        folder = out or Path("separata-runs") / paper.name
        measure(paper, Plan(preset, folder, seeds, only, compute, resume, first_seed), as_json=json)

    def claims(*, json: bool = False) -> None:
        """Show the paper's claims and the evidence for them.

        Args:
            json: Print as JSON.
        """
        print(shown.as_json(paper) if json else shown.as_text(paper))  # noqa: T201

    def cite() -> None:
        """Print the BibTeX entry of the paper."""
        print(paper.bibtex())  # noqa: T201

    return {"reproduce": reproduce, "claims": claims, "cite": cite}


def measure(paper: Paper, plan: "Plan", *, as_json: bool = False) -> None:
    """Measure, write the reports, and print the evidence."""
    from rich.console import Console

    from . import report
    from .progress import Reporter
    from .reproduce import reproduce

    reporter = Reporter()
    evidence = reproduce(paper, plan, reporter)
    if plan.compute.rank:
        return
    if as_json:
        print(json_module.dumps(evidence.to_json(), indent=2, ensure_ascii=False))  # noqa: T201
    else:
        report.terminal(evidence, Console())
    reporter.say(f"Report: {plan.out / plan.name}.html")
