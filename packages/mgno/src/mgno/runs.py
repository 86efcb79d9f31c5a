"""Trainings on disk: folders with the weights, all that they depend on, and how the training went."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from separata.models import count_parameters
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder
from separata.training import fingerprint, seeded

from .configs import DataShape, ModelConfig, RunConfig
from .grids import GridDataset, TrajectoryDataset, as_pairs
from .operators import Operator, make_operator
from .training import Trainer

HELD_OUT = 0.1
"""Share of the training data that chooses the best epoch, where there is no other validation data."""


@dataclass(frozen=True)
class TrainReport:
    """How a training ended.

    Attributes:
        out: Its folder.
        validation_l2: Relative L2 error on the validation data, of the weights that were kept.
        best_epoch: The epoch that they are of.
        epochs: Epochs done.
        n_parameters: Trainable numbers.
    """

    out: Path
    validation_l2: float
    best_epoch: int
    epochs: int
    n_parameters: int

    def summary(self) -> str:
        """For a person."""
        return (
            f"{self.out}: relative L2 error {self.validation_l2:.3g} on validation data after epoch "
            f"{self.best_epoch} of {self.epochs}; {self.n_parameters:,} parameters"
        )


def train(
    data: GridDataset | TrajectoryDataset,
    out: Path | str,
    config: RunConfig = RunConfig(),  # noqa: B008 - immutable
    *,
    validation: GridDataset | TrajectoryDataset | None = None,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TrainReport:
    """Train a network on pairs of functions, or on the steps of trajectories; write it to a folder, for `load`.

    Nothing is written before the settings are checked.

    Args:
        data: What it is trained on.
        out: The folder, which may be missing.
        config: The network and how it is trained.
        validation: Data by which the best epoch is chosen; a tenth of the training data, in whole trajectories, if not
            given.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        ValueError: if a setting is wrong, the training diverges, or the folder holds another training or one that is
            not to be resumed.
        PermissionError: if the folder cannot be written to.
    """
    reporter = reporter or Reporter(quiet=True)
    given = {"data": as_pairs(data)} | ({} if validation is None else {"validation": as_pairs(validation)})
    prints = {name: fingerprint(part.x, part.y) for name, part in given.items()}
    pairs, held_out = _parts(data.to(dtype=torch.float32), validation, config.train.seed)
    with seeded(config.train.seed):
        model = make_operator(config.model, pairs.shape, pairs)
    described = _described(config.model, pairs.shape) | {"train": config.train, "sha256": prints}
    folder = RunFolder.begin(out, described, resume=resume)
    model.to(Compute(device).torch_device)
    trainer = Trainer(
        model,
        pairs,
        config.train,
        validation=held_out,
        checkpoint=folder.checkpoint,
        track=reporter.track,
        log=folder.log(reporter),
    )
    n_parameters = count_parameters(model)
    reporter.say(
        f"{len(pairs):,} samples on {pairs.shape.height} x {pairs.shape.width} points, {len(held_out):,} held out; "
        f"{n_parameters:,} parameters; to {folder.path}"
    )
    folder.fit(trainer, model, reporter)
    return TrainReport(folder.path, trainer.best, trainer.best_epoch, trainer.done, n_parameters)


def _parts(
    data: GridDataset | TrajectoryDataset, validation: GridDataset | TrajectoryDataset | None, seed: int
) -> tuple[GridDataset, GridDataset]:
    """What is trained on, and what chooses the best epoch."""
    if validation is not None:
        train, held_out = as_pairs(data), as_pairs(validation)
        ends = [(part.shape.in_channels, part.shape.out_channels) for part in (train, held_out)]
        if ends[0] != ends[1]:
            raise ValueError(f"training and validation data have other channels: {ends[0]} and {ends[1]}")
        return train, held_out
    # States of one trajectory are too much alike to be on both sides, unless there is no other.
    data = as_pairs(data) if len(data) == 1 else data
    if len(data) < 2:
        raise ValueError("one sample leaves none to validate on; give more, or validation data")
    rest, held = data.split(max(1, round(HELD_OUT * len(data))), torch.Generator().manual_seed(seed))
    return as_pairs(rest), as_pairs(held)


def save(model: nn.Module, path: Path | str) -> None:
    """Write a network of `make_operator` to a folder, which `load` reads.

    Raises:
        ValueError: if the folder holds a training, or the network was made otherwise.
    """
    RunFolder.save(path, _described(*describe(model)), model)


def describe(model: nn.Module) -> tuple[ModelConfig, DataShape]:
    """The configuration and shape from which `make_operator` makes a network like this one.

    Raises:
        ValueError: if it was made otherwise.
    """
    if not isinstance(model, Operator) or model.config is None or model.shape is None:
        raise ValueError(
            "only a network of make_operator is saved as a training; save another one's state_dict() and what made it"
        )
    return model.config, model.shape


def load(path: Path | str, device: str = "auto") -> Operator:
    """The network of a folder, or of the file `model.safetensors` in one, ready to be evaluated.

    Raises:
        FileNotFoundError: if there is none, or its training has not ended.
        ValueError: if a file is damaged, or holds the weights of another network.
    """
    folder = RunFolder.open(path)
    model = make_operator(folder.config(ModelConfig, "model"), folder.config(DataShape, "shape"))
    folder.load_weights(model)
    return model.to(Compute(device).torch_device).eval()


def _described(config: ModelConfig, shape: DataShape) -> dict[str, Any]:
    return {"model": config, "shape": shape, "version": version("mgno")}
