"""Trainings on disk: folders with the weights, all that they depend on, and how the training went."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from separata.models import count_parameters
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder
from separata.tables import TableSchema
from separata.training import fingerprint, seeded

from .configs import DataConfig, DataShape, ModelConfig, RunConfig
from .evaluation import EvaluationReport, evaluate
from .networks.factory import make_network
from .networks.scaled import ScaledNetwork
from .samples import PARTS, DataSplits
from .training import Trainer


@dataclass(frozen=True)
class TrainReport:
    """How a training ended.

    Attributes:
        out: Its folder.
        test: What the network does on the test data.
        steps: Steps done.
        n_parameters: Trainable numbers.
    """

    out: Path
    test: EvaluationReport
    steps: int
    n_parameters: int


@dataclass(frozen=True)
class DataDescription:
    """What a trained network tells of its data.

    Attributes:
        shape: Shape of a sample, classes and target.
        schema: The columns of its table, if it was trained on one.
        config: How the data was read.
        seed: Drew the validation part.
    """

    shape: DataShape
    schema: TableSchema | None
    config: DataConfig
    seed: int


def make_scaled(config: ModelConfig, shape: DataShape) -> ScaledNetwork:
    """The network of a configuration, for data of a shape, with scales that training fills in.

    Raises:
        ValueError: if a setting does not fit the data.
    """
    return ScaledNetwork(make_network(config, shape.n_inputs, shape.n_outputs), shape.n_inputs)


def train(
    data: DataSplits,
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
    with seeded(config.train.seed):
        network = make_scaled(config.model, data.shape)
    prints = {name: fingerprint(getattr(data, name).x, getattr(data, name).y) for name in PARTS}
    described = _described(config, data.shape) | {"schema": data.schema, "sha256": prints}
    folder = RunFolder.begin(out, described, resume=resume)
    target = Compute(device).torch_device
    network.to(target)
    trainer = Trainer(
        network,
        data.train,
        config.train,
        validation=data.validation,
        checkpoint=folder.checkpoint,
        track=reporter.track,
        log=folder.log(reporter),
    )
    n_parameters = count_parameters(network)
    sample = " x ".join(map(str, data.shape.sample))
    for note in data.notes:
        reporter.say(f"  {note}")
    reporter.say(
        f"{len(data.train):,} samples of {sample}; {config.model.kind} of {n_parameters:,} parameters; to {folder.path}"
    )
    folder.fit(trainer, network, reporter)
    return TrainReport(folder.path, evaluate(network, data.test.to(target)), trainer.done, n_parameters)


def save(network: ScaledNetwork, path: Path | str, config: ModelConfig, shape: DataShape) -> None:
    """Write a network to a folder, which `load` reads.

    Args:
        network: Made by `make_scaled`, or an estimator's `network_`.
        path: The folder.
        config: What it was made of.
        shape: The data that it was made for.

    Raises:
        ValueError: if the folder holds a training, or the network was not made of these.
    """
    expected = {name: tensor.shape for name, tensor in make_scaled(config, shape).state_dict().items()}
    if expected != {name: tensor.shape for name, tensor in network.state_dict().items()}:
        raise ValueError("the network was not made of this configuration for data of this shape")
    RunFolder.save(path, _described(RunConfig(config), shape), network)


def load(path: Path | str, device: str = "auto") -> ScaledNetwork:
    """The network of a folder, or of the file `model.safetensors` in one, ready to be evaluated.

    Raises:
        FileNotFoundError: if there is none, or its training has not ended.
        ValueError: if a file is damaged, or holds the weights of another network.
    """
    folder = RunFolder.open(path)
    network = make_scaled(folder.config(ModelConfig, "model"), folder.config(DataShape, "shape"))
    folder.load_weights(network)
    return network.to(Compute(device).torch_device).eval()


def describe(path: Path | str) -> DataDescription:
    """What a folder says of the data of its network.

    Raises:
        FileNotFoundError: if there is no training.
        ValueError: if its settings are damaged.
    """
    folder = RunFolder.open(path)
    values = folder.values()
    schema, training = values.get("schema"), values.get("train", {})
    try:
        columns = None if schema is None else TableSchema.from_dict(schema)
        seed = int(training.get("seed", 0))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(f"{folder.path} does not hold the settings of a training") from None
    return DataDescription(folder.config(DataShape, "shape"), columns, folder.config(DataConfig, "data"), seed)


def _described(config: RunConfig, shape: DataShape) -> dict[str, Any]:
    return {
        "model": config.model,
        "shape": shape,
        "train": config.train,
        "data": config.data,
        "version": version("af-kan"),
    }
