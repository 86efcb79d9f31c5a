"""The command line `noble-branch`."""

from pathlib import Path

from separata import cli

from .paper import PAPER


def compare(
    baseline: Path,
    other: Path,
    /,
    *,
    step: str = "step",
    loss: str | None = None,
    step_time_ratio: float = 1.0,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Say how much sooner a training reaches the best loss of its baseline, from two logs.

    Args:
        baseline: Log of the baseline, JSON lines or .csv.
        other: Log of the other training.
        step: Key or column of the step.
        loss: Key or column of the loss; eval_loss, val_loss, ... or loss if not given.
        step_time_ratio: Time of a step over that of the baseline, for the net speedup.
        plot: Figure of both curves to write: .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands

    commands.compare(baseline, other, step, loss, step_time_ratio, plot).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [compare])
