"""Learning curves on disk: a folder with the settings, the curve, and what an interrupted training goes on from."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from separata.labeled import Splits, load_splits
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import HISTORY, RunFolder
from separata.training import fingerprint

from .configs import RunConfig
from .curves import Curve
from .detection import DescentReport
from .training import CurveTrainer


@dataclass(frozen=True, eq=False)
class TrainReport:
    """A measured learning curve.

    Attributes:
        out: The folder; its `history.csv` holds the curve.
        curve: The test error of each seed.
        report: What the curve does.
    """

    out: Path
    curve: Curve
    report: DescentReport


def load_data(source: str | Path, config: RunConfig) -> Splits:
    """The data of a training.

    Raises:
        ValueError: if it is damaged or too little.
        FileNotFoundError: if it is not there.
    """
    return load_splits(source, seed=0, size=config.data.size, n_train=config.data.n_train)


def curve_of(rows: list[dict[str, float]]) -> Curve:
    """The test error of each seed from the rows of a training."""
    names = [name for name in rows[0] if name.startswith("test_error_")]
    values = np.array([[row[name] for row in rows] for name in names])
    return Curve(np.array([row["step"] for row in rows], float), values, "step", "test error")


def train_curve(
    data: Splits,
    out: Path | str,
    config: RunConfig = RunConfig(),  # noqa: B008 - immutable
    *,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TrainReport:
    """Measure the learning curve of a network on data of one's own, with partly wrong labels.

    Nothing is written before the settings are checked.

    Args:
        data: Training and test samples. The validation part is left out of training, for whatever is chosen later.
        out: The folder, which may be missing.
        config: Network, training and data.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        ValueError: if a setting is wrong, the training diverges, or the folder holds another training.
        PermissionError: if the folder cannot be written to.
    """
    reporter = reporter or Reporter(quiet=True)
    described = {"config": config, "version": version("epochwise-descent")}
    told = described | {"sha256": fingerprint(data.train.x, data.train.y)}
    folder = RunFolder.begin(out, told, resume=resume)
    target = Compute(device).torch_device
    trainer = CurveTrainer(
        config.network,
        data.train.to(target),
        data.test.to(target),
        config.train,
        checkpoint=folder.checkpoint,
        track=reporter.track,
        log=folder.log(reporter),
    )
    folder.history.resume(lambda row: row["step"] <= trainer.done)
    reporter.say(f"{len(data.train):,} samples, {config.train.n_seeds} networks; to {folder.path / HISTORY}")
    with folder.training(reporter):
        trainer.fit()
    folder.save_weights(trainer.model)
    curve = curve_of(folder.history.rows)
    return TrainReport(folder.path, curve, curve.find_double_descent())
