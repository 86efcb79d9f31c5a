"""The command line `snn-continual`."""

from pathlib import Path

from separata import cli

from .paper import PAPER


def train(
    *,
    out: Path,
    benchmark: str = "pmnist5k",
    method: str = "hlop",
    training: str = "dsr",
    feedback: str = "bp",
    data: Path | None = None,
    timesteps: int | None = None,
    epochs: int | None = None,
    lr: float | None = None,
    hidden: int = 800,
    spiking_lateral: bool = False,
    rehearse: int = 0,
    strength: float = 10.0,
    threshold: float = 0.97,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
) -> None:
    """Train a spiking network on tasks in sequence, and save it with its accuracy on each.

    Args:
        out: Folder for the network, its settings, the accuracy matrix and the history.
        benchmark: pmnist5k, pmnist, cifar10, cifar100, mini-imagenet, five-datasets, five-datasets-domain, or a folder
            with a file .npz for each task (x_train, y_train, x_test, y_test).
        method: hlop, finetune, ewc, gpm, replay or joint.
        training: dsr, bptt or ottt.
        feedback: bp, fa or sign.
        data: Folder with data sets; $SEPARATA_DATA if not given.
        timesteps: Steps of simulation; 20 for dsr and 6 for the others if not given.
        epochs: Passes over each task's images; the paper's if not given.
        lr: Learning rate; the paper's if not given.
        hidden: Width of the perceptron's hidden layers.
        spiking_lateral: Let lateral neurons answer in bursts of spikes.
        rehearse: Images of each class to keep and rehearse, with any method; 50 for replay if not given.
        strength: Strength of EWC's penalty.
        threshold: Share of energy that GPM keeps.
        seed: Of the initial weights, the tasks and the order of images.
        device: auto, cpu or cuda.
        resume: Go on after the last task that an interrupted training finished.
    """
    from . import runs

    settings = runs.Settings(
        benchmark,
        method,
        training,
        feedback,
        timesteps,
        epochs,
        lr,
        hidden,
        spiking_lateral,
        rehearse,
        strength,
        threshold,
        seed,
    )
    result = runs.train(settings, out, data=data, device=device, resume=resume)
    print(result.summary())


def evaluate(run: Path, /, *, data: Path | None = None, device: str = "auto", json: bool = False) -> None:
    """Test a trained network on all tasks again.

    Args:
        run: Folder that `train` wrote.
        data: Folder with data sets; $SEPARATA_DATA if not given.
        device: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import runs

    print(runs.evaluate(run, data=data, device=device).show(as_json=json))


def inspect(run: Path, /, *, data: Path | None = None, plot: Path | None = None, json: bool = False) -> None:
    """Show what each subspace holds: dimensions, orthonormality, and the share of the activity that it explains.

    Args:
        run: Folder that `train` wrote.
        data: Folder with data sets; $SEPARATA_DATA if not given.
        plot: File to draw the accuracy matrix to, .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import runs

    print(runs.inspect(run, data=data, plot=plot).show(as_json=json))


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, evaluate, inspect])
