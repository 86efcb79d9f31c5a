"""Labelled images in Parquet files, in the layout of the Hugging Face hub."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Int64, UInt8
from torch import Tensor

from .pictures import decode_all


def shards(paths: Iterable[PurePath], config: str) -> dict[str, list[PurePath]]:
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
        raise ValueError(f"{path} is not a readable Parquet file, download it again: {one_line(error)}") from error


def read_images(
    paths: Sequence[Path], size: int | None
) -> tuple[
    UInt8[Tensor, "n channels height width"] | Float[Tensor, "n channels height width"],
    Int[Tensor, "n"],
    tuple[str, ...],
]:
    """The images, labels and names of the classes of a split.

    Args:
        paths: The files of the split.
        size: Height and width in pixels to which every image is resized.

    Raises:
        ValueError: if files are missing or damaged, or a column or label is not as it must be.
    """
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
    return pixels, torch.from_numpy(labels), classes


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


def check_split(split: str, known: Iterable[str], where: str) -> None:
    """Refuse a split that is not there.

    Args:
        split: Its name.
        known: The names of those that are.
        where: Where they are, in words.

    Raises:
        ValueError: if it is none of them.
    """
    known = sorted(known)
    if split not in known:
        raise ValueError(f"unknown split {split!r} of {where}: it has {', '.join(known)}")


def one_line(error: Exception) -> str:
    """The first line of an error, or its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
