"""The command line `s-kan`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import IMAGE_TRAINING, Arch, DataConfig, LayerConfig, ModelConfig, RunConfig, StageConfig, TrainConfig
from .paper import PAPER


def fit(
    source: str,
    /,
    model: ModelConfig,
    stages: StageConfig,
    config: TrainConfig,
    data: DataConfig,
    *,
    out: Path,
    target: str | None = None,
    task: Literal["auto", "regression", "classification"] = "auto",
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Learn a formula or a table, and say what each node chose.

    Args:
        source: A formula such as "exp(sin(pi*x) + y**2)", or a table with a header, .csv.
        model: The network.
        stages: How families are chosen.
        config: How it is trained.
        data: How points of a formula are drawn, and samples divided.
        target: Column of a table that is predicted; target, label, class, y, or else the last.
        task: What the column is; words, and few whole numbers, are classes.
        out: Output folder: model.safetensors, settings, history, functions.svg and selection.svg.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print as JSON.
    """
    from . import commands

    commands.fit(
        source,
        RunConfig(model, stages, config),
        data,
        target=target,
        task=task,
        out=out,
        device=device,
        resume=resume,
    ).show(as_json=json)


def evaluate(run: Path, data: str | None = None, /, *, device: str = "auto", json: bool = False) -> None:
    """Measure the errors of a network on new samples.

    Args:
        run: Folder that fit or image wrote, or the file model.safetensors in it.
        data: Table with the target, .csv; new points of the formula if not given. Of an image network, what
            image takes.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.evaluate_run(run, data, device=device).show(as_json=json)


def predict(run: Path, data: Path, /, *, out: Path | None = None, device: str = "auto", json: bool = False) -> None:
    """Predict the target of each row of a table, or the class of images.

    Args:
        run: Folder that fit or image wrote, or the file model.safetensors in it.
        data: Table with the columns of the features, .csv. Of an image network: a picture, a folder of pictures, .npy
            or .npz.
        out: Table to write, .csv.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.predict_run(run, data, out=out, device=device).show(as_json=json)


def report(run: Path, /, *, plot: Path | None = None, onnx: Path | None = None, json: bool = False) -> None:
    """Say which family each node has chosen, draw or export it.

    Args:
        run: Folder that fit or image wrote, or the file model.safetensors in it.
        plot: Figure of the function on each edge to write: .svg, .png or .pdf.
        onnx: The network without what was pruned, for other programs: file to write, .onnx.
        json: Print as JSON.
    """
    from . import commands

    commands.report_run(run, plot=plot, onnx=onnx).show(as_json=json)


def image(
    data: str,
    /,
    model: LayerConfig,
    stages: StageConfig,
    config: TrainConfig = IMAGE_TRAINING,
    *,
    out: Path,
    arch: Arch = "s-convkan",
    basis: str = "bspline",
    channels: str = "8,16",
    dropout: float = 0.25,
    size: int | None = None,
    n_train: int | None = None,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train an image network whose channels choose families.

    Args:
        data: digits, mnist5k, mnist, cifar10, ...; a folder of images, <class>/*.png or <split>/<class>/*.png; or .npz.
        model: Its layers.
        stages: How families are chosen.
        config: How it is trained.
        arch: S-ConvKAN, a ConvKAN of one family, or a CNN of the same size.
        basis: Family of a ConvKAN.
        channels: Channels of each convolution, with commas.
        dropout: Share of the features that is dropped before the last layer.
        size: Pixels to which images are resized.
        n_train: Images for training; all if not given.
        out: Output folder.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print as JSON.
    """
    from . import commands

    settings = RunConfig(ModelConfig(model, channels), stages, config)
    commands.train_image(
        data,
        arch,
        settings,
        basis=basis,
        dropout=dropout,
        size=size,
        n_train=n_train,
        out=out,
        device=device,
        resume=resume,
    ).show(as_json=json)


def compare(
    source: str,
    /,
    model: ModelConfig,
    stages: StageConfig,
    config: TrainConfig,
    data: DataConfig,
    *,
    target: str | None = None,
    task: Literal["auto", "regression", "classification"] = "auto",
    rates: str = "0.003,0.01,0.03",
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Compare S-KAN with KANs of one family and MLPs of its size.

    Args:
        source: A formula, a table with a header (.csv), or functions, for the seven of the paper's claims.
        model: The network.
        stages: How families are chosen; its last stage has as many epochs as the others have in all.
        config: How all are trained.
        data: How points of a formula are drawn, and samples divided.
        target: Column of a table that is predicted.
        task: What the column is.
        rates: Learning rates that each network is tried with, on validation data, with commas.
        plot: Figure of the errors to write: .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.compare(
        source,
        RunConfig(model, stages, config),
        data,
        target=target,
        task=task,
        rates=rates,
        plot=plot,
        device=device,
    ).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [fit, evaluate, predict, report, image, compare])
