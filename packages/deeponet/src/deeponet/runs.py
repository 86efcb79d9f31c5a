"""Trainings on disk: folders with the weights, all that they depend on, and how the training went."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from separata.models import count_parameters
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder
from separata.training import fingerprint, seeded

from .configs import DataShape, ModelConfig, RunConfig, widths
from .fnn import JoinedNet
from .network import DeepONet
from .resnet import ResNet
from .training import Trainer
from .triples import TripleDataset

FAR = 100.0
"""How far numbers may be from the order of one before a training warns of them."""


@dataclass(frozen=True)
class TrainReport:
    """How a training ended.

    Attributes:
        out: Its folder.
        train_mse: Mean squared error on the training data, of the weights that were kept.
        steps: Steps done.
        n_parameters: Trainable numbers.
    """

    out: Path
    train_mse: float
    steps: int
    n_parameters: int

    def summary(self) -> str:
        """For a person."""
        return (
            f"{self.out}: training error {self.train_mse:.3g} (MSE) in {self.steps:,} steps; "
            f"{self.n_parameters:,} parameters"
        )


def make_model(config: ModelConfig, shape: DataShape) -> nn.Module:
    """The network of a configuration, for data of a shape; its weights are drawn from PyTorch's generator.

    Raises:
        ValueError: if the widths do not fit each other.
    """
    branch, n = widths(config.branch), shape.n_outputs
    if config.kind == "fnn":
        return JoinedNet(shape.n_sensors, shape.n_coordinates, [*branch, n], config.activation)
    if config.kind == "resnet":
        if len(set(branch)) > 1:
            raise ValueError(f"the blocks of a residual network have one width, not {config.branch}")
        return ResNet(
            shape.n_sensors,
            shape.n_coordinates,
            n,
            width=branch[0],
            n_blocks=len(branch),
            activation=config.activation,
        )
    trunk = widths(config.trunk)
    return DeepONet(
        [shape.n_sensors, *branch[:-1], branch[-1] * (n if config.strategy == "split_branch" else 1)],
        [shape.n_coordinates, *trunk[:-1], trunk[-1] * (n if config.strategy == "split_trunk" else 1)],
        n_outputs=n,
        strategy=config.strategy,
        bias=config.bias,
        activation=config.activation,
        stacked=config.stacked,
    )


def describe(model: nn.Module) -> tuple[ModelConfig, DataShape]:
    """The configuration and shape from which `make_model` makes a network like this one.

    Raises:
        ValueError: if it is no network of this package, or has modules of your own.
    """
    if isinstance(model, JoinedNet):
        text = ",".join(map(str, model.sizes[:-1]))
        kind = "resnet" if isinstance(model, ResNet) else "fnn"
        shape = DataShape(model.n_sensors, model.n_coordinates, model.n_outputs)
        return ModelConfig(kind, text, activation=model.activation_name), shape  # type: ignore[arg-type] # one of three
    if not isinstance(model, DeepONet) or model.sizes is None:
        raise ValueError("a network with modules of your own is saved by its state_dict(), not as a training")
    branch, trunk = model.sizes
    n = model.n_outputs
    config = ModelConfig(
        "deeponet",
        _text(branch, n if model.strategy == "split_branch" else 1),
        _text(trunk, n if model.strategy == "split_trunk" else 1),
        model.is_stacked,
        model.bias is not None,
        model.activation,
        model.strategy,
    )
    return config, DataShape(branch[0], trunk[0], n)


def _text(sizes: tuple[int, ...], n_groups: int) -> str:
    return ",".join(map(str, [*sizes[1:-1], sizes[-1] // n_groups]))


def train(
    data: TripleDataset,
    out: Path | str,
    config: RunConfig = RunConfig(),  # noqa: B008 - immutable
    *,
    test: TripleDataset | None = None,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TrainReport:
    """Train a network on triples and write it to a folder, which `load` reads.

    Nothing is written before the settings are checked.

    Args:
        data: What it is trained on.
        out: The folder, which may be missing.
        config: The network and how it is trained.
        test: Data whose error is logged, too.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        ValueError: if a setting is wrong, the training diverges, or the folder holds another training or one that is
            not to be resumed.
        PermissionError: if the folder cannot be written to.
    """
    reporter = reporter or Reporter(quiet=True)
    if test is not None and test.shape != data.shape:
        raise ValueError(f"training and test data are of different shapes: {data.shape} and {test.shape}")
    with seeded(config.train.seed):
        model = make_model(config.model, data.shape)
    parts = {"data": data, "test": test}
    prints = {name: fingerprint(part.u, part.y, part.s) for name, part in parts.items() if part is not None}
    described = _described(config.model, data.shape) | {"train": config.train, "sha256": prints}
    folder = RunFolder.begin(out, described, resume=resume)
    model.to(Compute(device).torch_device)
    trainer = Trainer(
        model,
        data,
        config.train,
        test=test,
        checkpoint=folder.checkpoint,
        track=reporter.track,
        log=folder.log(reporter),
    )
    n_parameters = count_parameters(model)
    functions, points = "function" if len(data) == 1 else "functions", "point" if data.n_points == 1 else "points"
    reporter.say(
        f"{len(data):,} {functions} of {data.n_points:,} {points}; {n_parameters:,} parameters; to {folder.path}"
    )
    if told := _unscaled(data):
        reporter.say(f"Warning: {told}; networks learn best from numbers of the order of one, so scale them.")
    folder.fit(trainer, model, reporter)
    return TrainReport(folder.path, trainer.best, trainer.done, n_parameters)


def save(model: nn.Module, path: Path | str) -> None:
    """Write a network to a folder, which `load` reads.

    Raises:
        ValueError: if the folder holds a training, or the network has modules of your own.
    """
    RunFolder.save(path, _described(*describe(model)), model)


def load(path: Path | str, device: str = "auto") -> nn.Module:
    """The network of a folder, or of the file `model.safetensors` in one, ready to be evaluated.

    Raises:
        FileNotFoundError: if there is none, or its training has not ended.
        ValueError: if a file is damaged, or holds the weights of another network.
    """
    folder = RunFolder.open(path)
    model = make_model(folder.config(ModelConfig, "model"), folder.config(DataShape, "shape"))
    folder.load_weights(model)
    return model.to(Compute(device).torch_device).eval()


def train_error(path: Path | str) -> float | None:
    """The lowest training error of a training, which is that of the weights that it kept; None if it is not known."""
    history = RunFolder.open(path).history
    history.resume(lambda _: True)
    losses = [row["loss"] for row in history.rows if "loss" in row]
    return min(losses) if losses else None


def _unscaled(data: TripleDataset) -> str:
    """What of the data is far from the order of one."""
    sizes = {name: float(getattr(data, name).double().square().mean().sqrt()) for name in ("u", "y", "s")}
    return " and ".join(f"{name} is of the order of {size:.0e}" for name, size in sizes.items() if _is_far(size))


def _is_far(size: float) -> bool:
    return size > 0 and not 1 / FAR < size < FAR


def _described(config: ModelConfig, shape: DataShape) -> dict[str, Any]:
    return {"model": config, "shape": shape, "version": version("deeponet")}
