"""Trainings on disk: folders with the weights, the losses of all examples, and all that they depend on."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from torch import nn

from separata.models import count_parameters
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder
from separata.training import fingerprint, seeded

from .configs import RunConfig
from .networks import make_network
from .phases import Phases, find_phases
from .recorder import Recorder
from .samples import Samples, load_samples
from .training import Trainer

LOSSES = "losses.npz"


@dataclass(frozen=True)
class TraceReport:
    """How a training ended.

    Attributes:
        out: Its folder.
        recorder: The losses.
        phases: Steps at which the phases begin.
    """

    out: Path
    recorder: Recorder
    phases: Phases


def trace(
    source: str,
    out: Path | str,
    config: RunConfig = RunConfig(),  # noqa: B008 - immutable
    *,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TraceReport:
    """Train a network, and write its weights and the losses of all examples at all steps to a folder.

    Args:
        source: A data set by name or of the user's own, as `load_samples` takes it.
        out: The folder, which may be missing.
        config: Data, network and training.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        ValueError: if a setting or the data is wrong, the training diverges, or the folder holds another training.
        FileNotFoundError: if there is no such data.
    """
    reporter = reporter or Reporter(quiet=True)
    data = load_samples(source, config.data, seed=config.train.seed)
    with seeded(config.train.seed):
        network = make_network(config.model, data.x.shape[1:], len(data.classes))
    described = {
        "config": config,
        "source": str(source) if not Path(source).exists() else str(Path(source).resolve()),
        "sha256": fingerprint(data.x, data.y),
        "version": version("opposing-signals"),
    }
    folder = RunFolder.begin(out, described, resume=resume)
    network.to(Compute(device).torch_device)
    trainer = Trainer(
        network, data, config.train, checkpoint=folder.checkpoint, track=reporter.track, log=folder.log(reporter)
    )
    shape = " x ".join(map(str, data.x.shape[1:]))
    reporter.say(f"{len(data):,} samples of {shape}, {count_parameters(network):,} parameters; to {folder.path}")
    folder.fit(trainer, network, reporter)
    trainer.recorder.save(folder.path / LOSSES)
    record = trainer.recorder
    phases = find_phases(record.steps, record.mean_loss.tolist(), record.values.get("sharpness", {}), config.train.lr)
    return TraceReport(folder.path, record, phases)


@dataclass(frozen=True, eq=False)
class Traced:
    """A training that was written.

    Attributes:
        config: Its settings.
        recorder: The losses.
        data: The samples.
        network: The network after the last step, in training mode.
    """

    config: RunConfig
    recorder: Recorder
    data: Samples
    network: nn.Module


def load(path: Path | str, device: str = "auto", *, source: str | None = None) -> Traced:
    """A training that `trace` wrote, with its data.

    Args:
        path: Its folder.
        device: `auto`, `cpu` or `cuda`.
        source: Where the data is now, if not where it was.

    Raises:
        FileNotFoundError: if there is no such training, or its data is gone.
        ValueError: if a file is damaged, or the data is not what it was.
    """
    folder = RunFolder.open(path)
    config, values = folder.config(RunConfig, "config"), folder.values()
    data = load_samples(source or str(values.get("source", "")), config.data, seed=config.train.seed)
    if fingerprint(data.x, data.y) != values.get("sha256"):
        raise ValueError(f"the data of the training in {path} has changed since; name the same data")
    with seeded(config.train.seed):
        network = make_network(config.model, data.x.shape[1:], len(data.classes))
    folder.load_weights(network)
    return Traced(config, Recorder.load(folder.path / LOSSES), data, network.to(Compute(device).torch_device).train())
