"""The command line `dendritic-backprop`."""

from pathlib import Path

from separata import cli

from .configs import ComparisonConfig, RunConfig
from .paper import PAPER


def train(
    data: str,
    /,
    config: RunConfig,
    *,
    out: Path,
    validation: float = 0.1,
    size: int | None = None,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train a network, and add dendrites while they help.

    Args:
        data: Name of a data set (digits, mnist5k, breast_cancer, spirals, mnist, ...), a folder of images, or a file:
            .npz with x and y, or .csv with a column of labels.
        config: The network, its dendrites, and how it is trained.
        out: Output folder, for model.safetensors, the settings, the history and a report.
        validation: Share of the training samples by which phases end and dendrites are kept.
        size: Height and width that images are brought to, in pixels.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.train(data, out, config, validation=validation, size=size, device=device, resume=resume).show(as_json=json)


def compare(
    data: str,
    /,
    config: ComparisonConfig,
    *,
    only: tuple[str, ...] = (),
    seeds: int = 3,
    validation: float = 0.2,
    size: int | None = None,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Compare dendrites with their ablations and controls.

    Args:
        data: Name of a data set or a file, as train takes it.
        config: The network and its dendrites; every variant is trained for the same number of epochs.
        only: Variants to compare: dendrites, gradient, random, unperforated, continued, wider; all if not given.
        seeds: Number of seeds.
        validation: Share of the training samples by which weights are kept.
        size: Height and width that images are brought to, in pixels.
        plot: Figure of the test errors to write: .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.compare(
        data, config, only=only, seeds=seeds, validation=validation, size=size, plot=plot, device=device
    ).show(as_json=json)


def inspect(run: Path, /, *, data: str | None = None, plot: Path | None = None, json: bool = False) -> None:
    """Show dendrites, gains and correlations of each layer.

    Gains are those of the dendrites that there are; correlations with the error those of all dendrite phases, in their
    order, whose dendrites may have been undone.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        data: Labeled data to test the network on, as train takes them: their test part.
        plot: Figure of the training to write: .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands

    commands.inspect_run(run, data=data, plot=plot).show(as_json=json)


def predict(run: Path, samples: Path, /, *, out: Path | None = None, device: str = "auto", json: bool = False) -> None:
    """Classify samples with a trained network.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        samples: Samples without labels, scaled as those of the training: .npy, .npz with x, .csv with a header, a
            picture, or a folder of pictures.
        out: Table to write, .csv: the number of the sample, its class and the probability of that.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.predict(run, samples, out=out, device=device).show(as_json=json)


def export(run: Path, out: Path, /, *, json: bool = False) -> None:
    """Export a grown network as ONNX, checked with ONNX Runtime.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        out: File to write, .onnx.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.export(run, out).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, compare, inspect, predict, export])
