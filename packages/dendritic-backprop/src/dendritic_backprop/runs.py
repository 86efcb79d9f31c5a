"""Trainings on disk: what the commands do with the folder of a run."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from separata import files
from separata.labeled import LabeledDataset, Splits
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder
from separata.training import accuracy, fingerprint, seeded

from .configs import DendriteConfig, NetworkConfig, RunConfig
from .networks import GROWING, make_network
from .training import GrowthReport, Trainer, TrainingData
from .wrapping import add_dendrites

REPORT = "report.json"


@dataclass(frozen=True)
class DataShape:
    """What a network takes and tells.

    Attributes:
        sample: Shape of a sample.
        classes: Names of the classes.
    """

    sample: tuple[int, ...]
    classes: tuple[str, ...]

    @classmethod
    def of(cls, data: LabeledDataset) -> "DataShape":
        """That of labeled data."""
        return cls(data.sample_shape, data.classes)


def train(
    splits: Splits,
    out: Path | str,
    config: RunConfig = RunConfig(),  # noqa: B008 - immutable
    *,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> tuple[GrowthReport, float]:
    """Train a network with dendrites and write it to a folder, which `load` reads.

    Nothing is written before the settings are checked.

    Args:
        splits: The data.
        out: The folder, which may be missing.
        config: The network, its dendrites, and how it is trained.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Returns:
        How it went, and the accuracy on the test part.

    Raises:
        ValueError: if a setting is wrong, the training diverges, or the folder holds another training or one that is
            not to be resumed.
        PermissionError: if the folder cannot be written to.
    """
    reporter = reporter or Reporter(quiet=True)
    shape = DataShape.of(splits.train)
    with seeded(config.train.seed):
        model = _make(config.network, config.dendrites, shape)
    prints = {name: fingerprint(part.x, part.y) for name, part in zip(("train", "validation"), splits[:2], strict=True)}
    described = _described(config, shape) | {"cycle": config.cycle, "train": config.train, "sha256": prints}
    folder = RunFolder.begin(out, described, resume=resume)
    on_device = splits.to(Compute(device).torch_device)
    model.to(on_device.train.x.device)
    trainer = Trainer(
        model,
        TrainingData.of(on_device),
        config.train,
        cycle=config.cycle,
        checkpoint=folder.checkpoint,
        track=reporter.track,
        log=folder.log(reporter),
    )
    folder.history.resume(lambda row: row["epoch"] <= trainer.epochs)
    with folder.training(reporter):
        report = trainer.fit()
    test = accuracy(model, on_device.test.x, on_device.test.y)
    folder.save_weights(model)
    files.write_json(
        folder.path / REPORT,
        {
            "validation": report.score,
            "initial": report.initial_score,
            "test": test,
            "epochs": report.n_epochs,
            "correlations": list(report.correlations),
        },
    )
    return report, test


def save(
    model: nn.Module,
    path: Path | str,
    shape: DataShape,
    network: NetworkConfig,
    dendrites: DendriteConfig = DendriteConfig(),  # noqa: B008 - immutable
) -> None:
    """Write a network to a folder, which `load` reads.

    Networks of your own are saved by their `state_dict`: after `add_dendrites`, `load_state_dict` takes one with any
    number of dendrites.

    Raises:
        ValueError: if the folder holds a training.
    """
    RunFolder.save(path, _described(RunConfig(network, dendrites), shape), model)


def load(path: Path | str, device: str = "auto") -> nn.Module:
    """The network of a folder, or of the file `model.safetensors` in one, ready to be evaluated.

    Raises:
        FileNotFoundError: if there is none, or its training has not ended.
        ValueError: if a file is damaged, or holds the weights of another network.
    """
    folder = RunFolder.open(path)
    dendrites = folder.config(DendriteConfig, "dendrites")
    model = _make(folder.config(NetworkConfig, "network"), dendrites, load_shape(path))
    folder.load_weights(model)
    return model.to(Compute(device).torch_device).eval()


def load_shape(path: Path | str) -> DataShape:
    """What the network of a folder takes and tells.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if its settings are damaged.
    """
    return RunFolder.open(path).config(DataShape, "shape")


def load_report(path: Path | str) -> dict[str, Any]:
    """How the training of a folder went: nothing where the file is missing, as after `save`.

    Raises:
        ValueError: if the file is damaged.
    """
    place = RunFolder.open(path).path / REPORT
    found = files.read_json(place) if place.is_file() else {}
    if not isinstance(found, dict) or not _is_report(found):
        raise ValueError(f"{place} does not hold the report of a training")
    return found


def _is_report(found: dict[str, Any]) -> bool:
    """Whether numbers are numbers, and correlations numbers by the names of layers."""
    correlations = found.get("correlations", [])
    numbers = [value for key, value in found.items() if key != "correlations"]
    by_layer = isinstance(correlations, list) and all(isinstance(phase, dict) for phase in correlations)
    numbers += [value for phase in correlations for value in phase.values()] if by_layer else []
    return by_layer and all(isinstance(value, (int, float)) for value in numbers)


def _make(network: NetworkConfig, dendrites: DendriteConfig, shape: DataShape) -> nn.Module:
    model = make_network(network, shape.sample, len(shape.classes))
    return add_dendrites(model, types=GROWING, config=dendrites)


def _described(config: RunConfig, shape: DataShape) -> dict[str, Any]:
    return {
        "network": config.network,
        "dendrites": config.dendrites,
        "shape": shape,
        "version": version("dendritic-backprop"),
    }
