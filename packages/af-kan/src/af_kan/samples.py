"""Data of the user's own for classification and regression: images, arrays and tables, in three parts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from separata import data
from separata.arrays import load_npz
from separata.labeled import LabeledDataset, load_samples, load_splits
from separata.tables import TableSchema, load_table

from .configs import DataConfig, DataShape

TEST_SHARE = 0.2
"""Share of the samples of a table that is kept for testing."""
TEST_SEED = 0
"""Draws the test part of a table, always the same."""
PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of one shape, each with a class or a number, all in memory on one device.

    Attributes:
        x: The samples.
        y: Index of the class of each, or the number to predict.
        shape: Shape of a sample, names of the classes, and name of what is predicted.
    """

    x: Float[Tensor, "n *sample"]
    y: Int[Tensor, "n"] | Float[Tensor, "n"]
    shape: DataShape

    def __post_init__(self) -> None:
        check_samples(self.x, self.y, self.shape)

    def __len__(self) -> int:
        return len(self.y)

    def to(self, device: str | torch.device) -> "Samples":
        """The same with its tensors on a device."""
        return replace(self, x=self.x.to(device), y=self.y.to(device))

    def subset(self, indices: Int[Tensor, "k"] | Sequence[int]) -> "Samples":
        """The samples at `indices`, in that order."""
        index = torch.as_tensor(indices, device=self.x.device)
        return replace(self, x=self.x[index], y=self.y[index])


class DataSplits(NamedTuple):
    """A data set in three parts, and the columns of the table that it comes from, if it comes from one."""

    train: Samples
    validation: Samples
    test: Samples
    schema: TableSchema | None = None
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> DataShape:
        """What the data says of a network."""
        return self.train.shape

    def to(self, device: str | torch.device) -> "DataSplits":
        """The same with all tensors on a device."""
        return self._replace(**{name: getattr(self, name).to(device) for name in PARTS})


def check_samples(x: Shaped[Tensor, "n ..."], y: Shaped[Tensor, "n ..."], shape: DataShape) -> None:
    """See that samples and their targets are those of a shape.

    Raises:
        ValueError: if there are none, a number is NaN or infinite, a label is no class, or the shapes do not fit.
    """
    if len(x) == 0:
        raise ValueError("there are no samples")
    if tuple(x.shape[1:]) != shape.sample:
        raise ValueError(f"the network takes samples of shape {shape.sample}, not {tuple(x.shape[1:])}")
    if len(x) != len(y) or y.ndim != 1:
        raise ValueError(f"there must be one target for each of {len(x)} samples, not {tuple(y.shape)}")
    if not bool(x.isfinite().all()):
        raise ValueError("a sample has a number that is NaN or infinite")
    if shape.is_regression:
        if not bool(y.isfinite().all()):
            raise ValueError("a number to predict is NaN or infinite")
        return
    if y.is_floating_point() or y.dtype == torch.bool:
        raise ValueError(f"labels are whole numbers, the indices of classes, not {y.dtype}")
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= len(shape.classes):
        raise ValueError(f"label {low if low < 0 else high} outside 0..{len(shape.classes) - 1}")


def load_data(source: str | Path, config: DataConfig = DataConfig(), *, seed: int = 0) -> DataSplits:  # noqa: B008 - immutable
    """Load a data set and split it.

    Args:
        source: What `separata.labeled.load_splits` takes: a name, a folder of images, or an .npz file; or a table,
            .csv, for classification or regression. An .npz file whose `y` is not of whole numbers is for regression.
        config: How it is read.
        seed: Draws the validation part.

    Raises:
        FileNotFoundError: if it is not there.
        ValueError: if it is damaged or not laid out so.
    """
    path = Path(source)
    if path.suffix.lower() == ".csv":
        return _from_table(path, config, seed)
    if config.target is not None:
        raise ValueError(f"target names a column of a table; {source} is none")
    if path.suffix.lower() == ".npz" and path.is_file() and _is_regression(path, config):
        return _numbers_from_npz(path, config, seed)
    if config.task == "regression":
        raise ValueError(f"{source} has classes; numbers are predicted for tables and .npz files with numbers y")
    parts = load_splits(source, validation=config.validation, seed=seed, size=config.size)
    return DataSplits(_labeled(parts.train), _labeled(parts.validation), _labeled(parts.test))


def load_part(
    source: str | Path, part: str, config: DataConfig, *, seed: int, schema: TableSchema | None = None
) -> Samples:
    """One part of a source, as `load_data` splits it with the same seed, or all of it.

    Args:
        source: What `load_data` takes.
        part: train, validation, test or all.
        config: How it is read.
        seed: Draws the validation part.
        schema: Columns and classes by which a table is read; its own ones if not given.

    Raises:
        FileNotFoundError: if it is not there.
        ValueError: if it is damaged, not laid out so, or a table with other columns or classes.
    """
    path = Path(source)
    if schema is not None and path.suffix.lower() == ".csv":
        data = _in_parts(_encoded(path, schema), config, seed)
    else:
        data = load_data(source, config, seed=seed)
    if part == "all":
        parts: list[Samples] = [getattr(data, name) for name in PARTS]
        x, y = (torch.cat([getattr(one, name) for one in parts]) for name in ("x", "y"))
        return Samples(x, y, data.shape)
    found: Samples = getattr(data, part)
    return found


