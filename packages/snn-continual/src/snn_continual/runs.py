"""Runs on disk: a folder with a trained network, its settings, its accuracy on each task, and how training went."""

import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import torch

from separata import files, plots
from separata.progress import Reporter, stopped
from separata.run import Compute

from .accuracy import AccuracyMatrix
from .benchmarks import BENCHMARKS
from .continual import ContinualLearner
from .layers import FEEDBACKS, HLOPLayer
from .methods import METHODS, Memory
from .networks import ForTask, SpikingNetwork, Synaptic, seeded
from .protocols import Protocol, protocol
from .rules import training_rule
from .subspace import SpikingLateral
from .training import Rehearsal, load_model, run_benchmark, test

CONFIG, MODEL, CHECKPOINT, MATRIX, HISTORY = (
    "config.json",
    "model.safetensors",
    "checkpoint.safetensors",
    "accuracy.csv",
    "history.csv",
)
N_INSPECTED = 256
"""Images whose activity is inspected."""


@dataclass(frozen=True)
class Settings:
    """What a run depends on."""

    benchmark: str = "pmnist5k"
    method: str = "hlop"
    training: str = "dsr"
    feedback: str = "bp"
    timesteps: int | None = None
    epochs: int | None = None
    lr: float | None = None
    hidden: int = 800
    spiking_lateral: bool = False
    rehearse: int = 0
    strength: float = 10.0
    threshold: float = 0.97
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"the method must be one of {', '.join(METHODS)}, not '{self.method}'")
        if self.feedback not in FEEDBACKS:
            raise ValueError(f"the feedback must be one of {', '.join(FEEDBACKS)}, not '{self.feedback}'")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"the number of epochs must be at least 1, not {self.epochs}")
        if self.lr is not None and not (self.lr > 0 and math.isfinite(self.lr)):
            raise ValueError(f"the learning rate must be positive, not {self.lr}")
        if not self.strength >= 0 or not math.isfinite(self.strength):
            raise ValueError(f"the strength of EWC's penalty must not be negative, but it is {self.strength}")
        if not 0 < self.threshold < 1:
            raise ValueError(f"the threshold is a share of energy between 0 and 1, not {self.threshold}")
        if self.rehearse < 0:
            raise ValueError(f"the number of images to rehearse must not be negative, but it is {self.rehearse}")

    def protocol(self) -> Protocol:
        """The benchmark's protocol, with what was set otherwise."""
        known = protocol(self.benchmark, self.hidden, self.seed)
        changes = {key: value for key in ("epochs", "lr") if (value := getattr(self, key)) is not None}
        if "epochs" in changes:
            changes["warmup"] = min(known.training.warmup, changes["epochs"] - 1)
        rehearsal = replace(known.rehearsal, per_class=self.rehearse) if self.rehearse else known.rehearsal
        return replace(known, training=replace(known.training, **changes), rehearsal=rehearsal)

    def network(self, plan: Protocol) -> SpikingNetwork:
        """The network as it is before training."""
        spiking = SpikingLateral() if self.spiking_lateral else None
        synaptic = Synaptic(self.feedback, spiking=spiking)  # type: ignore[arg-type] # one of FEEDBACKS
        return seeded(plan.build, training_rule(self.training, self.timesteps), synaptic, self.seed)


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
    totals: dict[str, float | None]

    def show(self, *, as_json: bool) -> str:
        """As text."""
        if as_json:
            return json.dumps({**self.totals, "rows": self.rows}, indent=2)
        lines = ["  ".join(f"{key} {_short(value)}" for key, value in row.items()) for row in self.rows]
        return "\n".join([*lines, "  ".join(f"{key} {_short(value)}" for key, value in self.totals.items())])


def _short(value: Any) -> str:  # noqa: ANN401 - a cell
    return f"{value:.4f}" if isinstance(value, float) else str(value)


