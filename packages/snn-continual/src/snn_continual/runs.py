"""Trainings on disk: what the commands do with the folder of a run."""

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from separata import files, plots
from separata.output import Output, table
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder

from .accuracy import AccuracyMatrix
from .benchmarks import BENCHMARKS
from .configs import RunConfig
from .continual import ContinualLearner
from .methods import Memory
from .networks import SpikingNetwork, activity, make_network
from .protocols import Protocol, make_protocol
from .schedule import RehearsalConfig
from .training import Log, evaluate, train

MATRIX = "accuracy.csv"
N_INSPECTED = 256
"""Images whose activity is inspected."""
USUAL_SCALES = (0.05, 20.0)
"""Standard deviations of inputs outside of these are warned of."""


class Trained(NamedTuple):
    """What a run left."""

    config: RunConfig
    protocol: Protocol
    model: SpikingNetwork


def protocol_from_config(config: RunConfig) -> Protocol:
    """The benchmark's protocol, with what was set otherwise."""
    known = make_protocol(config.benchmark, config.hidden, config.seed)
    changes = {key: value for key in ("epochs", "lr") if (value := getattr(config, key)) is not None}
    if "epochs" in changes:
        changes["warmup"] = min(known.train.warmup, changes["epochs"] - 1)
    rehearsal = replace(known.rehearsal, per_class=config.rehearse) if config.rehearse else known.rehearsal
    return replace(known, train=replace(known.train, **changes), rehearsal=rehearsal)


@contextmanager
def data_from(folder: Path | None) -> Iterator[None]:
    """Take data sets from a folder inside the block.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    before = os.environ.get("SEPARATA_DATA")
    if folder is not None:
        if not folder.is_dir():
            raise FileNotFoundError(f"there is no data folder {folder}")
        os.environ["SEPARATA_DATA"] = str(folder)
    try:
        yield
    finally:
        if folder is not None:
            os.environ.pop("SEPARATA_DATA")
            if before is not None:
                os.environ["SEPARATA_DATA"] = before


def train_on_disk(
    config: RunConfig, out: Path, *, data: Path | None = None, device: str = "auto", resume: bool = False
) -> AccuracyMatrix:
    """Train a network and write it to a folder.

    Nothing is written before the settings are known to be right and the data to be there.

    Raises:
        ValueError: if a setting is wrong, or the folder holds another run and `resume` is not asked for.
        FileNotFoundError: if the data is not there.
    """
    if Path(config.benchmark).is_dir() and config.benchmark not in BENCHMARKS:
        config = replace(config, benchmark=str(Path(config.benchmark).resolve()))
    with data_from(data):
        plan, target = protocol_from_config(config), Compute(device).torch_device
        model = make_network(plan.build, config.network, config.seed).to(target)
        folder = RunFolder.begin(out, config, resume=resume)
        rehearsal = plan.rehearsal if config.rehearse or config.learner.method == "replay" else None
        _check_data(plan, rehearsal)
        reporter = Reporter()
        told = f"{config.learner.method}, {config.network.rule}"
        with folder.training(reporter), _warnings_by(reporter):
            reporter.say(f"{config.benchmark}: {len(plan.sequence)} tasks, {told}, to {out}")
            _check_scale(plan)
            matrix = train(
                model,
                plan.sequence,
                plan.train,
                learner=config.learner,
                dims=plan.dims,
                rehearsal=rehearsal,
                seed=config.seed,
                checkpoint=folder.checkpoint,
                track=reporter.track,
                log=_history(folder, reporter),
            )
    files.write_text(out / MATRIX, matrix.to_csv())
    folder.save_weights(model)
    return matrix


def _history(folder: RunFolder, reporter: Reporter) -> Log:
    """Writes the numbers of each epoch to the history, and says them."""
    history = folder.history
    history.resume(lambda _: True)

    def log(row: dict[str, float]) -> None:
        # An epoch from before an interruption is done again.
        history.rows = [old for old in history.rows if (old["task"], old["epoch"]) < (row["task"], row["epoch"])]
        history.add(row)
        reporter.say(f"  task {row['task'] + 1}, epoch {row['epoch'] + 1}: loss {row['loss']:.4f}")

    return log


def summary(matrix: AccuracyMatrix) -> str:
    """Average accuracy and backward transfer, for a person."""
    bwt = "" if math.isnan(matrix.bwt) else f", backward transfer {100 * matrix.bwt:+.2f} %"
    return f"average accuracy {100 * matrix.acc:.2f} %{bwt}"


@contextmanager
def _warnings_by(reporter: Reporter) -> Iterator[None]:
    """Say warnings as lines among the others."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: reporter.say(f"warning: {message}")
        yield


