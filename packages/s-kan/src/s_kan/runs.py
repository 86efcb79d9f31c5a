"""Trainings on disk."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from separata.labeled import Splits
from separata.models import count_parameters
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder
from separata.tables import TableSchema
from separata.training import fingerprint

from .configs import DataConfig, ModelConfig, RunConfig
from .contenders import loss_of, make_network
from .evaluation import EvaluationReport, evaluate
from .images import ImageSpec, make_image_network, samples_of, train_images
from .samples import Samples
from .scaling import Scaled
from .tabular import TableData
from .training.strategies import Fit, Job, checkpoints, train
from .training.trainer import Row

SAID = ("step", "loss", "lr", "validation_loss")
"""What of a row of the history a person is told."""


@dataclass(frozen=True)
class TableSpec:
    """What a network for rows of features is, besides its layers.

    Args:
        features: Names of its inputs.
        n_outputs: Outputs, or classes.
        formula: The formula that it learned, if it was one.
    """

    features: tuple[str, ...]
    n_outputs: int
    formula: str | None = None


@dataclass(frozen=True)
class Saved:
    """A network of a folder, and what is known of it.

    Attributes:
        model: The network, in evaluation mode.
        spec: What its inputs and outputs are.
        schema: How a table becomes its inputs, where it learned from one.
        data: How its data was made, where it learned a formula.
        seed: Of its data.
    """

    model: nn.Module
    spec: TableSpec | ImageSpec
    schema: TableSchema | None = None
    data: DataConfig = field(default_factory=DataConfig)
    seed: int = 0

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.spec.features),) if isinstance(self.spec, TableSpec) else self.spec.shape

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes; None where numbers are predicted."""
        if isinstance(self.spec, ImageSpec):
            return self.spec.classes
        return None if self.schema is None else self.schema.classes


@dataclass(frozen=True)
class TrainReport:
    """How a training ended.

    Attributes:
        out: The folder.
        model: The trained network.
        epochs: Passes over the data, of all trainings together.
        n_parameters: Parameters that are left.
        validation: Errors on the validation part.
        test: Errors on unseen points or images, where there are some.
        errors: Validation loss of each family alone, where a strategy tried it.
    """

    out: Path
    model: nn.Module
    epochs: int
    n_parameters: int
    validation: EvaluationReport
    test: EvaluationReport | None
    errors: dict[str, float]