@contextmanager
def data_from(folder: Path | None) -> Iterator[None]:
    """Let data sets come from a folder for a while.

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
    """Train a network as set, and write it to a folder.

    Nothing is written before the settings are known to be right and the data to be there.

    Raises:
        ValueError: if a setting is wrong, or the folder holds another run and `resume` is not asked for.
        FileNotFoundError: if the data is not there.
    """
    if Path(settings.benchmark).is_dir() and settings.benchmark not in BENCHMARKS:
        settings = replace(settings, benchmark=str(Path(settings.benchmark).resolve()))
    with data_from(data):
        plan, target = settings.protocol(), Compute(device).torch_device
        model = settings.network(plan).to(target)
        _claim(settings, out, resume=resume)
        rehearsal = plan.rehearsal if settings.rehearse or settings.method == "replay" else None
        _check_data(plan, rehearsal)
        files.make_writable(out)
        files.write_json(out / CONFIG, asdict(settings))
        reporter = Reporter()
        reporter.say(
            f"{settings.benchmark}: {len(plan.sequence)} tasks, {settings.method}, {settings.training}, to {out}"
        )
        history = _History(out / HISTORY, reporter)
        try:
            matrix = run_benchmark(
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
    files.write_text(out / MATRIX, matrix.to_csv())
    files.save_tensors(out / MODEL, model.state_dict())
    return Result(out, matrix)


def _check_data(plan: Protocol, rehearsal: Rehearsal | None) -> None:
    """Find data that is missing, damaged or too little before anything is written."""
    for task in plan.sequence:
        if rehearsal is not None:
            Memory(rehearsal.per_class).choose(task.train_labels)


def _claim(settings: Settings, out: Path, *, resume: bool) -> None:
    """See that the folder is free, or holds the run to go on with."""
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


def load_settings(run: Path) -> Settings:
    """The settings of a run.

    Raises:
        FileNotFoundError: if the folder holds no run.
        ValueError: if its settings cannot be read.
    """
    if not (run / CONFIG).is_file():
        raise FileNotFoundError(f"{run} holds no run: there is no {CONFIG} in it")
    try:
        values = files.read_json(run / CONFIG)
        settings = Settings(**values)
    except TypeError:
        raise ValueError(f"{run / CONFIG} does not hold the settings of a run") from None
    known = get_type_hints(Settings)
    if any(not isinstance(value, known[key]) for key, value in values.items()):
        raise ValueError(f"{run / CONFIG} does not hold the settings of a run")
    return settings


def load(run: Path, device: str = "auto") -> tuple[Settings, Protocol, SpikingNetwork]:
    """The settings, the protocol and the trained network of a run.

    Raises:
        FileNotFoundError: if the folder holds no run, or the run has not ended.
        ValueError: if a file is damaged or of another kind.
    """
    settings = load_settings(run)
    plan = settings.protocol()
    if not (run / MODEL).is_file() and (run / CHECKPOINT).is_file():
        raise FileNotFoundError(
            f"the run in {run} has not ended; go on with `snn-continual train --out {run} --resume` and its settings"
        )
    tensors, _ = files.load_tensors(run / MODEL)
    model = settings.network(plan)
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
    return Table(rows, {"tasks": float(last + 1)})


@torch.no_grad()
def _explained(model: SpikingNetwork, plan: Protocol, index: int) -> list[float]:
    """For each layer, the share of its activity under a task's test images that its subspace explains."""
    shares: dict[HLOPLayer, float] = {}

    def note(layer: HLOPLayer, inputs: Any) -> None:  # noqa: ANN401 - PyTorch's
        shares[layer] = layer.subspace.explained(layer.samples(inputs[0]))

    layers = ContinualLearner(model).layers
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    ForTask(model, None if plan.sequence.shares_head else index)(plan.sequence[index].test_images[:N_INSPECTED])
    for hook in hooks:
        hook.remove()
    return [shares[layer] for layer in layers]


def _plot(run: Path, path: Path) -> None:
    """Draw the accuracy matrix that training wrote."""
    lines = (run / MATRIX).read_text().splitlines()[1:]
    rows = [[math.nan if cell == "" else float(cell) for cell in line.split(",")[1:]] for line in lines]
    figure = plots.heatmap(torch.tensor(rows).numpy(), xlabel="accuracy on task", ylabel="after learning task")
    if path.suffix not in (".svg", ".png", ".pdf"):
        raise ValueError(f"a figure is written as .svg, .png or .pdf, not as {path.name}")
    with files.replacing(path) as part:
        figure.savefig(part, bbox_inches="tight")
