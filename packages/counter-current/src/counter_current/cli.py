"""The command line `counter-current`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import Changes, PresetName
from .paper import PAPER


def train(
    data: str,
    /,
    changes: Changes,
    *,
    out: Path,
    preset: PresetName = "mnist-mlp",
    size: int | None = None,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train a classifier or an autoencoder, and test it.

    The weights of the lowest validation loss are kept; a tenth of the training data is for validation.

    Args:
        data: digits, mnist5k, mnist, cifar10, ...; a folder of images in folders by class; .npz with x and y, or
            x_train, y_train, x_test and y_test; or .csv with a column label. For an autoencoder also a folder of
            pictures, .npy, or .npz with x.
        changes: What is not as in the preset.
        out: Output folder, for model.safetensors, the settings, the history and the alignment.
        preset: The authors' settings to begin with: mnist-mlp, cifar10-mlp, mnist-cnn, cifar10-cnn, cifar100-cnn or
            stl10-ae.
        size: Height and width to which images are resized.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.train(data, out, changes, name=preset, size=size, device=device, resume=resume).show(as_json=json)


def evaluate(
    run: Path,
    data: str,
    /,
    *,
    part: Literal["train", "validation", "test", "all"] = "test",
    predictions: Path | None = None,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Evaluate a network: accuracy, or error of reconstruction.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        data: Data, as train takes it.
        part: Part of the data: train, validation, test, or all of a file that was not trained on.
        predictions: Table of predicted classes to write, .csv.
        plot: Figure to write, .svg, .png or .pdf: the features in the plane (t-SNE), or reconstructions.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.evaluate_run(run, data, part=part, predictions=predictions, plot=plot, device=device).show(as_json=json)


def alignment(
    run: Path,
    /,
    *,
    data: str | None = None,
    out: Path | None = None,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Show how alike the two directions are (linear CKA).

    Args:
        run: Folder that train wrote.
        data: Data to compare on, as train takes it; the alignment over the training if not given.
        out: Table to write, .csv: every forward activation with every feedback signal.
        plot: Heat maps to write: .svg, .png or .pdf.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON, with all maps.
    """
    from . import commands

    commands.alignment(run, data, out=out, plot=plot, device=device).show(as_json=json)


def flops(
    changes: Changes,
    *,
    preset: PresetName = "mnist-mlp",
    shape: str = "1,28,28",
    n_classes: int = 10,
    step_samples: int = 32,
    json: bool = False,
) -> None:
    """Count the operations of a training step by every rule.

    Args:
        changes: What is not as in the preset.
        preset: The network: mnist-mlp, cifar10-mlp, mnist-cnn, cifar10-cnn, cifar100-cnn or stl10-ae.
        shape: Shape of a sample, with commas.
        n_classes: Number of classes.
        step_samples: Samples of a step; the published counts have 32.
        json: Print as JSON.
    """
    from . import commands

    commands.flops(changes, name=preset, shape=shape, n_classes=n_classes, batch_size=step_samples).show(as_json=json)


def export(run: Path, out: Path, /, *, json: bool = False) -> None:
    """Export the forward network as ONNX, checked with ONNX Runtime.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        out: File to write, .onnx: from x (batch, ...) to y.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.export(run, out).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, evaluate, alignment, flops, export])
