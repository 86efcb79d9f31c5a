"""Data of the user's own: labeled as `separata.labeled` has it, or unlabeled for an autoencoder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from separata.arrays import load_npy, load_npz
from separata.labeled import LabeledDataset, Splits, load_samples, load_splits, split
from separata.pictures import decode

from .configs import DataShape

Part = Literal["train", "validation", "test"]
TEST_SHARE = 0.2
PICTURES = (".png", ".jpg", ".jpeg")
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
        x = load_samples(path, _shape_of(path, size), size)
        whole = LabeledDataset(x, torch.zeros(len(x), dtype=torch.long), ("sample",))
        train, test = split(whole, TEST_SHARE, 0)
        train, held_out = split(train, validation, seed)
        return Splits(train, held_out, test)
    return load_splits(source, validation=validation, seed=seed, size=size)


def load_part(source: str, part: Part, *, is_autoencoder: bool, seed: int, size: int | None) -> LabeledDataset:
    """One part of a source, as `load_data` splits it with the same seed."""
    splits = load_data(source, is_autoencoder=is_autoencoder, seed=seed, size=size)
    return splits.train if part == "train" else splits.validation if part == "validation" else splits.test


def check_data(source: str, data: LabeledDataset, shape: DataShape) -> None:
    """See that data is of the shape that a network was made for.

    Raises:
        ValueError: if it is not; the sentence has both shapes.
    """
    if data.sample_shape != shape.sample:
        raise ValueError(
            f"{source} has samples of {_told(data.sample_shape)}, but the network takes {_told(shape.sample)}"
        )
    if shape.n_classes is not None and data.n_classes > shape.n_classes:
        raise ValueError(f"{source} has {data.n_classes} classes, but the network has {shape.n_classes}")


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


def _told(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
