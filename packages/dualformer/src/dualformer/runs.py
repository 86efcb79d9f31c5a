"""Trained models on disk: a folder with the weights, all that they depend on, and how training went."""

import math
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from separata import files
from separata.progress import Reporter, stopped
from separata.run import Compute

from . import records
from .dropping import PROBABILITIES, TraceDropper, level_shares
from .examples import Example, PlanningData
from .planner import Planner
from .tokenizer import TaskTokenizer, make_tokenizer
from .training import Trainer, Training
from .transformer import EncoderDecoder, EncoderDecoderConfig, build_model

CONFIG, MODEL, CHECKPOINT, HISTORY = "config.json", "model.safetensors", "checkpoint.safetensors", "history.csv"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
FREE = ("command", "precision", "devices", "version")
"""What may differ when a run goes on."""
N_VALIDATION = 256
SHIPPED = Path(__file__).with_name("checkpoints")


@dataclass(frozen=True)
class Settings:
    """What a run depends on.

    Args:
        data: File of tasks to learn from.
        probs: Shares of the levels of dropping, as `level_shares` reads them; empty for the paper's for this kind.
        create_drop: Share of clauses that level 3 drops.
        variant: Variant of dropping.
        model: Size of the model: s, m, l or xl.
        dim: Width instead of that of the size.
        layers: Layers on each side, instead.
        heads: Heads, instead.
        training: Steps, batches, learning rate, seed.
        validation: File of tasks whose loss is logged.
        weights: Number format of the weights that are written, float32 or bfloat16.
        start_from: Run, or model that comes with the package, whose weights are the first ones; random ones if empty.

    Raises:
        ValueError: if a setting is wrong.
    """

    data: Path
    probs: str = ""
    create_drop: float = 0.3
    variant: str = "paper"
    model: str = "s"
    dim: int | None = None
    layers: int | None = None
    heads: int | None = None
    training: Training = field(default_factory=Training)
    validation: Path | None = None
    weights: str = "float32"
    start_from: str = ""

    def __post_init__(self) -> None:
        self.dropper("maze")
        self.shape(2)
        if self.weights not in DTYPES:
            raise ValueError(f"weights are written as {' or '.join(DTYPES)}, not as '{self.weights}'")

    def dropper(self, kind: str) -> TraceDropper:
        """How traces are dropped."""
        probs = level_shares(self.probs) if self.probs else PROBABILITIES[kind]
        return TraceDropper(probs, self.create_drop, self.variant)  # type: ignore[arg-type] # it checks the name itself

    def shape(self, vocab_size: int) -> EncoderDecoderConfig:
        """The shape of the model."""
        changes = {key: value for key in ("dim", "layers", "heads") if (value := getattr(self, key)) is not None}
        return replace(EncoderDecoderConfig.from_name(self.model, vocab_size), **changes)


@dataclass(frozen=True)
class Result:
    """How a training ended."""

    out: Path
    row: dict[str, float]
    parameters: int

    def summary(self) -> str:
        """For a person."""
        validation = f", validation {self.row['validation_loss']:.4f}" if "validation_loss" in self.row else ""
        return (
            f"loss {self.row['loss']:.4f}{validation} after {self.row['step']:.0f} steps and "
            f"{self.row['sequences']:.0f} sequences; {self.parameters:,} parameters saved in {self.out}"
        )


