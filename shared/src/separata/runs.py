"""Trainings on disk: a folder with the configuration of a training, its history, its checkpoint and its weights."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from . import configs, files, states
from .progress import Reporter, stopped

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .loop import Loop

C = TypeVar("C")
Row = Mapping[str, float]

CONFIG, HISTORY, CHECKPOINT, MODEL = "config.json", "history.csv", "checkpoint.safetensors", "model.safetensors"
N_SHOWN = 3
"""Keys of each kind that a message names."""


class History:
    """Rows of numbers in a CSV file, which is whole whenever it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def add(self, row: Row) -> None:
        """Add a row; a number that is not one (NaN) becomes an empty cell."""
        self.rows.append(dict(row))
        files.write_text(self.path, files.to_csv(self.rows))

    def resume(self, keeps: Callable[[dict[str, float]], bool]) -> None:
        """Go on after the rows of an earlier process, or those of them that `keeps` chooses."""
        self.rows = [row for row in read_csv(self.path) if keeps(row)] if self.path.is_file() else []


def read_csv(path: Path) -> list[dict[str, float]]:
    """Rows that `History` wrote; what is written without a decimal point is an integer, an empty cell is NaN.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a cell is no number.
    """
    # Spreadsheets begin a file with a mark of its encoding.
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            names, *rows = csv.reader(file)
            return [dict(zip(names, map(_number, row), strict=True)) for row in rows]
        except (ValueError, csv.Error):
            raise ValueError(f"{path} is not the history of a training") from None


def _number(cell: str) -> float:
    return int(cell) if cell.lstrip("-").isdecimal() else float(cell or "nan")


@runtime_checkable
class Trainer(Protocol):
    """What trains step by step with a `separata.loop.Loop`."""

    @property
    def loop(self) -> "Loop":
        """Its steps."""

    def fit(self) -> None:
        """Train to the last step."""