def _check_scale(plan: Protocol) -> None:
    """Warn of inputs that make spiking neurons silent or saturate them."""
    scale = plan.sequence[0].train_images.std().item()
    if not USUAL_SCALES[0] <= scale <= USUAL_SCALES[1]:
        warnings.warn(
            f"the inputs have a standard deviation of {scale:.3g}; networks learn best where it is about 1, so "
            "standardize them",
            stacklevel=2,
        )


def _check_data(plan: Protocol, rehearsal: RehearsalConfig | None) -> None:
    """Find missing, damaged or insufficient data before anything is written."""
    for task in plan.sequence:
        if rehearsal is not None:
            Memory(rehearsal.per_class).choose(task.train_labels)


def load(run: Path | str, device: str = "auto") -> Trained:
    """The configuration, the protocol and the trained network of a run.

    Raises:
        FileNotFoundError: if the folder holds no run, or the run has not ended.
        ValueError: if a file is damaged or of another kind.
    """
    folder = RunFolder.open(run)
    config = folder.config(RunConfig)
    plan = protocol_from_config(config)
    model = make_network(plan.build, config.network, config.seed)
    folder.load_weights(model)
    return Trained(config, plan, model.to(Compute(device).torch_device).eval())


def save(trained: Trained, path: Path | str) -> None:
    """Write a network with its configuration, for `load`.

    Raises:
        ValueError: if the folder holds a run.
    """
    RunFolder.save(path, trained.config, trained.model)


def evaluate_run(run: Path, *, data: Path | None = None, device: str = "auto") -> Output:
    """Test a run's network on all tasks."""
    with data_from(data):
        _, plan, model = load(run, device)
        report = evaluate(model, plan.sequence)
    rows = [{"task": i, "accuracy": accuracy} for i, accuracy in enumerate(report.accuracies)]
    return table(rows, {"acc": report.acc})


def inspect_run(run: Path, *, data: Path | None = None, plot: Path | None = None) -> Output:
    """What each layer's subspace holds, and how much of the activity under the first and the last task it explains."""
    figure = (
        None if plot is None else plots.heatmap(_matrix(run), xlabel="accuracy on task", ylabel="after learning task")
    )
    with data_from(data):
        _, plan, model = load(run, "cpu")
        names = {module: name for name, module in model.named_modules()}
        layers = ContinualLearner(model).layers
        last = len(plan.sequence) - 1
        explained = [_explained(model, plan, index) for index in dict.fromkeys((0, last))]
    if figure is not None and plot is not None:
        plots.save(figure, plot)
    rows = [
        {
            "layer": names[layer],
            "dim": layer.subspace.dim,
            "of": layer.subspace.n_features,
            "orthonormality_error": layer.subspace.orthonormality_error(),
            "explained_first_task": explained[0][i],
            "explained_last_task": explained[-1][i],
        }
        for i, layer in enumerate(layers)
    ]
    return table(rows, {"tasks": last + 1})


def _explained(model: SpikingNetwork, plan: Protocol, index: int) -> list[float]:
    """For each layer, the share of its activity under a task's test images that its subspace explains."""
    images = plan.sequence[index].test_images[:N_INSPECTED]
    seen = activity(model, images, None if plan.sequence.shares_head else index)
    return [
        layer.subspace.explained(samples) for layer, samples in zip(ContinualLearner(model).layers, seen, strict=True)
    ]


def _matrix(run: Path) -> torch.Tensor:
    """The accuracy matrix that training wrote."""
    try:
        lines = (run / MATRIX).read_text().splitlines()[1:]
        rows = torch.tensor([[float(cell or "nan") for cell in line.split(",")[1:]] for line in lines])
    except ValueError:
        rows = torch.empty(0)
    if rows.dim() != 2 or not rows[-1].isfinite().all():
        raise ValueError(f"{run / MATRIX} does not hold the accuracies of a run")
    return rows
