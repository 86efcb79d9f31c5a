"""Trainings on disk."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from torch import nn

from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder

from .configs import MethodConfig, NetworkConfig, RunConfig, TransformerConfig
from .tasks import Characters, make_task
from .training import Trainer, make_model


@dataclass(frozen=True, eq=False)
class Trained:
    """A network of a folder, and what is known of it.

    Attributes:
        model: The network, with its branches if it has some, in evaluation mode.
        network: What its inputs and outputs are.
        shape: The shape of its transformer.
        method: What was done to it.
        vocabulary: The characters that its tokens stand for, if it reads text.
    """

    model: nn.Module
    network: NetworkConfig
    shape: TransformerConfig
    method: MethodConfig
    vocabulary: str | None = None


@dataclass(frozen=True, eq=False)
class TrainReport:
    """How a training ended.

    Attributes:
        out: Its folder.
        trained: The network.
        history: Rows of step, train_loss, eval_loss and seconds.
    """

    out: Path
    trained: Trained
    history: list[dict[str, float]]


def train(
    config: RunConfig,
    out: Path | str,
    *,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TrainReport:
    """Train a network on a task, and write it and its history to a folder, which `load` and `compare` read.

    Args:
        config: What is learned, by what network, and how.
        out: The folder, which may be missing.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        ValueError: if a setting or the data is wrong, the training diverges, or the folder holds another training.
        OSError: if a file cannot be read or written.
    """
    reporter = reporter or Reporter(quiet=True)
    place = str(Compute(device).torch_device)
    task = make_task(config.task, config.train.seed, place)
    vocabulary = task.corpus.vocabulary if isinstance(task, Characters) else None
    model = make_model(task.network, config.model, config.method, config.train.seed).to(place)
    trained = Trained(model, task.network, config.model, config.method, vocabulary)
    told = {"task": config.task, "train": config.train, "sha256": task.fingerprint}
    folder = RunFolder.begin(out, _described(trained) | told, resume=resume)
    trainer = Trainer(
        model, task, config.train, checkpoint=folder.checkpoint, track=reporter.track, log=folder.log(reporter)
    )
    # Without a checkpoint, the training begins again, with its row of step 0.
    folder.history.resume(lambda row: bool(trainer.history) and row["step"] <= trainer.loop.done)
    with folder.training(reporter):
        trainer.fit()
    folder.save_weights(model.eval())
    return TrainReport(folder.path, trained, trainer.history)


def save(trained: Trained, path: Path | str) -> None:
    """Write a network to a folder, from which `load` reads it.

    Raises:
        ValueError: if the folder holds a training.
        OSError: if it cannot be written.
    """
    RunFolder.save(path, _described(trained), trained.model)


def load(path: Path | str, device: str = "auto") -> Trained:
    """The network of a folder that `save` or `noble-branch train` wrote.

    Args:
        path: The folder, or the file of the weights in it.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        FileNotFoundError: if there is no such training, or it has not ended.
        ValueError: if a file is damaged, or the weights are of another network.
    """
    folder = RunFolder.open(path)
    network, shape = folder.config(NetworkConfig, "network"), folder.config(TransformerConfig, "model")
    method = folder.config(MethodConfig, "method")
    vocabulary = folder.values().get("vocabulary")
    if not (vocabulary is None or isinstance(vocabulary, str)):
        raise ValueError(f"{folder.path} does not hold a network of this kind: its vocabulary is no text")
    model = make_model(network, shape, method, 0)
    folder.load_weights(model)
    return Trained(model.to(Compute(device).torch_device).eval(), network, shape, method, vocabulary)


def _described(trained: Trained) -> dict[str, object]:
    return {
        "network": trained.network,
        "model": trained.shape,
        "method": trained.method,
        "vocabulary": trained.vocabulary,
        "version": version("noble-branch"),
    }
