"""The command line `snn-continual`."""

from pathlib import Path

from separata import cli

from .configs import RunConfig
from .paper import PAPER


def train(
    config: RunConfig,
    *,
    out: Path,
    data: Path | None = None,
    device: str = "auto",
    resume: bool = False,
) -> None:
    """Train a spiking network on a sequence of tasks, and save it with its accuracy on each.

    Args:
        config: What the training depends on.
        out: Output folder for the network, its settings, the accuracy matrix and the history.
        data: Folder with the data sets; $SEPARATA_DATA if not given.
        device: auto, cpu or cuda.
        resume: Continue an interrupted training after its last finished task.
    """
    from . import runs

    matrix = runs.train_on_disk(config, out, data=data, device=device, resume=resume)
    print(f"{runs.summary(matrix)}; saved in {out}")


def evaluate(run: Path, /, *, data: Path | None = None, device: str = "auto", json: bool = False) -> None:
    """Test a trained network on all tasks.

    Args:
        run: Folder written by train.
        data: Folder with the data sets; $SEPARATA_DATA if not given.
        device: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import runs

    runs.evaluate_run(run, data=data, device=device).show(as_json=json)


def inspect(run: Path, /, *, data: Path | None = None, plot: Path | None = None, json: bool = False) -> None:
    """Show how much of each layer's activity its subspace explains.

    The subspace's dimensions stand beside, and how far its rows are from orthonormal.

    Args:
        run: Folder written by train.
        data: Folder with the data sets; $SEPARATA_DATA if not given.
        plot: Figure of the accuracy matrix to write: .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import runs

    runs.inspect_run(run, data=data, plot=plot).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, evaluate, inspect])
