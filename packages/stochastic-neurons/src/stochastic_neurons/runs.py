"""Trainings on disk: folders with the weights, all that they depend on, and how the training went."""

from dataclasses import dataclass
from importlib.metadata import version
from math import prod
from pathlib import Path

from separata.configs import plain
from separata.labeled import Splits
from separata.models import count_parameters
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder
from separata.training import fingerprint, seeded

from .configs import ModelConfig, RunConfig, TrainConfig
from .evaluation import EvaluationReport, evaluate
from .networks import ConditionalNetwork, make_network
from .training import Trainer


@dataclass(frozen=True)
class TrainReport:
    """How a training ended.

    Attributes:
        out: Its folder.
        test: What the network does on the test data.
        steps: Steps done.
        n_parameters: Weights of the network.
    """

    out: Path
    test: EvaluationReport
    steps: int
    n_parameters: int


@dataclass(frozen=True)
class Shape:
    """What a network was made for.

    Args:
        sample: Shape of a sample.
        classes: Names of the classes.
    """

    sample: tuple[int, ...]
    classes: tuple[str, ...]


def train(
    data: Splits,
    out: Path | str,
    config: RunConfig = RunConfig(),  # noqa: B008 - immutable
    *,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TrainReport:
    """Train a network and write it to a folder, which `load` reads; nothing is written before the settings are checked.

    Args:
        data: Training, validation and test data.
        out: The folder, which may be missing.
        config: The network and how it is trained.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        ValueError: if a setting or the data is wrong, the training diverges, or the folder holds another training or
            one that is not to be resumed.
        PermissionError: if the folder cannot be written to.
    """
    reporter = reporter or Reporter(quiet=True)
    shape = Shape(data.train.sample_shape, tuple(data.train.classes))
    with seeded(config.train.seed):
        model = make_network(config.model, shape.sample, len(shape.classes))
    prints = {name: fingerprint(part.x, part.y) for name, part in zip(Splits._fields, data, strict=True)}
    described = {**plain(config), "shape": plain(shape), "sha256": prints, "version": version("stochastic-neurons")}
    folder = RunFolder.begin(out, described, resume=resume)
    target = Compute(device).torch_device
    model.to(target)
    data = data.to(target)
    trainer = Trainer(
        model,
        data.train,
        config.train,
        validation=data.validation,
        checkpoint=folder.checkpoint,
        track=reporter.track,
        log=folder.log(reporter),
    )
    n_parameters = count_parameters(model)
    reporter.say(
        f"{len(data.train):,} samples of {' x '.join(map(str, shape.sample))}; {n_parameters:,} parameters; gates "
        f"{config.model.gate}; to {folder.path}"
    )
    folder.fit(trainer, model, reporter)
    return TrainReport(folder.path, evaluate(model, data.test), trainer.done, n_parameters)


def load(path: Path | str, device: str = "auto") -> ConditionalNetwork:
    """The network of a training, in evaluation mode.

    Args:
        path: Folder of the training, or the file of its weights.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if a file is damaged.
    """
    folder = RunFolder.open(path)
    config, shape = folder.config(ModelConfig, "model"), folder.config(Shape, "shape")
    model = make_network(config, shape.sample, len(shape.classes))
    folder.load_weights(model)
    return model.to(Compute(device).torch_device).eval()


def save(model: ConditionalNetwork, path: Path | str, sample_shape: tuple[int, ...], classes: tuple[str, ...]) -> None:
    """Write a network as a training leaves it, for `load`.

    Raises:
        ValueError: if the shape or the classes are not those of the network.
        PermissionError: if the folder cannot be written to.
    """
    if prod(sample_shape) != model.in_features or len(classes) != model.n_classes:
        raise ValueError(
            f"the network takes {model.in_features} numbers and has {model.n_classes} classes, not samples of "
            f"{sample_shape} and {len(classes)} classes"
        )
    RunFolder.save(path, {"model": plain(model.config), "shape": plain(Shape(sample_shape, classes))}, model)


def seed_of(path: Path | str) -> int:
    """The seed of a training, which also drew its validation data.

    Raises:
        FileNotFoundError: if there is no training.
        ValueError: if its settings are damaged.
    """
    return RunFolder.open(path).config(TrainConfig, "train").seed


def classes_of(path: Path | str) -> tuple[str, ...]:
    """Names of the classes that a network was trained on, in the order of its outputs.

    Raises:
        FileNotFoundError: if there is no training.
        ValueError: if its settings are damaged.
    """
    return RunFolder.open(path).config(Shape, "shape").classes
