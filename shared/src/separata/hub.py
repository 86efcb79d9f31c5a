"""Data sets by name on the Hugging Face hub, brought from it or from its cache on this machine."""

from pathlib import Path, PurePath
from typing import NamedTuple

from . import parquet


class Repository(NamedTuple):
    """A data set on the hub, and which configuration of it."""

    path: str
    config: str


REPOSITORIES = {
    "mnist": Repository("ylecun/mnist", "mnist"),
    "fashion-mnist": Repository("zalando-datasets/fashion_mnist", "fashion_mnist"),
    "cifar10": Repository("uoft-cs/cifar10", "plain_text"),
    "cifar100": Repository("uoft-cs/cifar100", "cifar100"),
    "svhn": Repository("ufldl-stanford/svhn", "cropped_digits"),
    "mini-imagenet": Repository("timm/mini-imagenet", "data"),
}
PATIENCE = 5.0
"""Seconds to wait for the hub to list a repository."""


def download(name: str, split: str, place: str) -> list[Path]:
    """Bring the Parquet files of a split from the hub, or from its cache on this machine when it cannot be reached.

    Args:
        name: One of `REPOSITORIES`.
        split: Which part of it.
        place: Where a user can put the data set, in words.

    Raises:
        ValueError: if it has no such split.
        FileNotFoundError: if the hub cannot be reached, and the files were not brought before.
    """
    from huggingface_hub import HfApi, hf_hub_download

    # The base class of the HTTP library that the installed hub client uses (requests, httpx, ...).
    from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError

    repository = REPOSITORIES[name]
    try:
        # The client's other listings retry for half a minute where there is no connection.
        info = HfApi().dataset_info(repository.path, timeout=PATIENCE)
    except (OSError, HTTPError) as error:
        return _downloaded_before(name, split, place, error)
    shards = parquet.shards([PurePath(file.rfilename) for file in info.siblings or ()], repository.config)
    parquet.check_split(split, shards, f"the hub's {repository.path}")
    try:
        return [Path(hf_hub_download(repository.path, file.as_posix(), repo_type="dataset")) for file in shards[split]]
    except (LocalEntryNotFoundError, HTTPError) as error:
        raise _not_found(name, place, error) from error


def _downloaded_before(name: str, split: str, place: str, reason: Exception) -> list[Path]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository = REPOSITORIES[name]
    try:
        folder = Path(snapshot_download(repository.path, repo_type="dataset", local_files_only=True))
    except LocalEntryNotFoundError:
        raise _not_found(name, place, reason) from reason
    shards = parquet.shards([path.relative_to(folder) for path in folder.glob("**/*.parquet")], repository.config)
    if split not in shards:
        raise _not_found(name, place, reason) from reason
    return [folder / file for file in shards[split]]


def _not_found(name: str, place: str, reason: Exception) -> FileNotFoundError:
    return FileNotFoundError(
        f"the data set {name!r} is not on this machine: put its Parquet files or an image folder in {place}, or "
        f"connect to the Hugging Face hub ({REPOSITORIES[name].path}), which could not be reached: "
        f"{parquet.one_line(reason)}"
    )
