"""The command line `biper`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import Arch, ModelConfig, TwoStageConfig
from .paper import PAPER


def train(
    model: ModelConfig,
    config: TwoStageConfig,
    *,
    data: str,
    out: Path,
    size: int | None = None,
    n_train: int | None = None,
    stages: int = 2,
    start: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train a binary network in two stages.

    Args:
        model: The network.
        config: How it is trained.
        data: digits, mnist5k, mnist, cifar10, ...; a folder of images, <class>/*.png or <split>/<class>/*.png; or .npz.
        out: Output folder: model.safetensors, settings and history.
        size: Pixels to which images are resized.
        n_train: Images for training; all if not given.
        stages: 1 leaves the second stage to the command stage2.
        start: Folder that convert or train wrote, of the network with whose weights training begins.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print as JSON.
    """
    from . import commands, runs

    commands.train(
        runs.Source(data, size, n_train, config.seed),
        out,
        model,
        config,
        stages=stages,
        start=start,
        device=device,
        resume=resume,
    ).show(as_json=json)


def stage2(
    run: Path,
    /,
    *,
    out: Path,
    data: str | None = None,
    epochs: int = 30,
    lr: float = 0.0037,
    weight_decay: float = 1.6e-4,
    tau: float = 0.0468,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train the second stage after train --stages 1.

    Args:
        run: Folder of the first stage.
        out: Output folder; the first stage stays as it is.
        data: Images; those of the first stage if not given.
        epochs: Epochs.
        lr: Learning rate, which falls to 0.
        weight_decay: Weight decay.
        tau: Weight of the term that pulls weights to the zeros of the sine.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print as JSON.
    """
    from . import commands

    commands.stage2(
        run, out, data, epochs=epochs, lr=lr, weight_decay=weight_decay, tau=tau, device=device, resume=resume
    ).show(as_json=json)


def evaluate(
    run: Path,
    data: str | None = None,
    /,
    *,
    part: Literal["train", "validation", "test"] = "test",
    size: int | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Measure the accuracy of a network, trained or packed.

    Args:
        run: Folder that train or stage2 wrote, or a packed file.
        data: Images; those of the training if not given.
        part: Part of them.
        size: Pixels to which images are resized.
        device: Where to compute: auto, cpu or cuda; packed files run on the CPU.
        json: Print as JSON.
    """
    from . import commands

    commands.evaluate_run(run, data, part=part, size=size, device=device).show(as_json=json)


def qe(
    run: Path,
    /,
    *,
    sweep: str = "1,2,5,10,20,40",
    omega: float | None = None,
    metric: Literal["l2", "l1"] = "l2",
    out: Path | None = None,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Measure quantization errors over the frequency.

    Args:
        run: Folder of a training, or a file of weights: .safetensors, .pt or .pth.
        sweep: Frequencies, with commas.
        omega: One more frequency; that of the training is always among them.
        metric: l2, from the best scaled sign; or l1, from the plain sign.
        out: Table of all layers to write, .csv.
        plot: Figure to write: .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands

    commands.quantization(run, sweep, omega=omega, metric=metric, out=out, plot=plot).show(as_json=json)


def convert(
    weights: Path,
    /,
    *,
    out: Path,
    model: Arch = "imagenet-resnet18",
    omega: float = 20.0,
    real_activations: bool = False,
    size: int = 32,
    json: bool = False,
) -> None:
    """Take the weights of a float network as latent weights.

    Args:
        weights: State of the network: .safetensors, .pt or .pth; torchvision's names of residual networks will do.
        out: Output folder, from which train --start begins.
        model: Architecture of the network.
        omega: Angular frequency of the square wave.
        real_activations: Make weights binary alone (1w32a), with ReLU.
        size: Height and width of the images in pixels.
        json: Print as JSON.
    """
    from . import commands

    commands.convert(weights, out, model, omega=omega, real_activations=real_activations, size=size).show(as_json=json)


def export(
    run: Path,
    out: Path,
    /,
    *,
    format: Literal["packed", "onnx"] = "packed",  # noqa: A002 - the name of the option
    fold: bool = True,
    json: bool = False,
) -> None:
    """Write a network with 1 bit for each weight, or as ONNX.

    Args:
        run: Folder that train or stage2 wrote.
        out: File to write: .safetensors of a packed network, .onnx.
        format: packed, for Python and evaluate; or onnx, for other programs, with weights of -1 and +1.
        fold: Fold batch normalization into integer thresholds where it stands between binary layers.
        json: Print as JSON.
    """
    from . import commands

    commands.export(run, out, format, fold=fold).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, stage2, evaluate, qe, convert, export])
