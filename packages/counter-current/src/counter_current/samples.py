"""Data of the user's own: labeled as `separata.labeled` has it, or unlabeled for an autoencoder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from separata.arrays import load_npy, load_npz
from separata.labeled import LabeledDataset, Splits, load_samples, load_splits, split
from separata.pictures import decode

from .configs import DataShape

Part = Literal["train", "validation", "test", "all"]
TEST_SHARE = 0.2
PICTURES = (".png", ".jpg", ".jpeg")
MOST_NAMED = 10
"""Classes that an error names."""
GRAY_AXES, IMAGE_AXES = 3, 4
"""Axes of arrays of images without and with channels."""


def load_data(
    source: str, *, is_autoencoder: bool, validation: float = 0.1, seed: int = 0, size: int | None = None
) -> Splits:
    """Training, validation and test parts of a source.

    Args:
        source: What `separata.labeled.load_splits` takes; for an autoencoder also samples without labels: a folder of
            pictures, an .npy file, or an .npz file of `x` alone.
        is_autoencoder: Whether labels may be missing.
        validation: Share of the training part that is used for validation.
        seed: Draws the validation part.
        size: Height and width to which images are resized.

    Raises:
        FileNotFoundError: if it is not there.
        ValueError: if it is damaged or not laid out so.
    """
    path = Path(source)
    if is_autoencoder and _is_unlabeled(path):
        x = _resized(load_samples(path, _shape_of(path, size), size), size)
        whole = LabeledDataset(x, torch.zeros(len(x), dtype=torch.long), ("sample",))
        train, test = split(whole, TEST_SHARE, 0)
        train, held_out = split(train, validation, seed)
        return Splits(train, held_out, test)
    return load_splits(source, validation=validation, seed=seed, size=size)


def load_part(source: str, part: Part, *, is_autoencoder: bool, seed: int, size: int | None) -> LabeledDataset:
    """One part of a source, as `load_data` splits it with the same seed; or all of it, part by part."""
    splits = load_data(source, is_autoencoder=is_autoencoder, seed=seed, size=size)
    if part != "all":
        return splits._asdict()[part]
    return replace(splits.train, x=torch.cat([one.x for one in splits]), y=torch.cat([one.y for one in splits]))


def matched_data(source: str, data: LabeledDataset, shape: DataShape, classes: Sequence[str] = ()) -> LabeledDataset:
    """Data under the classes that a network was made for, by their names.

    Args:
        source: Where the data is from.
        data: The data.
        shape: What the network was made for.
        classes: The names of its classes; where there are none, the data's classes count in their order.

    Raises:
        ValueError: if the samples are of another shape (the sentence has both), or a class is unknown to the network.
    """
    if data.sample_shape != shape.sample:
        raise ValueError(
            f"{source} has samples of {_told(data.sample_shape)}, but the network takes {_told(shape.sample)}"
        )
    if shape.n_classes is not None and data.n_classes > shape.n_classes:
        raise ValueError(f"{source} has {data.n_classes} classes, but the network has {shape.n_classes}")
    if shape.n_classes is None or not classes:
        return data
    if unknown := [name for name in data.classes if name not in classes]:
        raise ValueError(f"{source} has the class {unknown[0]}, but the network tells {_listed(classes)} apart")
    numbers = torch.tensor([classes.index(name) for name in data.classes], device=data.y.device)
    return LabeledDataset(data.x, numbers[data.y], tuple(classes))


def _is_unlabeled(path: Path) -> bool:
    if path.suffix == ".npy":
        return True
    if path.suffix == ".npz" and path.is_file():
        return "y" not in (held := load_npz(path, ("x", "y"))) and "x" in held
    return path.is_dir() and any(one.suffix.lower() in PICTURES for one in path.iterdir())


def _shape_of(path: Path, size: int | None) -> tuple[int, ...]:
    """The shape of a sample, images with their channels first."""
    if path.is_dir():
        first = min(one for one in path.iterdir() if one.suffix.lower() in PICTURES)
        return decode(size, (str(first), first.read_bytes()))[1].shape
    x = load_npy(path) if path.suffix == ".npy" else load_npz(path, ("x",))["x"]
    shape: tuple[int, ...] = x.shape[1:]
    if x.ndim == GRAY_AXES:
        return (1, *shape)
    if x.ndim == IMAGE_AXES and shape[0] not in {1, 3} and shape[2] in {1, 3}:
        return (shape[2], *shape[:2])
    return shape


def _resized(x: Float[Tensor, "n *sample"], size: int | None) -> Float[Tensor, "n *resized"]:
    """Images of that height and width; pictures have been resized when they were read."""
    if size is None or x.ndim != IMAGE_AXES or tuple(x.shape[2:]) == (size, size):
        return x
    return interpolate(x, (size, size), mode="bilinear", antialias=True)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")


def _told(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
