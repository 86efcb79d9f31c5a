"""Runs on disk: a folder with a trained network, its settings, its accuracy on each task, and the training history."""

import json
import math
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from separata import files, plots
from separata.progress import Reporter, stopped
from separata.run import Compute

from .accuracy import AccuracyMatrix
from .benchmarks import BENCHMARKS
from .continual import ContinualLearner
from .methods import Memory
from .networks import SpikingNetwork, Synaptic, activity, seeded
from .protocols import Protocol, protocol
from .rules import training_rule
from .schedule import Rehearsal
from .settings import CONFIG, Settings, load_settings
from .subspace import DivergenceError, SpikingLateral
from .training import load_model, run_benchmark, test

MODEL, CHECKPOINT, MATRIX, HISTORY = "model.safetensors", "checkpoint.safetensors", "accuracy.csv", "history.csv"
N_INSPECTED = 256
"""Images whose activity is inspected."""
USUAL_SCALES = (0.05, 20.0)
"""Standard deviations of inputs outside of these are warned of."""


def protocol_of(settings: Settings) -> Protocol:
    """The benchmark's protocol, with what was set otherwise."""
    known = protocol(settings.benchmark, settings.hidden, settings.seed)
    changes = {key: value for key in ("epochs", "lr") if (value := getattr(settings, key)) is not None}
    if "epochs" in changes:
        changes["warmup"] = min(known.training.warmup, changes["epochs"] - 1)
    rehearsal = replace(known.rehearsal, per_class=settings.rehearse) if settings.rehearse else known.rehearsal
    return replace(known, training=replace(known.training, **changes), rehearsal=rehearsal)


def network_of(settings: Settings, plan: Protocol) -> SpikingNetwork:
    """The network as it is before training."""
    spiking = SpikingLateral() if settings.spiking_lateral else None
    synaptic = Synaptic(settings.feedback, spiking=spiking)  # type: ignore[arg-type] # one of FEEDBACKS
    return seeded(plan.build, training_rule(settings.training, settings.timesteps), synaptic, settings.seed)


@dataclass(frozen=True)
class Result:
    """How accurate a network is on each task."""

    out: Path
    matrix: AccuracyMatrix

    def summary(self) -> str:
        """Average accuracy and backward transfer, for a person."""
        bwt = "" if math.isnan(self.matrix.bwt) else f", backward transfer {100 * self.matrix.bwt:+.2f} %"
        return f"average accuracy {100 * self.matrix.acc:.2f} %{bwt}; saved in {self.out}"


@dataclass(frozen=True)
class Table:
    """Rows to show to a person or a program."""

    rows: list[dict[str, Any]]
    totals: dict[str, float | int]

    def show(self, *, as_json: bool) -> str:
        """As JSON, or as a table in columns with the totals below."""
        if as_json:
            return json.dumps({**self.totals, "rows": self.rows}, indent=2)
        table = [list(self.rows[0]), *([_short(cell) for cell in row.values()] for row in self.rows)]
        table[0] = [key.replace("_", " ") for key in table[0]]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in table]
        return "\n".join([*lines, *(f"{key.replace('_', ' ')} {_short(value)}" for key, value in self.totals.items())])


def _short(value: Any) -> str:  # noqa: ANN401 - a cell
    return f"{value:.4f}" if isinstance(value, float) else str(value)


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


def train(
    settings: Settings, out: Path, *, data: Path | None = None, device: str = "auto", resume: bool = False
) -> Result:
    """Train a network and write it to a folder.

    Nothing is written before the settings are known to be right and the data to be there.

    Raises:
        ValueError: if a setting is wrong, or the folder holds another run and `resume` is not asked for.
        FileNotFoundError: if the data is not there.
    """
    if Path(settings.benchmark).is_dir() and settings.benchmark not in BENCHMARKS:
        settings = replace(settings, benchmark=str(Path(settings.benchmark).resolve()))
    with data_from(data):
        plan, target = protocol_of(settings), Compute(device).torch_device
        model = network_of(settings, plan).to(target)
        _claim(settings, out, resume=resume)
        rehearsal = plan.rehearsal if settings.rehearse or settings.method == "replay" else None
        _check_data(plan, rehearsal)
        is_new = not out.exists()
        files.make_writable(out)
        files.write_json(out / CONFIG, asdict(settings))
        reporter = Reporter()
        reporter.say(
            f"{settings.benchmark}: {len(plan.sequence)} tasks, {settings.method}, {settings.training}, to {out}"
        )
        history = _History(out / HISTORY, reporter)
        with _warnings_by(reporter):
            _check_scale(plan)
            try:
                matrix = _train(settings, plan, model, out, rehearsal, history, reporter)
            except DivergenceError:
                _withdraw(out, is_new=is_new)
                raise
    files.write_text(out / MATRIX, matrix.to_csv())
    files.save_tensors(out / MODEL, model.state_dict())
    return Result(out, matrix)


def _train(
    settings: Settings,
    plan: Protocol,
    model: SpikingNetwork,
    out: Path,
    rehearsal: Rehearsal | None,
    history: "_History",
    reporter: Reporter,
) -> AccuracyMatrix:
    """Train from the last checkpoint on; say how to go on where it is interrupted."""
    try:
        return run_benchmark(
            plan.sequence,
            model,
            settings.method,
            plan.training,
            dims=plan.dims,
            rehearsal=rehearsal,
            seed=settings.seed,
            strength=settings.strength,
            threshold=settings.threshold,
            checkpoint=out / CHECKPOINT,
            track=reporter.track,
            log=history,
        )
    except KeyboardInterrupt:
        reporter.say(f"Stopped; {out} has all finished tasks. Go on with: {stopped()}")
        raise


