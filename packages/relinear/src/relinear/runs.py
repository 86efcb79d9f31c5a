"""Trainings on disk: what the commands do with the folder of a run."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from torch import nn

from separata.labeled import LabeledDataset, Splits
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder
from separata.training import fingerprint, seeded

from .configs import RunConfig
from .networks import make_network
from .training import Trainer


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
) -> nn.Module:
    """Train a network and write it to a folder, which `load` reads.

    Nothing is written before the settings are checked.

    Args:
        splits: The data, of which the training part is learned.
        out: The folder, which may be missing.
        config: The network, and how it is trained.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        ValueError: if a setting is wrong, the training diverges (the sentence names the layer), or the folder holds
            another training or one that is not to be resumed.
        PermissionError: if the folder cannot be written to.
    """
    reporter = reporter or Reporter(quiet=True)
    shape = DataShape.of(splits.train)
    with seeded(config.train.seed):
        model = make_network(config, shape.sample, len(shape.classes))
    described = _described(config, shape) | {"sha256": fingerprint(splits.train.x, splits.train.y)}
    folder = RunFolder.begin(out, described, resume=resume)
    model.to(Compute(device).torch_device)
    trainer = Trainer(
        model, splits.train, config, checkpoint=folder.checkpoint, track=reporter.track, log=folder.log(reporter)
    )
    folder.fit(trainer, model, reporter)
    return model


def save(model: nn.Module, path: Path | str, config: RunConfig, shape: DataShape) -> None:
    """Write a network to a folder, which `load` and the commands read.

    Networks of your own are saved by their `state_dict`, and loaded into the network that `quadratize` gives.

    Args:
        model: A network that `make_network` has made with the settings.
        path: The folder.
        config: Its settings.
        shape: What it takes and tells.

    Raises:
        ValueError: if the folder holds a training.
    """
    RunFolder.save(path, _described(config, shape), model)


def load(path: Path | str, device: str = "auto") -> nn.Module:
    """The network of a folder, or of the file `model.safetensors` in one, ready to be evaluated.

    Raises:
        FileNotFoundError: if there is none, or its training has not ended.
        ValueError: if a file is damaged, or holds the weights of another network.
    """
    folder = RunFolder.open(path)
    shape = load_shape(path)
    model = make_network(folder.config(RunConfig, "run"), shape.sample, len(shape.classes))
    folder.load_weights(model)
    return model.to(Compute(device).torch_device).eval()


def load_shape(path: Path | str) -> DataShape:
    """What the network of a folder takes and tells.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if its settings are damaged.
    """
    return RunFolder.open(path).config(DataShape, "shape")


def _described(config: RunConfig, shape: DataShape) -> dict[str, object]:
    return {"run": config, "shape": shape, "version": version("relinear")}
