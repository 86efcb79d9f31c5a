"""Trainings on disk: folders with the weights, all that they depend on, and how the training went."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from separata.labeled import Splits
from separata.models import count_parameters
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder
from separata.training import fingerprint, seeded

from .configs import DataShape, ModelConfig, TwoStageConfig
from .conversion import to_stage2
from .evaluation import EvaluationReport, evaluate
from .layers import SQUARE, PeriodicLayer, binary_layers
from .networks import make_network, n_binary_weights
from .training import TwoStageTrainer


@dataclass(frozen=True)
class Source:
    """Where the images of a training are from.

    Attributes:
        name: Name, file or folder.
        size: Height and width to which images are resized.
        n_train: How many are trained on; all if not given.
        seed: Draws the validation part.
    """

    name: str
    size: int | None = None
    n_train: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class TrainReport:
    """How a training ended.

    Attributes:
        out: Its folder.
        test: What the network does on the test images.
        validation: What it does on the validation images.
        n_parameters: Trained numbers.
        n_bits: Binary weights among them.
    """

    out: Path
    test: EvaluationReport
    validation: EvaluationReport
    n_parameters: int
    n_bits: int


def shape_of(data: Splits, source: str) -> DataShape:
    """What images there are.

    Raises:
        ValueError: if the samples are not square images.
    """
    sample = data.train.sample_shape
    if len(sample) != 3:
        raise ValueError(f"{source} does not hold images: its samples are of shape {sample}")
    if sample[1] != sample[2]:
        raise ValueError(f"{source} has images of {sample[1]} x {sample[2]} pixels; give --size to make them square")
    return DataShape(sample[0], sample[1], data.train.n_classes)


def train(
    data: Splits,
    source: Source,
    out: Path | str,
    model: ModelConfig,
    config: TwoStageConfig,
    *,
    start: nn.Module | None = None,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TrainReport:
    """Train a network and write it to a folder, which `load` reads; nothing is written before the settings are checked.

    Args:
        data: Training, validation and test images.
        source: Where they are from.
        out: The folder, which may be missing.
        model: The network.
        config: How it is trained.
        start: A network of the same kind, with whose weights training begins.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        ValueError: if a setting or the data is wrong, the training diverges, or the folder holds another training or
            one that is not to be resumed.
        PermissionError: if the folder cannot be written to.
    """
    reporter = reporter or Reporter(quiet=True)
    shape = shape_of(data, source.name)
    with seeded(config.seed):
        network = make_network(model, shape)
    prints = {name: fingerprint(part.x, part.y) for name, part in zip(Splits._fields, data, strict=True)}
    if start is not None:
        prints["start"] = fingerprint(*start.state_dict().values())
        _load_start(network, start)
    described = _described(model, shape, config) | {
        "data": source,
        "classes": list(data.train.classes),
        "sha256": prints,
    }
    folder = RunFolder.begin(out, described, resume=resume)
    target = Compute(device).torch_device
    network.to(target)
    data = data.to(target)
    trainer = TwoStageTrainer(
        network,
        data.train,
        config,
        validation=data.validation,
        checkpoint=folder.checkpoint,
        track=reporter.track,
        log=folder.log(reporter),
    )
    n_parameters, n_bits = count_parameters(network), n_binary_weights(network)
    reporter.say(
        f"{len(data.train):,} images of {' x '.join(map(str, data.train.sample_shape))}; {n_parameters:,} parameters, "
        f"{n_bits:,} of them binary; {model.model} by {model.method}; to {folder.path}"
    )
    folder.fit(trainer, network, reporter)
    return TrainReport(
        folder.path, evaluate(network, data.test), evaluate(network, data.validation), n_parameters, n_bits
    )


def _load_start(network: nn.Module, start: nn.Module) -> None:
    if any(isinstance(layer, PeriodicLayer) and layer.stage == SQUARE for _, layer in binary_layers(start)):
        raise ValueError(
            "the network to begin with has been through its second stage; begin with one of the first, which "
            "train --stages 1 and convert write"
        )
    try:
        network.load_state_dict(start.state_dict())
    except RuntimeError:
        raise ValueError(
            "the weights to begin with are of another network: images and classes must be those that it was made for"
        ) from None


def second_stage(config: TwoStageConfig, epochs: int, lr: float, weight_decay: float, tau: float) -> TwoStageConfig:
    """The settings of a training that is a second stage alone."""
    return replace(
        config, epochs=0, stage2_epochs=epochs, stage2_lr=lr, stage2_weight_decay=weight_decay, stage2_tau=tau
    )


def save(model: nn.Module, path: Path | str, config: ModelConfig, shape: DataShape, *, stage: int = 2) -> None:
    """Write a network that `make_network` made to a folder, which `load` reads.

    Args:
        model: The network.
        path: The folder.
        config: What it was made of.
        shape: The images that it takes.
        stage: The stage that its layers are in.

    Raises:
        ValueError: if the folder holds a training.
    """
    train = TwoStageConfig(epochs=1, stage2_epochs=int(stage == 2))
    RunFolder.save(path, _described(config, shape, train), model)


def load(path: Path | str, device: str = "auto") -> nn.Module:
    """The network of a folder, or of the file `model.safetensors` in one, in its stage and ready to be evaluated.

    Raises:
        FileNotFoundError: if there is none, or its training has not ended.
        ValueError: if a file is damaged, or holds the weights of another network.
    """
    folder = RunFolder.open(path)
    config, shape = described(path)
    network = make_network(config, shape)
    if config.method == "biper" and folder.config(TwoStageConfig, "train").stage2_epochs:
        to_stage2(network)
    folder.load_weights(network)
    return network.to(Compute(device).torch_device).eval()


def described(path: Path | str) -> tuple[ModelConfig, DataShape]:
    """What `make_network` made the network of a folder of.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if the file is damaged.
    """
    folder = RunFolder.open(path)
    return folder.config(ModelConfig, "model"), folder.config(DataShape, "shape")


def source_of(path: Path | str) -> tuple[Source | None, tuple[str, ...]]:
    """Where the images of a training were from, and the names of its classes, where it says so.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if the file is damaged.
    """
    folder = RunFolder.open(path)
    values: Mapping[str, Any] = folder.values()
    source = folder.config(Source, "data") if values.get("data") is not None else None
    classes = values.get("classes", [])
    if not isinstance(classes, list):
        raise ValueError(f"{folder.path} is damaged: its classes are no list")
    return source, tuple(map(str, classes))


def _described(model: ModelConfig, shape: DataShape, train: TwoStageConfig) -> dict[str, Any]:
    return {"model": model, "shape": shape, "train": train, "version": version("biper")}
