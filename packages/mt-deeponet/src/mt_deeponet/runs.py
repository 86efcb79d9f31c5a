"""Trainings on disk: folders with the weights, all that they depend on, and how the training went."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from separata.models import count_parameters
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder
from separata.training import fingerprint, seeded

from .configs import TARGET, DataShape, ModelConfig, RunConfig, TrainConfig
from .data import MultiTaskData
from .fine_tuning import prepare
from .surrogate import Surrogate, make_model
from .training import Trainer

FEWEST = 2
"""Samples of a task that can be trained on."""


@dataclass(frozen=True)
class TrainReport:
    """How a training ended.

    Attributes:
        out: Its folder.
        loss: Mean training loss over the last steps.
        steps: Steps done.
        n_parameters: Trainable numbers.
        tasks: Samples of each task.
    """

    out: Path
    loss: float
    steps: int
    n_parameters: int
    tasks: Mapping[str, int]

    def summary(self) -> str:
        """For a person."""
        told = ", ".join(f"{name} ({n:,})" for name, n in self.tasks.items())
        return (
            f"{self.out}: loss {self.loss:.3g} after {self.steps:,} steps on {told}; {self.n_parameters:,} parameters"
        )


def train(
    data: MultiTaskData,
    out: Path | str,
    config: RunConfig = RunConfig(),  # noqa: B008 - immutable
    *,
    test: MultiTaskData | None = None,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TrainReport:
    """Train a network on pooled tasks and write it to a folder, which `load` reads.

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
        ValueError: if a setting is wrong, a task has too few samples, the training diverges, or the folder holds
            another training or one that is not to be resumed.
        PermissionError: if the folder cannot be written to.
    """
    _check(data, test)
    with seeded(config.train.seed):
        model = make_model(config.model, data.shape)
    model.fit_normalizers(data.to(dtype=torch.float32))
    described = _described(config.model, data.shape) | _training(config.train, data, test)
    return _train(model, data, out, described, config.train, test, device, reporter, resume=resume)


def transfer_run(
    source: Path | str,
    data: MultiTaskData,
    out: Path | str,
    config: TrainConfig = TARGET,
    *,
    parts: tuple[str, ...] | None = None,
    test: MultiTaskData | None = None,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TrainReport:
    """Fine-tune the network of a folder on a new task, into another folder; see `transfer`.

    Args:
        source: Folder of the trained network.
        data: Samples of the new task.
        out: The new folder.
        config: How it is fine-tuned.
        parts: Parts that are trained; by default those of the paper.
        test: Data whose error is logged, too.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: as `train`, and if there is no such part or the data has another shape than the source's.
    """
    _check(data, test)
    model = prepare(load(source, "cpu"), data.to(dtype=torch.float32), parts)
    values = RunFolder.open(source).values()
    described = {name: values[name] for name in ("model", "shape", "version")} | _training(config, data, test)
    described |= {"source": str(source), "parts": None if parts is None else list(parts)}
    return _train(model, data, out, described, config, test, device, reporter, resume=resume)


def _train(
    model: Surrogate,
    data: MultiTaskData,
    out: Path | str,
    described: dict[str, Any],
    config: TrainConfig,
    test: MultiTaskData | None,
    device: str,
    reporter: Reporter | None,
    *,
    resume: bool,
) -> TrainReport:
    reporter = reporter or Reporter(quiet=True)
    folder = RunFolder.begin(out, described, resume=resume)
    model.to(Compute(device).torch_device)
    trainer = Trainer(
        model,
        data,
        config,
        test=test,
        checkpoint=folder.checkpoint,
        track=reporter.track,
        log=folder.log(reporter),
    )
    n_parameters = count_parameters(model)
    tasks = count_tasks(data)
    told = ", ".join(f"{name} ({n:,})" for name, n in tasks.items())
    reporter.say(f"{len(data):,} samples of {told}; {n_parameters:,} parameters; to {folder.path}")
    folder.fit(trainer, model, reporter)
    loss = folder.history.rows[-1]["loss"] if folder.history.rows else math.nan
    return TrainReport(folder.path, loss, trainer.done, n_parameters, tasks)


def count_tasks(data: MultiTaskData) -> dict[str, int]:
    """Samples of each task that has some."""
    counts = torch.bincount(data.task.cpu(), minlength=len(data.names))  # type: ignore[union-attr] # set at first
    return {name: n for name, n in zip(data.names, counts.tolist(), strict=True) if n}


def save(model: Surrogate, path: Path | str, config: ModelConfig) -> None:
    """Write a network to a folder, which `load` reads.

    Args:
        model: The network.
        path: The folder.
        config: That it was made of.

    Raises:
        ValueError: if the folder holds a training.
    """
    RunFolder.save(path, _described(config, model.shape), model)


def load(path: Path | str, device: str = "auto") -> Surrogate:
    """The network of a folder, or of the file `model.safetensors` in one, ready to be evaluated.

    Raises:
        FileNotFoundError: if there is none, or its training has not ended.
        ValueError: if a file is damaged, or holds the weights of another network.
    """
    folder = RunFolder.open(path)
    model = make_model(folder.config(ModelConfig, "model"), folder.config(DataShape, "shape"))
    folder.load_weights(model)
    return model.to(Compute(device).torch_device).eval()


def _check(data: MultiTaskData, test: MultiTaskData | None) -> None:
    for name, n in count_tasks(data).items():
        if n < FEWEST:
            raise ValueError(f"there are too few samples of {name}: {n}, and {FEWEST} are needed at least")
    if test is not None and test.shape != data.shape:
        raise ValueError(f"training and test data are of different shapes: {data.shape} and {test.shape}")


def _training(config: TrainConfig, data: MultiTaskData, test: MultiTaskData | None) -> dict[str, Any]:
    parts = {"data": data, "test": test}
    prints = {
        name: fingerprint(part.functions, part.points, part.values, part.mask, part.codes, part.task)
        for name, part in parts.items()
        if part is not None
    }
    return {"train": config, "sha256": prints}


def _described(config: ModelConfig, shape: DataShape) -> dict[str, Any]:
    return {"model": config, "shape": shape, "version": version("mt-deeponet")}