def _withdraw(out: Path, *, is_new: bool) -> None:
    """Free the folder of a run that diverged in its first task, so that it can be tried again with other settings."""
    if not (out / CHECKPOINT).exists():
        for name in (CONFIG, HISTORY):
            (out / name).unlink(missing_ok=True)
        if is_new:
            out.rmdir()


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


def _check_data(plan: Protocol, rehearsal: Rehearsal | None) -> None:
    """Find missing, damaged or insufficient data before anything is written."""
    for task in plan.sequence:
        if rehearsal is not None:
            Memory(rehearsal.per_class).choose(task.train_labels)


def _claim(settings: Settings, out: Path, *, resume: bool) -> None:
    """Check that the folder is free, or holds the run to continue."""
    if not (out / CONFIG).exists():
        return
    if not resume:
        raise ValueError(f"{out} already holds a run; go on with it by --resume, or choose another folder")
    earlier = load_settings(out)
    changed = [key for key, value in asdict(settings).items() if asdict(earlier)[key] != value]
    if changed:
        raise ValueError(f"the run in {out} was begun with another {' and '.join(changed)}; resume it with the same")


class _History:
    """Writes the numbers of each epoch to a table, and says them."""

    def __init__(self, path: Path, reporter: Reporter) -> None:
        self.path, self.reporter = path, reporter
        self.lines = path.read_text().splitlines() if path.is_file() else ["task,epoch,loss"]

    def __call__(self, row: dict[str, float]) -> None:
        """Add a row, in the place of one for the same epoch from before an interruption."""
        start = f"{row['task']},{row['epoch']},"
        self.lines = [line for line in self.lines if not line.startswith(start)] + [f"{start}{row['loss']:.6g}"]
        files.write_text(self.path, "\n".join(self.lines) + "\n")
        self.reporter.say(f"  task {row['task'] + 1}, epoch {row['epoch'] + 1}: loss {row['loss']:.4f}")


def load(run: Path, device: str = "auto") -> tuple[Settings, Protocol, SpikingNetwork]:
    """The settings, the protocol and the trained network of a run.

    Raises:
        FileNotFoundError: if the folder holds no run, or the run has not ended.
        ValueError: if a file is damaged or of another kind.
    """
    settings = load_settings(run)
    plan = protocol_of(settings)
    if not (run / MODEL).is_file() and (run / CHECKPOINT).is_file():
        raise FileNotFoundError(
            f"the run in {run} has not ended; go on with `snn-continual train --out {run} --resume` and its settings"
        )
    tensors, _ = files.load_tensors(run / MODEL)
    model = network_of(settings, plan)
    load_model(model, tensors, run / MODEL)
    return settings, plan, model.to(Compute(device).torch_device).eval()


def evaluate(run: Path, *, data: Path | None = None, device: str = "auto") -> Table:
    """Test a run's network on all tasks."""
    with data_from(data):
        _, plan, model = load(run, device)
        target = next(model.parameters()).device
        heads: Iterable[int | None] = [None if plan.sequence.shares_head else i for i in range(len(plan.sequence))]
        accuracies = [test(model, plan.sequence[i].to(target), head) for i, head in enumerate(heads)]
    rows = [{"task": i, "accuracy": accuracy} for i, accuracy in enumerate(accuracies)]
    return Table(rows, {"acc": sum(accuracies) / len(accuracies)})


def inspect(run: Path, *, data: Path | None = None, plot: Path | None = None) -> Table:
    """What each layer's subspace holds, and how much of the activity under the first and the last task it explains."""
    with data_from(data):
        _, plan, model = load(run, "cpu")
        names = {module: name for name, module in model.named_modules()}
        layers = ContinualLearner(model).layers
        last = len(plan.sequence) - 1
        explained = [_explained(model, plan, index) for index in dict.fromkeys((0, last))]
    if plot is not None:
        _plot(run, plot)
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
    return Table(rows, {"tasks": last + 1})


def _explained(model: SpikingNetwork, plan: Protocol, index: int) -> list[float]:
    """For each layer, the share of its activity under a task's test images that its subspace explains."""
    images = plan.sequence[index].test_images[:N_INSPECTED]
    seen = activity(model, images, None if plan.sequence.shares_head else index)
    return [
        layer.subspace.explained(samples) for layer, samples in zip(ContinualLearner(model).layers, seen, strict=True)
    ]


def _plot(run: Path, path: Path) -> None:
    """Draw the accuracy matrix that training wrote."""
    if path.suffix not in (".svg", ".png", ".pdf"):
        raise ValueError(f"a figure is written as .svg, .png or .pdf, not as {path.name}")
    try:
        lines = (run / MATRIX).read_text().splitlines()[1:]
        rows = torch.tensor([[float(cell or "nan") for cell in line.split(",")[1:]] for line in lines])
    except ValueError:
        rows = torch.empty(0)
    if rows.dim() != 2 or not rows[-1].isfinite().all():
        raise ValueError(f"{run / MATRIX} does not hold the accuracies of a run")
    figure = plots.heatmap(rows, xlabel="accuracy on task", ylabel="after learning task")
    with files.replacing(path) as part:
        figure.savefig(part, bbox_inches="tight")
