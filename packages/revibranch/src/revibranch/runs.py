"""Trainings on disk: a folder with the settings, the history, the progress and the policy that came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from separata.progress import Reporter
from separata.run import Compute
from separata.runs import MODEL, RunFolder
from separata.training import seeded

from .configs import PolicyConfig, ScipConfig, TrainConfig
from .environment import Instance
from .policy import ReviBranchPolicy, save
from .trainer import Trainer

MAY_CHANGE = ("n_workers",)
"""Settings in which a training that goes on may differ."""


@dataclass(frozen=True)
class RunConfig:
    """All that a training depends on, besides the instances themselves.

    Args:
        policy: The network.
        train: How it is trained.
        scip: How SCIP solves.
        instances: What the instances are: the names of files, or a family and its settings.
    """

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    scip: ScipConfig = field(default_factory=ScipConfig)
    instances: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainReport:
    """How a training ended.

    Attributes:
        model: File of the policy.
        n_episodes: Instances solved.
        n_updates: Batches learned from.
        nodes: Geometric mean of the nodes on held-out instances by the policy that was kept; None without them.
    """

    model: Path
    n_episodes: int
    n_updates: int
    nodes: float | None


def train(
    instances: Sequence[Instance],
    out: Path | str,
    config: RunConfig = RunConfig(),
    *,
    validation: Sequence[Instance] = (),
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TrainReport:
    """Train a policy on instances and write it to a folder, as `model.safetensors`, which `load` reads.

    Args:
        instances: Problems, or files that hold them.
        out: The folder, which may be missing.
        config: The network and how it is trained.
        validation: Held-out instances, on which the best weights are chosen.
        device: Where the network learns: `auto`, `cpu` or `cuda`. Instances are solved on the CPU.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        ValueError: if a setting is wrong, the training diverges, or the folder holds another training or one that is
            not to be resumed.
        FileNotFoundError: if an instance is not there.
    """
    reporter = reporter or Reporter(quiet=True)
    folder = RunFolder.begin(out, config, resume=resume, may_change=MAY_CHANGE)
    with seeded(config.train.seed):
        policy = ReviBranchPolicy(config.policy)
    policy.to(Compute(device).torch_device)

    def log(row: dict[str, float]) -> None:
        folder.history.add(row)
        reporter.say("  " + ", ".join(f"{name} {value:.4g}" for name, value in row.items() if value == value))  # noqa: PLR0124

    trainer = Trainer(
        policy,
        instances,
        config.train,
        scip=config.scip,
        validation=validation,
        folder=folder.path,
        track=reporter.track,
        log=log,
    )
    folder.history.resume(lambda row: row["episode"] < trainer.done)
    with folder.training(reporter):
        try:
            trainer.fit()
        except FloatingPointError as error:
            raise ValueError(str(error)) from None
    save(policy, folder.path / MODEL)
    nodes = trainer.best_nodes if validation else None
    return TrainReport(folder.path / MODEL, trainer.done, trainer.n_updates, nodes)
