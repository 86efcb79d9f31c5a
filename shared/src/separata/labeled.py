"""Labeled samples, by name or from a user's own files, split for training, validation and testing.

Everything that `separata.data` knows by name, and three kinds of files: a folder of images, arrays as `.npz`, and a
table as `.csv`. Nothing in a file is ever executed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from . import data
from .arrays import load_npy, load_npz
from .pictures import decode_all
from .tables import in_order, numbers_of, read_cells

TEST_SHARE = 0.2
"""Share of the samples that is kept for testing where the source has no test part of its own."""
LABELS = ("label", "class", "target", "y")
"""Columns of a table that are taken as its labels; the last column otherwise."""
ARRAYS = ("x", "y", "x_train", "y_train", "x_test", "y_test")
PICTURES = (".png", ".jpg", ".jpeg")
MOST_CLASSES = 10_000


@dataclass(frozen=True, eq=False)
class LabeledDataset:
    """Samples of one shape with a class each, all in memory on one device.

    Attributes:
        x: The samples: images (channels, height, width), or features.
        y: Index into `classes` of each sample, int64.
        classes: Names of the classes.
    """

    x: Float[Tensor, "n *sample"]
    y: Int[Tensor, "n"]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.y)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.x.shape[1:])

    def to(self, device: str | torch.device) -> "LabeledDataset":
        """The same with its tensors on a device."""
        return replace(self, x=self.x.to(device), y=self.y.to(device))

    def subset(self, indices: Int[Tensor, "k"] | Bool[Tensor, "n"] | Sequence[int]) -> "LabeledDataset":
        """The samples at `indices` (or where a mask is true), in that order, under the same classes."""
        index = torch.as_tensor(indices, device=self.x.device)
        return replace(self, x=self.x[index], y=self.y[index])


class Splits(NamedTuple):
    """A data set in three parts, of the same classes and the same shape of samples."""

    train: LabeledDataset
    validation: LabeledDataset
    test: LabeledDataset

    def to(self, device: str | torch.device) -> "Splits":
        """The same with all tensors on a device."""
        return Splits(*(part.to(device) for part in self))


def load_splits(
    source: str | Path, *, validation: float = 0.1, seed: int = 0, size: int | None = None, n_train: int | None = None
) -> Splits:
    """Load a data set and split it.

    Where the source has no test part, a stratified fifth is kept for testing, always the same one. The validation part
    is a stratified share of what is left, drawn by the seed.

    Args:
        source: A name that `data.load` knows (`digits`, `mnist5k`, `mnist`, ...); a folder of images,
            `<split>/<class>/*.png` with the splits `train` and `test`, or `<class>/*.png`; an .npz file of `x` and `y`,
            or of `x_train`, `y_train`, `x_test` and `y_test`, whose images may be (n, height, width) or have their
            channels first or last; or a .csv file with a header, whose label is the column `label`, `class`, `target`
            or `y`, or else the last. Bytes become intensities in [0, 1]; other numbers stay as they are.
        validation: Share of the training part that is used for validation.
        seed: Draws the validation part.
        size: Height and width in pixels to which images are resized.
        n_train: Samples for training, a stratified choice; all by default.

    Raises:
        ValueError: if the source is damaged or not laid out as above, a part would be empty, or a class is missing
            among the samples for training.
        FileNotFoundError: if it is not there.
    """
    if not 0 < validation < 1:
        raise ValueError(f"the share of validation samples must lie between 0 and 1, not {validation}")
    train, test = _parts(source, size)
    if test is None:
        train, test = split(train, TEST_SHARE, 0)
    train, held_out = split(train, validation, seed)
    if n_train is not None:
        if not train.n_classes <= n_train <= len(train):
            raise ValueError(
                f"{source} has {len(train)} samples of {train.n_classes} classes for training; "
                f"{n_train} cannot be chosen of them"
            )
        if n_train < len(train):
            _, train = split(train, n_train / len(train), seed)
    if missing := [name for i, name in enumerate(train.classes) if not bool((train.y == i).any())]:
        raise ValueError(f"{source} has no sample of class {missing[0]} left for training: it needs more of them")
    return Splits(train, held_out, test)


def split(whole: LabeledDataset, share: float, seed: int) -> tuple[LabeledDataset, LabeledDataset]:
    """Split off a stratified share: the rest, and the share.

    Args:
        whole: The data set.
        share: Part of the samples that is split off, between 0 and 1.
        seed: Draws them.

    Raises:
        ValueError: if one of the two would be empty.
    """
    n = math.ceil(share * len(whole) - 1e-9)
    if not 0 < n < len(whole):
        raise ValueError(f"{len(whole)} samples are too few to split {n} of them off")
    rest, chosen = data.stratified(whole.y.cpu().numpy(), n, seed)
    return whole.subset(torch.from_numpy(rest)), whole.subset(torch.from_numpy(chosen))


def load_samples(path: Path, shape: Sequence[int], size: int | None = None) -> Float[Tensor, "n *sample"]:
    """Samples without labels, of the shape that a model wants.

    Args:
        path: A picture, a folder of pictures (in the order of their names), an .npy file, an .npz file with `x`, or a
            .csv file of features with a header.
        shape: Shape of a sample.
        size: Height and width to which pictures are resized; that of `shape` if it is an image's.

    Raises:
        ValueError: if a file is damaged, or its samples are of another shape.
        FileNotFoundError: if there is none.
    """
    shape = tuple(shape)
    x = _read_samples(path, size or (shape[-1] if len(shape) == 3 and shape[-1] == shape[-2] else None))
    if len(shape) == 3 and x.ndim == 4 and x.shape[1] != shape[0] and {x.shape[1], shape[0]} == {1, 3}:
        x = x.expand(-1, 3, -1, -1) if shape[0] == 3 else x.mean(1, keepdim=True)
    if x.shape[1:] != shape and x[0].numel() == math.prod(shape):
        x = x.reshape(len(x), *shape)
    if x.shape[1:] != shape:
        raise ValueError(f"{path}: its samples are {_by(x.shape[1:])}, but the model was made for {_by(shape)}")
    return x


def _by(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape) or "single numbers"


# ---- kinds of sources


def _parts(source: str | Path, size: int | None) -> tuple[LabeledDataset, LabeledDataset | None]:
    """What to train on, and the test part if the source has one."""
    path = Path(source)
    kind = path.suffix.lower()
    if kind == ".npz":
        return _from_npz(path, size)
    if kind == ".csv":
        return _from_csv(path), None
    if path.is_dir() and (isinstance(source, Path) or len(path.parts) > 1 or path.is_absolute()):
        return _from_folder(path, size)
    name = str(source)
    try:
        train, test = (_plain(data.load(name, split=part, size=size)) for part in ("train", "test"))
    except ValueError as error:
        if path.is_dir():
            return _from_folder(path, size)
        if path.exists() or len(path.parts) > 1:
            raise ValueError(f"{source} is neither a folder of images nor an .npz or .csv file") from None
        raise ValueError(f"{error}; or give a folder of images, an .npz or a .csv file") from None
    return train, test


def _plain(found: data.ImageDataset) -> LabeledDataset:
    return LabeledDataset(found.images, found.labels, found.classes)


def _from_folder(folder: Path, size: int | None) -> tuple[LabeledDataset, LabeledDataset | None]:
    if (folder / "train").is_dir():
        train = _plain(data.load_folder(folder, "train", size=size))
        if not (folder / "test").is_dir():
            return train, None
        test = _plain(data.load_folder(folder, "test", size=size))
        if test.classes != train.classes:
            raise ValueError(f"{folder} has other classes for testing than for training: name their folders alike")
        if test.sample_shape != train.sample_shape:
            shapes = f"{_by(test.sample_shape)} for testing and {_by(train.sample_shape)} for training"
            raise ValueError(f"{folder} has images of {shapes}: give a size to which all are resized")
        return train, test
    return _plain(data.load_folder(folder, None, size=size)), None


def _from_npz(path: Path, size: int | None) -> tuple[LabeledDataset, LabeledDataset | None]:
    held = load_npz(path, ARRAYS)
    if {"x", "y"} <= set(held):
        return _labeled(path, held["x"], held["y"], size), None
    if missing := [name for name in ARRAYS[2:] if name not in held]:
        raise ValueError(
            f"{path} holds neither x and y nor x_train, y_train, x_test and y_test: {missing[0]} is not there"
        )
    parts = [_labeled(path, held[f"x_{part}"], held[f"y_{part}"], size) for part in ("train", "test")]
    train, test = parts
    if train.sample_shape != test.sample_shape:
        shapes = f"{_by(train.sample_shape)} for training and {_by(test.sample_shape)} for testing"
        raise ValueError(f"{path} has samples of {shapes}")
    classes = max(parts, key=lambda part: part.n_classes).classes
    return replace(train, classes=classes), replace(test, classes=classes)


def _labeled(path: Path, x: np.ndarray, y: np.ndarray, size: int | None) -> LabeledDataset:
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1 or x.ndim < 2 or len(x) != len(y) or not len(y):
        raise ValueError(f"{path} must have one label for each sample, not samples {x.shape} with labels {y.shape}")
    if y.dtype.kind not in "biu":
        raise ValueError(f"{path} has labels of type {y.dtype}; labels are whole numbers from 0 on")
    if y.min() < 0 or y.max() >= MOST_CLASSES:
        wrong = y.min() if y.min() < 0 else y.max()
        raise ValueError(
            f"{path} has the label {wrong}; labels are the numbers of classes, from 0 to below {MOST_CLASSES}"
        )
    classes = tuple(str(i) for i in range(int(y.max()) + 1))
    return LabeledDataset(_numbers(path, x, size), torch.from_numpy(y.astype(np.int64)), classes)


def _numbers(path: Path, x: Shaped[np.ndarray, "n *stored"], size: int | None) -> Float[Tensor, "n *sample"]:
    """Samples in single precision, images with their channels first."""
    if x.dtype.kind not in "biuf":
        raise ValueError(f"{path} has samples of type {x.dtype}, which are no numbers")
    with np.errstate(over="ignore"):
        values = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
    if x.dtype == np.uint8:
        values = values / 255
    if not bool(torch.isfinite(values).all()):
        raise ValueError(f"{path} has a sample with a number that is NaN or infinite")
    if values.ndim == 3:
        values = values[:, None]
    elif values.ndim == 4 and values.shape[1] not in (1, 3) and values.shape[3] in (1, 3):
        values = values.permute(0, 3, 1, 2).contiguous()
    if size is not None and values.ndim == 4:
        values = torch.nn.functional.interpolate(values, (size, size), mode="bilinear", antialias=True)
    return values


def _from_csv(path: Path) -> LabeledDataset:
    header, rows = _lower(path)
    named = [header.index(name) for name in LABELS if name in header]
    column = named[0] if named else len(header) - 1
    if len(header) < 2:
        raise ValueError(f"{path} has a single column: features and labels are needed")
    labels = [row[column] for row in rows]
    features = [row[:column] + row[column + 1 :] for row in rows]
    classes = in_order(set(labels))
    if len(classes) > MOST_CLASSES or (len(classes) == len(labels) and len(labels) > 2):
        raise ValueError(f"{path}: its column {header[column]} has a value of its own in each row, so it is no label")
    number = {name: i for i, name in enumerate(classes)}
    x = numbers_of(path, [*header[:column], *header[column + 1 :]], features)
    return LabeledDataset(x, torch.tensor([number[label] for label in labels]), classes)


def _lower(path: Path) -> tuple[list[str], list[list[str]]]:
    """A table, with the names of its columns in lower case."""
    header, rows = read_cells(path)
    return [name.lower() for name in header], rows


def _features(path: Path) -> Float[Tensor, "n features"]:
    """The numbers of a table, without its labels if a column is named so."""
    header, rows = _lower(path)
    kept = [i for i, name in enumerate(header) if name not in LABELS]
    return numbers_of(path, [header[i] for i in kept], [[row[i] for i in kept] for row in rows])


# ---- without labels


def _read_samples(path: Path, size: int | None) -> Float[Tensor, "n *sample"]:
    kind = path.suffix.lower()
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.suffix.lower() in PICTURES)
        if not files:
            raise ValueError(f"{path} holds no .png, .jpg or .jpeg picture")
        return _pictures(files, size)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file or folder {path}")
    if kind in PICTURES:
        return _pictures([path], size)
    if kind == ".csv":
        return _features(path)
    if kind == ".npy":
        x = load_npy(path)
    elif kind == ".npz":
        held = load_npz(path, ("x",))
        if "x" not in held:
            raise ValueError(f"{path} holds no array x")
        x = held["x"]
    else:
        raise ValueError(f"{path} is no picture, .npy, .npz or .csv file")
    if x.ndim < 2 or not len(x):
        raise ValueError(f"{path} must hold samples along its first axis, not an array {x.shape}")
    return _numbers(path, x, None)


def _pictures(files: Sequence[Path], size: int | None) -> Float[Tensor, "n channels height width"]:
    return decode_all(((str(one), one.read_bytes()) for one in files), len(files), size).float() / 255
