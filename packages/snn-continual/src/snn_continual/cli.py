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
    """Train a spiking network on a sequence of tasks, and save it with its accuracy on each.

    Args:
        out: Output folder for the network, its settings, the accuracy matrix and the history.
        benchmark: Folder with an .npz file for each task (x_train, y_train, x_test, y_test), or the name of a
            benchmark: pmnist5k, pmnist, cifar10, cifar100, mini-imagenet, five-datasets or five-datasets-domain.
        method: Method of continual learning: hlop, finetune, ewc, gpm, replay or joint.
        training: Training rule: dsr, bptt or ottt.
        feedback: Error propagation: bp (back-propagation), fa (feedback alignment) or sign (sign-symmetric).
        data: Folder with the data sets; $SEPARATA_DATA if not given.
        timesteps: Time steps of the simulation; 20 under dsr and 6 under the others if not given.
        epochs: Epochs per task; the benchmark's own if not given.
        lr: Learning rate; the benchmark's own if not given.
        hidden: Width of the hidden layers of a perceptron.
        spiking_lateral: Use spiking lateral neurons, which answer in bursts.
        rehearse: Images per class that are kept for rehearsal, with any method; 0 stands for 50 under replay.
        strength: Strength of the penalty of ewc.
        threshold: Share of the activity's energy that gpm keeps.
        seed: Seed of the initial weights, the tasks and the order of the images.
        device: auto, cpu or cuda.
        resume: Continue an interrupted training after its last finished task.
    """
    from .settings import Settings

    settings = Settings(
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
    from . import runs

    result = runs.train(settings, out, data=data, device=device, resume=resume)
    print(result.summary())


def evaluate(run: Path, /, *, data: Path | None = None, device: str = "auto", json: bool = False) -> None:
    """Test a trained network on all tasks.

    Args:
        run: Folder written by train.
        data: Folder with the data sets; $SEPARATA_DATA if not given.
        device: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import runs

    print(runs.evaluate(run, data=data, device=device).show(as_json=json))


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

    print(runs.inspect(run, data=data, plot=plot).show(as_json=json))


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, evaluate, inspect])