def train_table(
    data: TableData,
    out: Path,
    config: RunConfig,
    data_config: DataConfig,
    *,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TrainReport:
    """Train a network on the samples of a table or a formula, and write it to a folder, which `load` reads.

    Args:
        data: The samples.
        out: The folder, which may be missing.
        config: The network, and how it chooses and is trained.
        data_config: How the samples were made.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        ValueError: if a setting is wrong, the training diverges, or the folder holds another training.
        PermissionError: if the folder cannot be written to.
    """
    reporter = reporter or Reporter(quiet=True)
    spec = TableSpec(data.features, data.n_outputs, data.formula)
    schema = None if data.schema is None else asdict(data.schema)
    described = {"kind": "table", "spec": spec, "schema": schema, "data": data_config}
    target = Compute(device).torch_device
    samples = data.train.to(target)

    def make(pools: Sequence[Sequence[str]] | None) -> nn.Module:
        network = make_network(config.model, len(data.features), data.n_outputs, pools)
        return Scaled(network, len(data.features), data.n_outputs).to(target).calibrate(samples.x, samples.y)

    folder = _begin(out, config, described, [data.train, data.validation], resume=resume)
    make(None)
    log = _log(folder, reporter)
    job = Job(make, samples, config.train, config.stages, data.validation, loss_of(samples), folder.path)
    return _finish(folder, reporter, lambda: train(_with(job, reporter, log)), data.validation, data.test)


def train_image_run(
    splits: Splits,
    out: Path,
    spec: ImageSpec,
    config: RunConfig,
    *,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TrainReport:
    """Train a network on images, and write it to a folder, which `load` reads.

    Args:
        splits: Images for training, validation and testing.
        out: The folder, which may be missing.
        spec: What the network is.
        config: Its layers, and how it chooses and is trained.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        ValueError: if a setting is wrong, the training diverges, or the folder holds another training.
        PermissionError: if the folder cannot be written to.
    """
    reporter = reporter or Reporter(quiet=True)
    parts = [samples_of(part) for part in splits]
    make_image_network(spec, config.model)
    folder = _begin(out, config, {"kind": "image", "spec": spec}, parts[:2], resume=resume)
    target = str(Compute(device).torch_device)
    log = _log(folder, reporter)

    def go() -> Fit:
        return train_images(
            spec,
            parts[0],
            config.model,
            config.stages,
            config.train,
            validation=parts[1],
            device=target,
            folder=folder.path,
            track=reporter.track,
            log=log,
        )

    return _finish(folder, reporter, go, parts[1], parts[2])


def _begin(
    out: Path, config: RunConfig, described: dict[str, Any], parts: Sequence[Samples], *, resume: bool
) -> RunFolder:
    prints = [fingerprint(part.x, part.y) for part in parts]
    settings = {"model": config.model, "stages": config.stages, "train": config.train}
    return RunFolder.begin(out, described | settings | {"sha256": prints, "version": version("s-kan")}, resume=resume)


def _with(job: Job, reporter: Reporter, log: Callable[[Row], None]) -> Job:
    return replace(job, track=reporter.track, log=log)


def _log(folder: RunFolder, reporter: Reporter) -> Callable[[Row], None]:
    """Adds rows to the history, after those of an earlier process; says the losses."""
    is_first = [True]

    def log(row: Row) -> None:
        if is_first:
            is_first.clear()
            folder.history.resume(lambda earlier: earlier["step"] < row["step"])
        folder.history.add(row)
        reporter.say("  " + ", ".join(f"{name.replace('_', ' ')} {row[name]:.4g}" for name in SAID if name in row))

    return log


def _finish(
    folder: RunFolder, reporter: Reporter, go: Callable[[], Fit], validation: Samples, test: Samples | None
) -> TrainReport:
    """Train, write the weights, and measure the errors."""
    with folder.training(reporter):
        fitted = go()
    folder.save_weights(fitted.model)
    for path in checkpoints(folder.path):
        path.unlink()
    return TrainReport(
        folder.path,
        fitted.model,
        fitted.epochs,
        count_parameters(fitted.model),
        evaluate(fitted.model, validation),
        None if test is None else evaluate(fitted.model, test),
        fitted.errors,
    )


def open_run(path: Path | str, device: str = "auto") -> Saved:
    """The network of a folder, or of the file `model.safetensors` in one, with what is known of it.

    Raises:
        FileNotFoundError: if there is none, or its training has not ended.
        ValueError: if a file is damaged, or holds another kind of network.
    """
    folder = RunFolder.open(path)
    values = folder.values()
    config = folder.config(ModelConfig, "model")
    seed = int(values.get("train", {}).get("seed", 0))
    if values.get("kind") == "image":
        image = folder.config(ImageSpec, "spec")
        network: nn.Module = make_image_network(image, config)
        folder.load_weights(network)
        return Saved(_ready(network, device), image, seed=seed)
    spec = folder.config(TableSpec, "spec")
    schema = TableSchema.from_dict(values["schema"]) if values.get("schema") else None
    network = Scaled(make_network(config, len(spec.features), spec.n_outputs), len(spec.features), spec.n_outputs)
    folder.load_weights(network)
    return Saved(_ready(network, device), spec, schema, folder.config(DataConfig, "data"), seed)


def _ready(model: nn.Module, device: str) -> nn.Module:
    return model.to(Compute(device).torch_device).eval()


def load(path: Path | str, device: str = "auto") -> nn.Module:
    """The network of a folder, or of the file `model.safetensors` in one, ready to be evaluated.

    Raises:
        FileNotFoundError: if there is none, or its training has not ended.
        ValueError: if a file is damaged, or holds another kind of network.
    """
    return open_run(path, device).model


def save(
    model: Scaled, path: Path | str, config: ModelConfig, features: Sequence[str], formula: str | None = None
) -> None:
    """Write a network that was trained elsewhere to a folder, which `load` and the commands read.

    Args:
        model: A `Scaled` network that `make_network` has made with the settings.
        path: The folder.
        config: Its settings.
        features: Names of its inputs.
        formula: The formula that it learned, if it was one.

    Raises:
        ValueError: if the folder holds a training.
    """
    spec = TableSpec(tuple(features), len(model.shift), formula)
    described = {"kind": "table", "spec": spec, "schema": None, "data": DataConfig(), "model": config}
    RunFolder.save(path, described | {"version": version("s-kan")}, model)