def train(settings: Settings, out: Path, *, compute: Compute | None = None, resume: bool = False) -> Result:
    """Train a model and write it to a folder.

    Nothing is written before the settings are checked and the data is read. With several devices, every process calls
    this, and the first one writes.

    Raises:
        ValueError: if a setting or the data is wrong, or the folder holds another run and `resume` is not asked for.
        FileNotFoundError: if a file is not there.
    """
    compute = compute or Compute()
    reporter = Reporter()
    data, validation, tokenizer = _read(settings)
    start = find(settings.start_from) if settings.start_from else None
    config = describe(settings, data, tokenizer, compute, start)
    first = _load(start, "cpu") if start else None
    if first is not None and (asdict(first.model.config), first.tokenizer.spec()) != (
        config["model"],
        config["tokenizer"],
    ):
        raise ValueError(f"the model in {settings.start_from} is of another size or for other tasks than this training")
    _check_free(config, out, resume=resume)
    if settings.training.batch_size % (compute.devices * compute.nodes):
        raise ValueError(
            f"{compute.devices * compute.nodes} processes need a batch size that they divide, "
            f"not {settings.training.batch_size}"
        )
    fabric = compute.fabric
    model = first.model if first else build_model(settings.shape(len(tokenizer.vocab)), settings.training.seed)
    compute.wait_for_all()
    reporter.quiet = compute.rank > 0
    history = History(out / HISTORY, reporter.say)
    trainer = Trainer(
        model,
        data,
        settings.training,
        fabric=fabric,
        checkpoint=out / CHECKPOINT,
        checkpoint_every=max(1, min(1000, settings.training.steps // 20)),
        log_every=max(1, min(200, settings.training.steps // 40)),
        validation=validation,
        track=reporter.track,
        log=history,
    )
    if compute.rank == 0:
        files.make_writable(out)
        files.write_json(out / CONFIG, config)
    n = sum(p.numel() for p in model.parameters())
    reporter.say(
        f"{tokenizer.kind} {tokenizer.width}x{tokenizer.height}, {len(data):,} for training; {n:,} parameters; to {out}"
    )
    history.begin_at(trainer.done)
    try:
        trainer.fit()
    except KeyboardInterrupt:
        reporter.say(f"Stopped at step {trainer.done}; {out} has all of them. Go on with: {stopped()}")
        raise
    except FloatingPointError as error:
        raise ValueError(str(error)) from None
    compute.wait_for_all()
    if compute.rank == 0:
        dtype = DTYPES[settings.weights]
        files.save_tensors(out / MODEL, {key: value.to(dtype) for key, value in model.state_dict().items()})
    compute.wait_for_all()
    row = history.rows[-1] if history.rows else {"loss": float("nan"), "step": 0, "sequences": 0}
    guessing = math.log(len(tokenizer.vocab))
    if row["loss"] > guessing + 1:
        reporter.say(f"Training diverged: guessing has a loss of {guessing:.1f}. Lower the learning rate.")
    return Result(out, row, n)


def _read(settings: Settings) -> tuple[PlanningData, list[Example] | None, TaskTokenizer]:
    found = records.read(settings.data)
    first = found[0].task
    tokenizer = make_tokenizer(records.kind_of(first), first.width, first.height)
    dropper = settings.dropper(tokenizer.kind)
    data = PlanningData(found, tokenizer, dropper, seed=settings.training.seed)
    if settings.validation is None:
        return data, None, tokenizer
    held_out = PlanningData(records.read(settings.validation, N_VALIDATION), tokenizer, dropper)
    return data, [held_out.draw(i, np.random.default_rng(i)) for i in range(len(held_out))], tokenizer


def describe(
    settings: Settings, data: PlanningData, tokenizer: TaskTokenizer, compute: Compute, start: Path | None
) -> dict[str, Any]:
    """All that a run depends on, for its config.json."""
    from importlib.metadata import version

    dropper, shape = settings.dropper(tokenizer.kind), settings.shape(len(tokenizer.vocab))
    return {
        "tokenizer": tokenizer.spec(),
        "model": asdict(shape),
        "dropping": {"probs": list(dropper.probs), "create_drop": dropper.create_drop, "variant": dropper.variant},
        "training": asdict(settings.training),
        "data": {"file": settings.data.name, "sha256": records.fingerprint(settings.data), "records": len(data)},
        "weights": settings.weights,
        "start_from": records.fingerprint(start / MODEL) if start else "",
        "precision": compute.precision,
        "devices": compute.devices * compute.nodes,
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "version": version("dualformer"),
    }


def _check_free(config: dict[str, Any], out: Path, *, resume: bool) -> None:
    """See that the folder is free, or holds the run to go on with."""
    if not (out / CONFIG).exists():
        return
    if not resume:
        raise ValueError(f"{out} already holds a run; go on with it by --resume, or choose another folder")
    earlier = files.read_json(out / CONFIG)
    if not isinstance(earlier, dict):
        raise ValueError(f"{out / CONFIG} does not hold the settings of a run")
    changed = [key for key in config if key not in FREE and earlier.get(key) != config[key]]
    if changed:
        raise ValueError(f"the run in {out} was begun with another {' and '.join(changed)}; resume it with the same")


class History:
    """Writes the numbers of training to a table, and says them."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.path, self.say = path, say
        self.rows: list[dict[str, float]] = []

    def begin_at(self, step: int) -> None:
        """Keep the rows of an interrupted training up to a step."""
        if step and self.path.is_file():
            names, *lines = [line.split(",") for line in self.path.read_text(encoding="utf-8").splitlines()]
            rows = [dict(zip(names, map(float, line), strict=True)) for line in lines]
            self.rows = [row for row in rows if row["step"] <= step]

    def __call__(self, row: dict[str, float]) -> None:
        """Add a row."""
        self.rows.append(row)
        lines = [",".join(row), *(",".join(f"{value:.8g}" for value in one.values()) for one in self.rows)]
        files.write_text(self.path, "\n".join(lines) + "\n")
        self.say(
            "  " + ", ".join(f"{key} {value:.4g}" if value % 1 else f"{key} {value:.0f}" for key, value in row.items())
        )


def shipped() -> list[str]:
    """The names of the models that come with this package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG}"))


def find(run: Path | str) -> Path:
    """The folder of a run: that of a model that comes with this package, by its name, or one's own.

    The name of a model that comes with the package always means that model; a folder of the same name is `./name`, or
    a `Path`.

    Raises:
        FileNotFoundError: if there is neither.
    """
    folder = Path(run)
    if isinstance(run, str) and run in shipped():
        if (folder / CONFIG).is_file():
            Reporter().say(f"{run} is the model that comes with the package; write ./{run} for the run in this folder")
        return SHIPPED / run
    if not (folder / CONFIG).is_file():
        raise FileNotFoundError(
            f"there is no run in {run}: it has no {CONFIG}; the models that come with the package are "
            f"{', '.join(shipped())}"
        )
    if not (folder / MODEL).is_file():
        raise FileNotFoundError(f"the run in {run} is not finished; resume its `dualformer train` with --resume")
    return folder


def load(run: Path | str, device: torch.device | str = "cpu") -> Planner:
    """The trained planner of a run, or of a model that comes with this package, by its name.

    Raises:
        FileNotFoundError: if there is no such run, or it is not finished.
        ValueError: if a file is damaged, or the weights are of another model.
    """
    return _load(find(run), device)


def load_shipped(name: str, device: torch.device | str = "cpu") -> Planner:
    """The planner of a model that comes with this package."""
    return _load(SHIPPED / name, device)


def _load(folder: Path, device: torch.device | str) -> Planner:
    config = files.read_json(folder / CONFIG)
    try:
        tokenizer = make_tokenizer(**config["tokenizer"])
        shape = EncoderDecoderConfig(**config["model"])
    except (TypeError, KeyError):
        raise ValueError(f"{folder / CONFIG} does not hold the settings of a run") from None
    tensors, _ = files.load_tensors(folder / MODEL)
    model = EncoderDecoder(shape)
    try:
        model.load_state_dict({key: value.float() for key, value in tensors.items()})
    except RuntimeError:
        raise ValueError(f"{folder / MODEL} holds the weights of another model than {CONFIG} describes") from None
    return Planner(model.to(device).eval(), tokenizer)


def check_tasks(planner: Planner, named: Sequence[tuple[str, records.Record]]) -> None:
    """See that every task is of the size that the model was trained for.

    Raises:
        ValueError: naming the first that is not.
    """
    for name, record in named:
        try:
            planner.tokenizer.check(record.task)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
