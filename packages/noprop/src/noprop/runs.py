"""Trainings on disk: folders with the weights, all that they depend on, and how the training went."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from separata.labeled import LabeledDataset, Splits, load_splits
from separata.models import count_parameters
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder
from separata.training import fingerprint, seeded

from .configs import ModelConfig, RunConfig, SampleShape, TrainConfig
from .models import make_model
from .training.blockwise import make_trainer
from .training.trainer import evaluate

N_RUNS = 5
"""Runs of the chain whose class probabilities a report averages."""


@dataclass(frozen=True)
class TrainReport:
    """How a training ended.

    Attributes:
        out: Its folder.
        train_accuracy: Share of the training samples that are classified correctly.
        test_accuracy: The same of the test samples.
        steps: Steps done.
        n_parameters: Trainable numbers.
    """

    out: Path
    train_accuracy: float
    test_accuracy: float
    steps: int
    n_parameters: int

    def summary(self) -> str:
        """For a person."""
        return (
            f"{self.out}: test accuracy {self.test_accuracy:.4f}, training accuracy {self.train_accuracy:.4f}, "
            f"{self.steps:,} steps; {self.n_parameters:,} parameters"
        )


def load_data(source: str | Path, config: RunConfig) -> Splits:
    """The data of a training, in three parts.

    Raises:
        ValueError: if it is damaged or too little.
        FileNotFoundError: if it is not there.
    """
    part = config.data
    return load_splits(source, validation=part.validation, seed=config.train.seed, size=part.size, n_train=part.n_train)


def shape_of(data: LabeledDataset) -> SampleShape:
    """What the data says of a model."""
    return SampleShape(data.sample_shape, data.classes)


def initial_model(config: RunConfig, data: LabeledDataset) -> nn.Module:
    """The model before training: the same for the same settings and data, in whatever process.

    Raises:
        ValueError: if the settings do not fit the data.
    """
    with seeded(config.train.seed):
        return make_model(config.model, shape_of(data), prototypes=(data.x, data.y), train=config.train)


def described(config: RunConfig, shape: SampleShape, data: LabeledDataset | None = None) -> dict[str, Any]:
    """All that a training depends on, as its folder keeps it."""
    told = {
        "model": config.model,
        "shape": shape,
        "train": config.train,
        "data": config.data,
        "version": version("noprop"),
    }
    return told if data is None else told | {"sha256": fingerprint(data.x, data.y)}


def train(
    data: Splits,
    out: Path | str,
    config: RunConfig = RunConfig(),  # noqa: B008 - immutable
    *,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TrainReport:
    """Train a model and write it to a folder, which `load` reads.

    Nothing is written before the settings are checked.

    Args:
        data: Samples for training, validation (which is logged after each epoch) and test.
        out: The folder, which may be missing.
        config: The model and how it is trained.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        ValueError: if a setting is wrong, the training diverges, or the folder holds another training or one that is
            not to be resumed.
        PermissionError: if the folder cannot be written to.
    """
    reporter = reporter or Reporter(quiet=True)
    model = initial_model(config, data.train)
    folder = RunFolder.begin(out, described(config, shape_of(data.train), data.train), resume=resume)
    target = Compute(device).torch_device
    model.to(target)
    trainer = make_trainer(
        model,
        data.train,
        config.train,
        checkpoint=folder.checkpoint,
        track=reporter.track,
        log=folder.log(reporter),
        validation=data.validation,
    )
    n_parameters = count_parameters(model)
    reporter.say(f"{len(data.train):,} samples; {n_parameters:,} parameters; to {folder.path}")
    folder.fit(trainer, model, reporter)
    found = [
        evaluate(model, part.to(target), steps=config.train.steps, n_runs=N_RUNS) for part in (data.train, data.test)
    ]
    return TrainReport(folder.path, found[0], found[1], trainer.loop.done, n_parameters)


def save(
    model: nn.Module, path: Path | str, config: ModelConfig, shape: SampleShape, train: TrainConfig | None = None
) -> None:
    """Write a model to a folder, which `load` reads.

    Args:
        model: A model of this configuration.
        path: The folder.
        config: The model's.
        shape: Samples and classes.
        train: How it was trained.

    Raises:
        ValueError: if the folder holds a training, or the model is of another configuration.
    """
    train = train or TrainConfig()
    expected = make_model(config, shape, train=train).state_dict()
    given = model.state_dict()
    if {k: v.shape for k, v in expected.items()} != {k: v.shape for k, v in given.items()}:
        raise ValueError("the model is not of this configuration; save one with blocks of your own by its state_dict()")
    RunFolder.save(path, described(RunConfig(config, train), shape), model)


@dataclass(frozen=True)
class Trained:
    """What a folder holds.

    Attributes:
        model: The model, in evaluation mode.
        config: Its configuration.
        shape: Samples and classes.
    """

    model: nn.Module
    config: RunConfig
    shape: SampleShape


def load(path: Path | str, device: str = "auto") -> Trained:
    """The model of a folder, or of the file `model.safetensors` in one, ready to be evaluated.

    Raises:
        FileNotFoundError: if there is none, or its training has not ended.
        ValueError: if a file is damaged, or holds the weights of another model.
    """
    folder = RunFolder.open(path)
    shape = folder.config(SampleShape, "shape")
    config = RunConfig(folder.config(ModelConfig, "model"), folder.config(TrainConfig, "train"))
    model = make_model(config.model, shape, train=config.train)
    folder.load_weights(model)
    return Trained(model.to(Compute(device).torch_device).eval(), config, shape)
