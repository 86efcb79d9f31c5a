"""Trainings on disk: what the commands do with the folder of a run."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder
from separata.training import fingerprint

from .configs import RunConfig
from .model import HyperModel
from .tasks import Task, load_task
from .training import Trainer, make_model


@dataclass(frozen=True)
class Saved:
    """A trained network of a folder.

    Attributes:
        model: The network with its hypernetwork, in evaluation mode.
        task: Its task, with the data.
        config: How it was made and trained.
    """

    model: HyperModel
    task: Task
    config: RunConfig


def train_run(
    out: Path | str,
    config: RunConfig = RunConfig(),  # noqa: B008 - immutable
    *,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> Saved:
    """Train a network on a task and write it to a folder, which `load` reads.

    Nothing is written before settings and data are checked.

    Args:
        out: The folder, which may be missing.
        config: The task, the hypernetwork, and how it is trained.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or the data is wrong, the training diverges, or the folder holds another training or
            one that is not to be resumed.
        PermissionError: if the folder cannot be written to.
    """
    reporter = reporter or Reporter(quiet=True)
    target = Compute(device).torch_device
    task = load_task(config.task, config.task_config, config.train.seed)
    model = make_model(task, config.hyper, config.train.seed)
    described = {
        "run": config,
        "sha256": fingerprint(*task.samples("train")),
        "sample_shape": task.sample_shape,
        "version": version("mip-hypernet"),
    }
    folder = RunFolder.begin(out, described, resume=resume)
    task = task.to(target)
    model.to(target)
    trainer = Trainer(
        model,
        task,
        config.train,
        checkpoint=folder.checkpoint,
        track=reporter.track,
        log=folder.log(reporter),
    )
    folder.fit(trainer, model, reporter)
    return Saved(model, task, config)


def open_run(path: Path | str, device: str = "auto") -> Saved:
    """The network of a folder, or of the file `model.safetensors` in one, with its task.

    Raises:
        FileNotFoundError: if there is none, its training has not ended, or its data is no longer there.
        ValueError: if a file is damaged, or the data is no longer that of the training.
    """
    folder = RunFolder.open(path)
    config = folder.config(RunConfig, "run")
    task = load_task(config.task, config.task_config, config.train.seed)
    if folder.values().get("sha256") != fingerprint(*task.samples("train")):
        raise ValueError(f"{config.task_config.data} is not the data that the network in {folder.path} was trained on")
    model = make_model(task, config.hyper, config.train.seed)
    folder.load_weights(model)
    target = Compute(device).torch_device
    model.to(target).eval()
    return Saved(model, task.to(target), config)


def load(path: Path | str, device: str = "auto") -> HyperModel:
    """The network of a folder, or of the file `model.safetensors` in one, ready to be evaluated.

    Raises:
        FileNotFoundError, ValueError: as `open_run`.
    """
    return open_run(path, device).model


def save(model: HyperModel, path: Path | str, config: RunConfig) -> None:
    """Write a network that was trained elsewhere to a folder, which `load` and the commands read.

    Networks of your own are saved by their `state_dict`, and loaded into what `hypernetize` gives.

    Args:
        model: A network that `make_model` has made with the settings.
        path: The folder.
        config: Its settings.

    Raises:
        ValueError: if the folder holds a training.
    """
    task = load_task(config.task, config.task_config, config.train.seed)
    described = {
        "run": config,
        "sha256": fingerprint(*task.samples("train")),
        "sample_shape": task.sample_shape,
        "version": version("mip-hypernet"),
    }
    RunFolder.save(path, described, model)
