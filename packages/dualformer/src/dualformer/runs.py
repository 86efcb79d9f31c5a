"""Trainings on disk: folders with the weights, all that they depend on, and how training went."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from separata import configs
from separata.models import count_parameters
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import CONFIG, MODEL, RunFolder

from . import records
from .configs import EncoderDecoderConfig, RunConfig, Sources
from .examples import Example, PlanningData
from .planner import Planner
from .tokenizer import TASKS, TaskTokenizer, make_tokenizer, tokenizer_from_task
from .training import Trainer
from .transformer import EncoderDecoder, make_model

DTYPES = {"float32": None, "bfloat16": torch.bfloat16}
"""What weights are converted to before they are saved."""
MAY_CHANGE = ("precision", "processes", "version")
"""What may differ when a training goes on."""
N_VALIDATION = 256
SHIPPED = Path(__file__).with_name("checkpoints")


@dataclass(frozen=True)
class Result:
    """How a training ended."""

    out: Path
    row: dict[str, float]
    n_parameters: int

    def summary(self) -> str:
        """For a person."""
        validation = f", validation {self.row['validation_loss']:.4f}" if "validation_loss" in self.row else ""
        return (
            f"loss {self.row['loss']:.4f}{validation} after {self.row['step']} steps and {self.row['sequences']} "
            f"sequences; {self.n_parameters:,} parameters saved in {self.out}"
        )


def train(
    sources: Sources, config: RunConfig, out: Path, *, compute: Compute | None = None, resume: bool = False
) -> Result:
    """Train a model and write it to a folder.

    Nothing is written before the settings are checked and the data is read. With several devices, every process calls
    this, and the first one writes.

    Raises:
        ValueError: if a setting or the data is wrong, or the folder holds another run and `resume` is not asked for.
        FileNotFoundError: if a file is not there.
    """
    compute = compute or Compute()
    found = records.load_jsonl(sources.data)
    tokenizer = tokenizer_from_task(found[0].task)
    config = replace(config, probs=config.probs or tokenizer.kind)
    data = PlanningData(found, tokenizer, config.dropper(tokenizer.kind), seed=config.train.seed)
    validation = None if sources.validation is None else _held_out(sources.validation, data, tokenizer)
    planner = _first(sources, config, tokenizer)
    described = {**_described(planner), **_details(sources, config, compute)}
    folder = RunFolder.begin(out, described, resume=resume, may_change=MAY_CHANGE)
    n_processes = described["processes"]
    if config.train.batch_size % n_processes:
        raise ValueError(f"{n_processes} processes need a batch size that they divide, not {config.train.batch_size}")
    # No process writes before all have seen the folder.
    compute.wait_for_all()
    _fit(planner, data, config, folder, compute, validation)
    compute.wait_for_all()
    if compute.rank == 0:
        folder.save_weights(planner.model, DTYPES[config.weights])
    compute.wait_for_all()
    rows = folder.history.rows or [{"loss": math.nan, "step": 0, "sequences": 0}]
    return Result(out, rows[-1], count_parameters(planner.model))


def _fit(
    planner: Planner,
    data: PlanningData,
    config: RunConfig,
    folder: RunFolder,
    compute: Compute,
    validation: list[Example] | None,
) -> None:
    """Train the planner's model on disk, and say how it goes."""
    reporter, kind = Reporter(quiet=compute.rank > 0), planner.tokenizer
    trainer = Trainer(
        planner.model,
        data,
        config.train,
        fabric=compute.fabric,
        checkpoint=folder.checkpoint,
        checkpoint_every=max(1, min(1000, config.train.steps // 20)),
        log_every=max(1, min(200, config.train.steps // 40)),
        validation=validation,
        track=reporter.track,
        log=folder.log(reporter),
    )
    folder.history.resume(lambda row: row["step"] <= trainer.done)
    reporter.say(
        f"{kind.kind} {kind.width}x{kind.height}, {len(data):,} for training; {count_parameters(planner.model):,} "
        f"parameters; to {folder.path}"
    )
    with folder.training(reporter) if compute.rank == 0 else nullcontext():
        try:
            trainer.fit()
        # `training` turns it into this, too, but only the first process is in there.
        except FloatingPointError as error:
            raise ValueError(str(error)) from None
    guessing = math.log(len(kind.vocab))
    if folder.history.rows and folder.history.rows[-1]["loss"] > guessing + 1:
        reporter.say(f"Training diverged: guessing has a loss of {guessing:.1f}. Lower the learning rate.")


def _held_out(path: Path, data: PlanningData, tokenizer: TaskTokenizer) -> list[Example]:
    """The examples of the validation loss, dropped as in training."""
    held_out = PlanningData(records.load_jsonl(path, N_VALIDATION), tokenizer, data.dropper)
    return [held_out.draw(i, np.random.default_rng(i)) for i in range(len(held_out))]


def _first(sources: Sources, config: RunConfig, tokenizer: TaskTokenizer) -> Planner:
    """The planner as it is before training."""
    network = config.network(len(tokenizer.vocab))
    if not sources.start_from:
        return Planner(make_model(network, config.train.seed), tokenizer)
    planner = _read(find(sources.start_from))
    if (planner.model.config, planner.tokenizer.spec()) != (network, tokenizer.spec()):
        raise ValueError(f"the model in {sources.start_from} is of another size or for other tasks than this training")
    return planner


def _described(planner: Planner) -> dict[str, Any]:
    """What `load` needs besides the weights."""
    return {"tokenizer": planner.tokenizer.spec(), "model": configs.plain(planner.model.config)}


def _details(sources: Sources, config: RunConfig, compute: Compute) -> dict[str, Any]:
    """What a training depends on besides the shape of the model; of what it reads, the SHA-256."""
    first = find(sources.start_from).path / MODEL if sources.start_from else None
    read = {"data": sources.data, "validation": sources.validation, "start_from": first}
    return {
        "config": configs.plain(config),
        "sha256": {name: records.fingerprint(path) for name, path in read.items() if path},
        "precision": compute.precision,
        "processes": compute.devices * compute.nodes,
        "version": version("dualformer"),
    }


def shipped() -> list[str]:
    """The names of the models that come with this package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG}"))


def find(run: Path | str) -> RunFolder:
    """The folder of a run: that of a model that comes with this package, by its name, or one's own.

    The name of a model that comes with the package always means that model; a folder of the same name is `./name`, or
    a `Path`.

    Raises:
        FileNotFoundError: if there is neither.
    """
    if isinstance(run, str) and run in shipped():
        if RunFolder(run).has_begun:
            Reporter().say(f"{run} is the model that comes with the package; write ./{run} for the run in this folder")
        return RunFolder.open(SHIPPED / run)
    try:
        return RunFolder.open(run)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; the models that come with the package are {', '.join(shipped())}") from None


def save(planner: Planner, path: Path | str) -> None:
    """Write a planner to a folder, from which `load` reads it.

    Raises:
        ValueError: if the folder holds a training or another planner.
    """
    RunFolder.save(path, _described(planner), planner.model)


def load(path: Path | str, device: str = "auto", *, tokenizer: TaskTokenizer | None = None) -> Planner:
    """The planner of a folder that `save` or `dualformer train` wrote, or one that comes with this package.

    Args:
        path: The folder, or the name of a planner that comes with this package.
        device: Where to compute: `auto`, `cpu` or `cuda`.
        tokenizer: For a planner of tasks of your own, the tokenizer that it was saved with.

    Raises:
        FileNotFoundError: if there is no such run, or it has not ended.
        ValueError: if a file is damaged, the weights are of another model, or the tokenizer is another one.
    """
    target, planner = Compute(device).torch_device, _read(find(path), tokenizer)
    planner.model.to(target)
    return planner


def _read(folder: RunFolder, tokenizer: TaskTokenizer | None = None) -> Planner:
    values = folder.values()
    tokenizer = _tokenizer(folder, values.get("tokenizer"), tokenizer)
    shape = configs.from_plain(EncoderDecoderConfig, values.get("model"), folder.path / CONFIG)
    model = EncoderDecoder(shape)
    folder.load_weights(model)
    return Planner(model.eval(), tokenizer)


def _tokenizer(folder: RunFolder, spec: Any, given: TaskTokenizer | None) -> TaskTokenizer:  # noqa: ANN401 - see `values`
    """The tokenizer that a folder describes, or the one that is given, which must be it."""
    if given is not None:
        if configs.plain(given.spec()) != spec:
            raise ValueError(f"the planner in {folder.path} was saved with another tokenizer than this")
        return given
    if isinstance(spec, dict) and spec.get("kind") not in (None, *TASKS):
        raise ValueError(
            f"the planner in {folder.path} is for {spec['kind']} tasks; load it in code, with load(..., tokenizer=...)"
        )
    try:
        return make_tokenizer(**spec)
    except TypeError:
        raise ValueError(f"{folder.path / CONFIG} does not hold the settings of a planner") from None
    except ValueError as error:
        raise ValueError(f"{folder.path / CONFIG}: {error}") from None


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
