"""Trainings on disk: a folder with the settings, the history, the progress and the policy that came of it."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revibranch.configs import PolicyConfig, ScipConfig, TrainConfig
from revibranch.network.policy import ReviBranchPolicy, save
from revibranch.search.environment import Instance
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import MODEL, RunFolder
from separata.training import seeded

from .trainer import Trainer, geometric_mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVE = "curve.svg"
"""The figure of the training, in its folder."""
N_LINES = 40
"""Lines that a training says of itself, and points of its curve."""
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
        validation: What the held-out instances are.
    """

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    scip: ScipConfig = field(default_factory=ScipConfig)
    instances: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()


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

    Beside it are the settings, the history of all episodes, and its curve as a figure.

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

    trainer = Trainer(
        policy,
        instances,
        config.train,
        scip=config.scip,
        validation=validation,
        folder=folder.path,
        track=reporter.track,
        log=_history(folder, config.train.n_episodes, reporter),
    )
    folder.history.resume(lambda row: row["episode"] < trainer.done)
    with folder.training(reporter):
        trainer.fit()
    save(policy, folder.path / MODEL)
    if folder.history.rows:
        from separata import plots

        plots.save(curve(folder.history.rows), folder.path / CURVE)
    nodes = trainer.best_nodes if validation else None
    return TrainReport(folder.path / MODEL, trainer.done, trainer.n_updates, nodes)


def curve(history: Sequence[Mapping[str, float]]) -> "Figure":
    """The figure of a training: nodes of its episodes, and of held-out instances.

    Args:
        history: Its rows, as `separata.runs.read_csv` reads them from the folder.
    """
    from separata import plots

    figure = plots.curves(_points(history), "nodes", x="episode", by="of", ylabel="nodes, geometric mean")
    figure.axes[0].set_yscale("log")
    return figure


def learning_curves(
    histories: Mapping[str, Sequence[Mapping[str, float]]], reference: Mapping[str, float] | None = None
) -> "Figure":
    """The figure of several trainings: the nodes that each needs on held-out instances, by episode.

    Args:
        histories: Their rows by name, as `separata.runs.read_csv` reads them from the folders.
        reference: What others need on the same instances, drawn as dashed lines.

    Raises:
        ValueError: if none of them was evaluated on held-out instances.
    """
    from separata import plots

    points = [
        {"episode": row["episode"] + 1, "nodes": row["validation_nodes"], "of": name}
        for name, history in histories.items()
        for row in history
        if math.isfinite(row["validation_nodes"])
    ]
    if not points:
        raise ValueError("none of these trainings was evaluated on held-out instances")
    ylabel = "nodes on held-out instances, geometric mean"
    return plots.curves(points, "nodes", x="episode", by="of", ylabel=ylabel, reference=reference)


def _points(history: Sequence[Mapping[str, float]]) -> Iterator[dict[str, Any]]:
    """The curve's points: means over stretches of the training, and all of the held-out instances."""
    length = max(1, len(history) // N_LINES)
    for start in range(0, len(history), length):
        stretch = history[start : start + length]
        nodes = geometric_mean([row["nodes"] for row in stretch])
        yield {"episode": stretch[-1]["episode"] + 1, "nodes": max(1.0, nodes), "of": "training, exploring"}
    for row in history:
        if math.isfinite(row["validation_nodes"]):
            yield {
                "episode": row["episode"] + 1,
                "nodes": max(1.0, row["validation_nodes"]),
                "of": "held-out instances",
            }


def _history(folder: RunFolder, n_episodes: int, reporter: Reporter) -> Callable[[dict[str, float]], None]:
    """Writes each episode to the history, and says now and then how it goes."""
    between = max(1, n_episodes // N_LINES)
    since: list[dict[str, float]] = []

    def log(row: dict[str, float]) -> None:
        folder.history.add(row)
        since.append(row)
        if len(since) < between and not math.isfinite(row["validation_nodes"]):
            return
        losses = [one["loss"] for one in since if math.isfinite(one["loss"])]
        told = [f"episode {row['episode'] + 1}", f"nodes {geometric_mean([one['nodes'] for one in since]):.1f}"]
        told += [f"loss {sum(losses) / len(losses):.4g}"] if losses else []
        if math.isfinite(row["validation_nodes"]):
            told.append(f"held-out nodes {row['validation_nodes']:.1f}")
        reporter.say(f"  {', '.join(told)}, exploring {row['epsilon']:.0%}")
        since.clear()

    return log
