"""Trainings on disk: folders with the weights, all that they depend on, and how the training went."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from separata.labeled import LabeledDataset, Splits
from separata.models import count_parameters
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import History, RunFolder, read_csv
from separata.training import fingerprint, seeded

from .configs import DataShape, NetworkConfig, RunConfig
from .diagnostics.alignment import alignment_map, class_matched, top_alignment
from .evaluation import EvaluationReport, evaluate
from .networks.architectures import make_network
from .networks.dual import CounterCurrentNetwork
from .rules.registry import make_rule
from .training import Row, Trainer

ALIGNMENT = "alignment.csv"
N_ALIGNED = 128
"""Validation samples on which the directions are compared during training."""


@dataclass(frozen=True)
class TrainReport:
    """How a training ended.

    Attributes:
        out: Its folder.
        test: What the network does on the test data.
        steps: Steps done.
        n_parameters: Weights of the forward and of the feedback network.
    """

    out: Path
    test: EvaluationReport
    steps: int
    n_parameters: int


def train(
    data: Splits,
    out: Path | str,
    config: RunConfig = RunConfig(),  # noqa: B008 - immutable
    *,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
    size: int | None = None,
) -> TrainReport:
    """Train a network and write it to a folder, which `load` reads; nothing is written before the settings are checked.

    Args:
        data: Training, validation and test data.
        out: The folder, which may be missing.
        config: The network and how it is trained.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.
        size: Height and width to which the images were resized, for those who evaluate the network.

    Raises:
        ValueError: if a setting or the data is wrong, the training diverges, or the folder holds another training or
            one that is not to be resumed.
        PermissionError: if the folder cannot be written to.
    """
    reporter = reporter or Reporter(quiet=True)
    shape = DataShape(data.train.sample_shape, None if config.is_autoencoder else data.train.n_classes)
    with seeded(config.train.seed):
        network = make_network(config.network, shape)
    prints = {name: fingerprint(part.x, part.y) for name, part in zip(Splits._fields, data, strict=True)}
    described = _described(config, shape) | {"size": size, "classes": list(data.train.classes), "sha256": prints}
    folder = RunFolder.begin(out, described, resume=resume)
    target = Compute(device).torch_device
    network.to(target)
    data = data.to(target)
    monitor = AlignmentMonitor(network, data.validation, folder.path / ALIGNMENT)
    trainer = Trainer(
        network,
        data.train,
        config.train,
        make_rule(network, config),
        validation=data.validation,
        checkpoint=folder.checkpoint,
        track=reporter.track,
        log=_both(folder.log(reporter), monitor),
    )
    monitor.resume(trainer.done)
    n_parameters = count_parameters(network)
    reporter.say(
        f"{len(data.train):,} samples of {' x '.join(map(str, shape.sample))}; {n_parameters:,} parameters; rule "
        f"{config.rule}; to {folder.path}"
    )
    folder.history.resume(lambda row: row["step"] <= trainer.done)
    with folder.training(reporter):
        monitor.begin(trainer.done)
        trainer.fit()
    folder.save_weights(network)
    return TrainReport(folder.path, evaluate(network, data.test), trainer.done, n_parameters)


class AlignmentMonitor:
    """Keeps the alignment of the two directions over a training, in a file.

    Args:
        network: The network.
        data: Samples on its device; at most 128 are taken.
        path: The file.
    """

    def __init__(self, network: CounterCurrentNetwork, data: LabeledDataset, path: Path) -> None:
        self.network = network
        self.data = class_matched(data, N_ALIGNED)
        self.history = History(path)

    def resume(self, done: int) -> None:
        """Go on after so many steps."""
        self.history.resume(lambda row: row["step"] <= done)

    def begin(self, done: int) -> None:
        """Compare before the first step; the row is written with the next one."""
        if done == 0 and len(self.data) > 1:
            self.history.rows = [self._row(0)]

    def __call__(self, row: Row) -> None:
        """Compare after a step; fewer than two samples cannot be."""
        if len(self.data) > 1:
            self.history.add(self._row(int(row["step"])))

    def _row(self, step: int) -> Row:
        cells = alignment_map(self.network, self.data.x, self.data.y)
        named = {f"a{i}_b{j}": cells[i, j].item() for i in range(cells.shape[0]) for j in range(cells.shape[1])}
        return {"step": step, "top": top_alignment(cells), **named}


def alignment_over_training(path: Path | str) -> dict[int, torch.Tensor]:
    """The alignment maps that a training has kept, by the number of steps before.

    Raises:
        FileNotFoundError: if the folder holds none.
        ValueError: if the file is damaged.
    """
    folder = RunFolder.open(path)
    file = folder.path / ALIGNMENT
    if not file.is_file():
        raise FileNotFoundError(f"{folder.path} has no {ALIGNMENT}: it was not written by a training")
    maps = {}
    for row in read_csv(file):
        cells = [value for name, value in row.items() if name.startswith("a")]
        side = round(len(cells) ** 0.5)
        if side**2 != len(cells) or side < 2 or "step" not in row:
            raise ValueError(f"{file} does not hold the alignment of a training")
        maps[int(row["step"])] = torch.tensor(cells, dtype=torch.double).view(side, side)
    return maps


def save(network: CounterCurrentNetwork, path: Path | str) -> None:
    """Write a network to a folder, which `load` reads.

    Raises:
        ValueError: if the folder holds a training, or the network was not made by `make_network` or `make_mlp`.
    """
    if network.description is None:
        raise ValueError("a network with layers of your own is saved by its state_dict(), not as a training")
    config, shape = network.description
    RunFolder.save(path, _described(RunConfig(config), shape), network)


def load(path: Path | str, device: str = "auto") -> CounterCurrentNetwork:
    """The network of a folder, or of the file `model.safetensors` in one, ready to be evaluated.

    Raises:
        FileNotFoundError: if there is none, or its training has not ended.
        ValueError: if a file is damaged, or holds the weights of another network.
    """
    folder = RunFolder.open(path)
    network = make_network(folder.config(NetworkConfig, "network"), folder.config(DataShape, "shape"))
    folder.load_weights(network)
    return network.to(Compute(device).torch_device).eval()


def described_shape(path: Path | str) -> tuple[DataShape, int | None, int, tuple[str, ...]]:
    """What a folder says of its data: the shape, the size to which images are resized, the seed, and the classes.

    A network that was saved by `save` has no names of classes.
    """
    folder = RunFolder.open(path)
    shape, values = folder.config(DataShape, "shape"), folder.values()
    size, seed = values.get("size"), values.get("train", {}).get("seed", 0)
    if not (size is None or isinstance(size, int)) or not isinstance(seed, int):
        raise ValueError(f"{folder.path} does not hold the settings of a training")
    return shape, size, seed, tuple(map(str, values.get("classes") or ()))


def _described(config: RunConfig, shape: DataShape) -> dict[str, Any]:
    return {
        "network": config.network,
        "shape": shape,
        "rule": config.rule,
        "loss": config.loss,
        "target": config.target,
        "train": config.train,
        "version": version("counter-current"),
    }


def _both(*takers: Callable[[Row], None]) -> Callable[[Row], None]:
    def take(row: Row) -> None:
        for one in takers:
            one(row)

    return take