def _encoded(path: Path, schema: TableSchema) -> Samples:
    """A table by the columns and classes of another one."""
    table = load_table(path, schema.target, "regression" if schema.is_regression else "classification")
    classes = schema.classes or ()
    if unknown := [name for name in table.schema.classes or () if name not in classes]:
        raise ValueError(f"{path} has the class {unknown[0]}, but the network was trained on {', '.join(classes[:10])}")
    y = table.y
    if table.schema.classes is not None:
        y = torch.tensor([classes.index(name) for name in table.schema.classes])[y]
    return Samples(schema.encode(path), y, DataShape((schema.n_features,), classes, schema.target))


def load_inputs(
    path: Path, shape: DataShape, schema: TableSchema | None, size: int | None
) -> Float[Tensor, "n *sample"]:
    """Samples without targets, for a trained network.

    Args:
        path: A table, .csv, if the network was trained on one; or what `separata.labeled.load_samples` takes.
        shape: What the network was trained on.
        schema: The columns of its table, if it was trained on one.
        size: Height and width to which images are resized.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or of another shape.
    """
    if path.suffix.lower() == ".csv" and schema is not None:
        return schema.encode(path)
    return load_samples(path, shape.sample, size)


def _labeled(part: LabeledDataset) -> Samples:
    return Samples(part.x, part.y, DataShape(part.sample_shape, part.classes))


def _from_table(path: Path, config: DataConfig, seed: int) -> DataSplits:
    table = load_table(path, config.target, config.task)
    shape = DataShape((table.schema.n_features,), table.schema.classes or (), table.schema.target)
    parts = _in_parts(Samples(table.x, table.y, shape), config, seed)
    return parts._replace(schema=table.schema, notes=table.notes)


def _in_parts(whole: Samples, config: DataConfig, seed: int) -> DataSplits:
    rest, test = split(whole, TEST_SHARE, TEST_SEED)
    return DataSplits(*split(rest, config.validation, seed), test)


def _is_regression(path: Path, config: DataConfig) -> bool:
    held = load_npz(path, ("y", "y_train"))
    kinds = {array.dtype.kind for array in held.values()}
    return config.task == "regression" or (config.task == "auto" and kinds == {"f"})


def _numbers_from_npz(path: Path, config: DataConfig, seed: int) -> DataSplits:
    held = load_npz(path, ("x", "y", "x_train", "y_train", "x_test", "y_test"))
    if {"x", "y"} <= held.keys():
        return _in_parts(_numbers(path, held["x"], held["y"]), config, seed)
    if missing := [name for name in ("x_train", "y_train", "x_test", "y_test") if name not in held]:
        raise ValueError(
            f"{path} holds neither x and y nor x_train, y_train, x_test and y_test: {missing[0]} is not there"
        )
    rest, test = (_numbers(path, held[f"x_{part}"], held[f"y_{part}"]) for part in ("train", "test"))
    if rest.shape != test.shape:
        raise ValueError(f"{path} has samples of {rest.shape.sample} for training and {test.shape.sample} for testing")
    return DataSplits(*split(rest, config.validation, seed), test)


def _numbers(path: Path, x: np.ndarray, y: np.ndarray) -> Samples:
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if x.ndim < 2 or y.ndim != 1 or len(x) != len(y) or not len(y):
        raise ValueError(f"{path} must have one number for each sample, not samples {x.shape} with numbers {y.shape}")
    if x.dtype.kind not in "biuf" or y.dtype.kind not in "biuf":
        raise ValueError(f"{path} must hold numbers, not {x.dtype} and {y.dtype}")
    with np.errstate(over="ignore"):
        inputs, numbers = (torch.from_numpy(np.ascontiguousarray(one, dtype=np.float32)) for one in (x, y))
    try:
        return Samples(inputs, numbers, DataShape(tuple(inputs.shape[1:])))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def split(whole: Samples, share: float, seed: int) -> tuple[Samples, Samples]:
    """Split off a share, stratified where there are classes: the rest, and the share.

    Raises:
        ValueError: if the rest would be empty.
    """
    n = max(1, round(share * len(whole)))
    if n >= len(whole):
        raise ValueError(f"{len(whole)} samples are too few to split {n} of them off")
    if whole.shape.is_regression:
        order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(seed))
        return whole.subset(order[n:].sort().values), whole.subset(order[:n].sort().values)
    rest, chosen = data.stratified(whole.y.cpu().numpy(), n, seed)
    return whole.subset(torch.from_numpy(rest)), whole.subset(torch.from_numpy(chosen))