class RunFolder:
    """A training on disk.

    | file | holds |
    | --- | --- |
    | config.json | all that the training depends on |
    | history.csv | numbers of the training as it goes |
    | checkpoint.safetensors | what a training that was interrupted goes on from |
    | model.safetensors | the weights |

    A training is begun, or resumed, by `begin`, which writes nothing yet, and then done by `fit`:

        folder = RunFolder.begin(out, config, resume=resume)
        ...  # read the data, make the model: whatever can go wrong before anything is written
        trainer = Trainer(model, data, config, checkpoint=folder.checkpoint, log=folder.log(reporter))
        folder.fit(trainer, model, reporter)

    What `fit` does not fit, such as several trainers one after another, or a loop of one's own, is done inside
    `training`:

        with folder.training(reporter):
            ...  # folder.history.add(row), folder.save_checkpoint(state) now and then
        folder.save_weights(model)

    A folder that exists is opened by `open`; `save` writes one for a model that was trained elsewhere.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.history = History(self.path / HISTORY)
        self._to_write: dict[str, Any] | None = None

    @classmethod
    def begin(
        cls,
        path: Path | str,
        config: object,
        *,
        resume: bool = False,
        may_change: Sequence[str] = ("version",),
    ) -> "RunFolder":
        """The folder of a new training, or of one that goes on. Nothing is written.

        Args:
            path: The folder; it may be missing.
            config: All that the training depends on: a dataclass, or a mapping of dataclasses and what JSON holds.
            resume: Go on with the training in the folder, if there is one.
            may_change: Settings in which a training that goes on may differ from how it began.

        Raises:
            ValueError: if the path is a file, or the folder holds a training that is not to be resumed or cannot be,
                or one with other settings.
        """
        folder = cls(path)
        folder._to_write = configs.plain(config)
        if folder.path.is_file():
            raise ValueError(f"{path} is a file; name a folder")
        if not folder.has_begun:
            return folder
        if not resume:
            raise ValueError(f"{path} already holds a training; continue it with --resume, or choose another folder")
        changed = configs.changed(folder.values(), folder._to_write)
        if changed := [name for name in changed if name not in may_change]:
            raise ValueError(
                f"the training in {path} was begun with another {' and '.join(changed)}; resume it with the same"
            )
        if folder.has_ended and not folder.checkpoint.is_file():
            raise ValueError(f"{path} holds a model, but no checkpoint to go on from; choose another folder")
        return folder

    @classmethod
    def open(cls, path: Path | str) -> "RunFolder":
        """The folder of a training.

        Args:
            path: The folder, or the file of the weights in it.

        Raises:
            FileNotFoundError: if it holds none.
        """
        path = Path(path)
        folder = cls(path.parent if path.name == MODEL and not path.is_dir() else path)
        if not folder.has_begun:
            raise FileNotFoundError(f"{folder.path} holds no training: there is no {CONFIG} in it")
        return folder

    @classmethod
    def save(cls, path: Path | str, config: object, model: "nn.Module", dtype: "torch.dtype | None" = None) -> None:
        """Write a model with its configuration, as a training leaves it.

        Raises:
            ValueError: if the path is a file, or the folder holds a training.
            PermissionError: if the folder cannot be written to.
        """
        if cls(path).has_begun:
            raise ValueError(f"{path} already holds a training; choose another folder")
        folder = cls.begin(path, config)
        folder._write_config()
        folder.save_weights(model, dtype)

    @property
    def has_begun(self) -> bool:
        """Whether there is a training here."""
        return (self.path / CONFIG).is_file()

    @property
    def has_ended(self) -> bool:
        """Whether it has left its weights."""
        return (self.path / MODEL).is_file()

    @property
    def checkpoint(self) -> Path:
        """The file that a training goes on from."""
        return self.path / CHECKPOINT

    def values(self) -> dict[str, Any]:
        """The configuration as JSON has it.

        Raises:
            ValueError: if the file is damaged.
        """
        values = files.read_json(self.path / CONFIG)
        if not isinstance(values, dict):
            raise ValueError(f"{self.path / CONFIG} does not hold the settings of a training")
        return values

    def config(self, kind: type[C], part: str | None = None) -> C:
        """The configuration, or a part of it, as a dataclass of this kind.

        Raises:
            ValueError: if the file is damaged, or holds another kind of configuration.
        """
        values = self.values()
        if part is not None and part not in values:
            raise ValueError(f"{self.path} does not hold a network of this kind: its {CONFIG} has no {part}")
        return configs.from_plain(kind, values if part is None else values[part], self.path / CONFIG)

    def log(self, reporter: Reporter) -> Callable[[Row], None]:
        """What a trainer logs with: it adds a row to the history, and says it."""

        def log(row: Row) -> None:
            self.history.add(row)
            reporter.say("  " + ", ".join(f"{name.replace('_', ' ')} {_told(value)}" for name, value in row.items()))

        return log

    def fit(self, trainer: Trainer, model: "nn.Module", reporter: Reporter, dtype: "torch.dtype | None" = None) -> None:
        """Train to the end, from the trainer's checkpoint on if there is one, and write the weights.

        Args:
            trainer: Has this folder's `checkpoint`, and logs rows with their "step", as a `Loop` does.
            model: What it trains.
            reporter: Says how it goes.
            dtype: Number format of the weights that are written; by default their own.

        Raises:
            ValueError: if the training diverges, or the history is damaged.
            PermissionError: if the folder cannot be written to.
        """
        self.history.resume(lambda row: row["step"] <= trainer.loop.done)
        with self.training(reporter):
            trainer.fit()
        self.save_weights(model, dtype)

    @contextmanager
    def training(self, reporter: Reporter) -> Iterator[None]:
        """Train inside the block, which begins by writing the configuration.

        When it is interrupted, the command that goes on is told. When it fails before the first checkpoint, the folder
        becomes what it was before, so that other settings can be tried there.

        Raises:
            PermissionError: if the folder cannot be written to.
            ValueError: in place of a `FloatingPointError`, by which a training says that it diverged.
        """
        is_new, has_begun = not self.path.exists(), self.has_begun
        self._write_config()
        try:
            yield
        except KeyboardInterrupt:
            held = "everything up to the last checkpoint" if self.checkpoint.is_file() else "no checkpoint yet"
            reporter.say(f"Stopped; {self.path} has {held}. Continue with: {stopped()}")
            raise
        except Exception as error:
            if not has_begun and not self.checkpoint.is_file():
                self._withdraw(is_new=is_new)
            if isinstance(error, FloatingPointError):
                raise ValueError(str(error)) from None
            raise

    def _write_config(self) -> None:
        files.make_writable(self.path)
        files.write_json(self.path / CONFIG, self._to_write)

    def _withdraw(self, *, is_new: bool) -> None:
        for name in (CONFIG, HISTORY):
            (self.path / name).unlink(missing_ok=True)
        if is_new and not any(self.path.iterdir()):
            self.path.rmdir()

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Write what the training goes on from; `separata.states` says what it may hold."""
        states.save(self.checkpoint, state)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """What the training goes on from; None if there is nothing yet.

        Raises:
            ValueError: if the file is damaged.
        """
        return states.load(self.checkpoint) if self.checkpoint.is_file() else None

    def save_weights(self, model: "nn.Module", dtype: "torch.dtype | None" = None) -> None:
        """Write the weights, in another number format if one is given."""
        tensors = model.state_dict()
        if dtype is not None:
            tensors = {key: value.to(dtype) if value.is_floating_point() else value for key, value in tensors.items()}
        files.save_tensors(self.path / MODEL, tensors)

    def load_weights(self, model: "nn.Module") -> None:
        """Give a model the weights of this training.

        Raises:
            FileNotFoundError: if the training has not ended.
            ValueError: if the file is damaged, or holds the weights of another model, or weights that are not finite;
                of another model, the sentence names the first keys that differ.
        """
        path = self.path / MODEL
        if not self.has_ended:
            raise FileNotFoundError(f"the training in {self.path} has not ended; continue it with --resume")
        tensors, _ = files.load_tensors(path)
        if not all(value.isfinite().all() for value in tensors.values()):
            raise ValueError(f"{path} holds weights that are not finite")
        try:
            model.load_state_dict(tensors)
        except RuntimeError:
            raise ValueError(
                f"{path} holds the weights of another model than {CONFIG} describes: {_difference(model, tensors)}"
            ) from None


def _told(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _difference(model: "nn.Module", tensors: Mapping[str, "torch.Tensor"]) -> str:
    """How tensors differ from those of a model, with the first few keys of each kind."""
    expected = model.state_dict()
    kinds = {
        "missing": [key for key in expected if key not in tensors],
        "unexpected": [key for key in tensors if key not in expected],
        "of another shape": [
            f"{key} {tuple(tensors[key].shape)} instead of {tuple(value.shape)}"
            for key, value in expected.items()
            if key in tensors and tensors[key].shape != value.shape
        ],
    }
    return "; ".join(f"{len(keys)} {kind} ({_first(keys)})" for kind, keys in kinds.items() if keys)


def _first(keys: Sequence[str]) -> str:
    return ", ".join(keys[:N_SHOWN]) + (", ..." if len(keys) > N_SHOWN else "")
