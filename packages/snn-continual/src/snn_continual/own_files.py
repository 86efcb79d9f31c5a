"""Your own tasks, from files of arrays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from separata import files

from .benchmarks import Task, TaskSequence

MOST_CLASSES = 100_000
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class OwnFiles(TaskSequence):
    """Your own tasks: a folder of `*.npz` files, in the order of their names.

    Each has the arrays `x_train`, `y_train`, `x_test` and `y_test`. Inputs (samples, ...) are used as they are, in the
    same shape in all files; labels (samples) are whole numbers from 0.

    Args:
        folder: The folder.
        shares_head: Whether one classifier serves all tasks or each has its own.

    Raises:
        FileNotFoundError: if it has no such file.
    """

    folder: Path
    shares_head: bool = True

    def __post_init__(self) -> None:
        if not self.paths:
            raise FileNotFoundError(
                f"there is no file *.npz in {self.folder}; each task is one, with {', '.join(ARRAYS)}"
            )

    @property
    def paths(self) -> list[Path]:
        """The files, one for each task."""
        return sorted(self.folder.glob("*.npz"))

    @property
    def n_classes(self) -> int:
        """Classes of each task: one more than the largest label."""
        return 1 + max(int(torch.cat([task.train_labels, task.test_labels]).max()) for task in self)

    def __len__(self) -> int:
        """Number of tasks."""
        return len(self.paths)

    def make(self, index: int) -> Task:
        """The task of that number.

        Raises:
            ValueError: if the file is not whole, an array is missing or not numeric, shapes do not fit, or an input is
                not finite.
        """
        path, first = self.paths[index], self.paths[0]
        x_train, y_train, x_test, y_test = read_arrays(path)
        task = Task(*labelled(path, x_train, y_train), *labelled(path, x_test, y_test))
        shapes = {tuple(x.shape[1:]) for x in (x_train, x_test, read_arrays(first)[0] if index else x_train)}
        if len(shapes) > 1:
            raise ValueError(f"{path} must have inputs of one shape, that of {first.name}, not of {sorted(shapes)}")
        return task


def read_arrays(path: Path) -> list[np.ndarray]:
    """The four arrays of a file; nothing in it is ever run.

    Raises:
        ValueError: if the file is not whole, or an array is missing or not numeric.
    """
    refusal = f"{path} is not a whole .npz file of numeric arrays"
    try:
        found = files.load_arrays(path, ARRAYS)
    except ValueError:
        raise ValueError(refusal) from None
    if missing := [name for name in ARRAYS if name not in found]:
        raise ValueError(f"{path} lacks an array: {missing[0]}")
    if any(array.dtype.kind not in "biuf" for array in found.values()):
        raise ValueError(refusal)
    return [found[name] for name in ARRAYS]


def labelled(path: Path, x: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor]:
    """Inputs and labels as tensors.

    Raises:
        ValueError: if there is not one whole-number label for each input, or a number is not finite or negative.
    """
    if y.ndim != 1 or x.ndim < 2 or len(x) != len(y) or y.dtype.kind not in "biu" or not len(y):
        shapes = f"{x.shape} with {y.dtype} {y.shape}"
        raise ValueError(f"{path} must have a whole-number label for each input (samples, features), not {shapes}")
    with np.errstate(over="ignore"):
        inputs = torch.from_numpy(x.astype(np.float32))
    if not torch.isfinite(inputs).all():
        raise ValueError(f"{path} has an input that is NaN or infinite")
    if y.min() < 0:
        raise ValueError(f"{path} has a negative label")
    if y.max() >= MOST_CLASSES:
        raise ValueError(f"{path} has the label {y.max()}; labels are the numbers of classes, below {MOST_CLASSES}")
    return inputs, torch.from_numpy(y.astype(np.int64))
