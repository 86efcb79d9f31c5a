"""Samples to learn from, by name or from a user's own file, read and kept in double precision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor

from separata import data, tables
from separata.arrays import load_npz
from separata.label_noise import noisy_labels

from .configs import DataConfig, check_seeds
from .matrices import as_matrix, as_targets, as_tensor

DEFAULT_N = 300
POOLED = ("digits", "mnist5k")
"""Data sets without a test part of their own."""
NAMES = ("x", "y", "x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True, eq=False)
class Source:
    """Samples with their targets.

    Attributes:
        x: Inputs, (n, D).
        y: Labels (n,), or numbers (n, C).
        x_test: Inputs of a test part, if it has one.
        y_test: Their targets.
        n_classes: Of labels; None where the targets are numbers.
        name: What it is called in messages.
    """

    x: Float64[Tensor, "n d"]
    y: Int64[Tensor, "n"] | Float64[Tensor, "n c"]
    x_test: Float64[Tensor, "m d"] | None = None
    y_test: Int64[Tensor, "m"] | Float64[Tensor, "m c"] | None = None
    n_classes: int | None = None
    name: str = "the data"


@dataclass(frozen=True, eq=False)
class Samples:
    """What each seed learns from and is tested on; targets are one-hot where they were labels.

    Attributes:
        x: Inputs for training, (seeds, N, D).
        y: Their targets, (seeds, N, C), with label noise.
        x_test: Inputs for testing, (seeds, M, D).
        y_test: Their targets, without noise.
        x_val: Inputs for validation, (seeds, V, D); V may be 0.
        y_val: Their targets, with as much noise as those for training.
        seeds: The seeds.
        has_classes: Whether targets were labels.
    """

    x: Float64[Tensor, "seeds n d"]
    y: Float64[Tensor, "seeds n c"]
    x_test: Float64[Tensor, "seeds m d"]
    y_test: Float64[Tensor, "seeds m c"]
    x_val: Float64[Tensor, "seeds v d"]
    y_val: Float64[Tensor, "seeds v c"]
    seeds: tuple[int, ...]
    has_classes: bool = True

    @property
    def n_train(self) -> int:
        """N."""
        return self.x.shape[1]

    def to(self, device: str | torch.device) -> "Samples":
        """The same on a device."""
        names = ("x", "y", "x_test", "y_test", "x_val", "y_val")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def load_source(source: str) -> Source:
    """Samples by name or from a file.

    Args:
        source: `digits`, `mnist5k`, or another name that `separata.data` knows; an .npz file of x and y, or of x_train,
            y_train, x_test and y_test (z or Z in place of x is the same); or a .csv file with a header, whose target is
            the column target, label, class or y, or else the last. Whole numbers are labels, others are regressed on.

    Raises:
        FileNotFoundError: if it is not there.
        ValueError: if it is damaged or not laid out as above, or has a number that is not finite.
    """
    path = Path(source)
    if path.suffix.lower() == ".npz":
        return _from_npz(path)
    if path.suffix.lower() == ".csv":
        return _from_csv(path)
    parts = [data.load(source, split=part) for part in ("train", "test")]
    (x, y), (x_test, y_test) = ((one.images.flatten(1).double(), one.labels) for one in parts)
    n_classes = parts[0].n_classes
    if source in POOLED:
        return Source(torch.cat([x, x_test]), torch.cat([y, y_test]), n_classes=n_classes, name=source)
    return Source(x, y, x_test, y_test, n_classes, source)


def source_of(
    x: Shaped[Tensor, "..."] | Shaped[np.ndarray, "..."],
    y: Shaped[Tensor, "..."] | Shaped[np.ndarray, "..."],
    name: str = "the data",
    n_classes: int | None = None,
) -> Source:
    """Samples of arrays or tensors of your own: inputs (n, D), with labels (n,) or numbers (n,) or (n, C).

    Args:
        x: Inputs; what has more axes, such as images, is flattened.
        y: Labels, which are whole numbers from 0 on, or numbers to regress on.
        name: What they are called in messages.
        n_classes: Of labels; by default one more than the largest.

    Raises:
        ValueError: if they do not fit each other, or a number is not finite.
    """
    whole = as_tensor(x, "inputs")
    inputs = as_matrix(whole.flatten(1) if whole.ndim > 2 else whole, "inputs")
    targets, labels = as_targets(y, len(inputs), n_classes), as_tensor(y, "targets")
    if labels.ndim == 1 and not labels.is_floating_point():
        return Source(inputs, labels.long(), n_classes=targets.shape[1], name=name)
    return Source(inputs, targets, name=name)


def draw(source: Source, config: DataConfig, seeds: Sequence[int]) -> Samples:
    """Draw what each seed learns from and is tested on; with the same seed it is the same.

    Validation samples are drawn besides the N for training.

    Raises:
        ValueError: if there are not as many samples, or numbers that are regressed on are to have label noise.
    """
    seeds = check_seeds(list(seeds))
    if config.label_noise and source.n_classes is None:
        raise ValueError(f"{source.name} has numbers for targets, whose labels cannot be noisy")
    has_test = source.x_test is not None
    n_all = len(source.x)
    share = 1 + config.validation
    n_train = config.n_train or min(DEFAULT_N, int((n_all if has_test else 0.8 * n_all) / share))
    n_val = round(config.validation * n_train)
    n_free = n_all - n_train - n_val
    if n_free < (0 if has_test else 1):
        besides = f" and {n_val} for validation" if n_val else ""
        rest = "" if has_test else ", which leaves none for testing"
        raise ValueError(f"{source.name} has {n_all} samples: {n_train} for training{besides} are too many{rest}")
    parts = [_draw_one(source, config, seed, n_train, n_val) for seed in seeds]
    x, y, x_test, y_test, x_val, y_val = (torch.stack(part) for part in zip(*parts, strict=True))
    return Samples(x, y, x_test, y_test, x_val, y_val, seeds, source.n_classes is not None)


def _draw_one(source: Source, config: DataConfig, seed: int, n_train: int, n_val: int) -> tuple[Tensor, ...]:
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(source.x), generator=random)
    chosen, rest = order[: n_train + n_val], order[n_train + n_val :]
    y = source.y[chosen]
    if source.n_classes is not None:
        # The two parts by themselves, so that each has its share of wrong labels.
        y = torch.cat(
            [noisy_labels(part, config.label_noise, source.n_classes, random)[0] for part in (y[:n_train], y[n_train:])]
        )
    if source.x_test is None or source.y_test is None:
        x_test, y_test = source.x[rest], source.y[rest]
    else:
        other = torch.randperm(len(source.x_test), generator=random)
        x_test, y_test = source.x_test[other], source.y_test[other]
    x, y, y_test = source.x[chosen], _one_hot(y, source), _one_hot(y_test[: config.n_test], source)
    return x[:n_train], y[:n_train], x_test[: config.n_test], y_test, x[n_train:], y[n_train:]


def _one_hot(y: Tensor, source: Source) -> Float64[Tensor, "n c"]:
    if source.n_classes is None:
        return y
    return torch.nn.functional.one_hot(y, source.n_classes).double()


# ---- files


def read_arrays(path: Path) -> Mapping[str, np.ndarray]:
    """The arrays x, y, x_train, y_train, x_test and y_test of an .npz file, those that are there; z and Z mean x.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged or holds neither pair.
    """
    held = {_plain_name(name): array for name, array in load_npz(path).items() if _plain_name(name) in NAMES}
    if {"x", "y"} <= set(held):
        return {name: held[name] for name in ("x", "y")}
    if missing := [name for name in NAMES[2:] if name not in held]:
        raise ValueError(
            f"{path} holds neither x and y nor x_train, y_train, x_test and y_test: {missing[0]} is not there"
        )
    return {name: held[name] for name in NAMES[2:]}


def _plain_name(name: str) -> str:
    name = name.lower()
    return f"x{name[1:]}" if name == "z" or name.startswith("z_") else name


def _from_npz(path: Path) -> Source:
    held = read_arrays(path)
    ends = ("",) if "x" in held else ("_train", "_test")
    labels = [held[f"y{end}"] for end in ends if held[f"y{end}"].ndim == 1 and held[f"y{end}"].dtype.kind in "biu"]
    # The test part need not have all classes.
    n_classes = max(int(one.max(initial=0)) for one in labels) + 1 if len(labels) == len(ends) > 1 else None
    try:
        parts = [source_of(held[f"x{end}"], held[f"y{end}"], str(path), n_classes) for end in ends]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if len(parts) == 1:
        return parts[0]
    train, test = parts
    if train.x.shape[1] != test.x.shape[1] or train.y.ndim != test.y.ndim:
        raise ValueError(f"{path} has samples of other sizes for training than for testing")
    return Source(train.x, train.y, test.x, test.y, train.n_classes, str(path))


def _from_csv(path: Path) -> Source:
    table = tables.load_table(path)
    header, rows = tables.read_cells(path)
    x = table.x.double()
    column = 0
    for one in table.schema.columns:
        if one.categories is None:
            # The table keeps single precision; singular values want all digits that the file has.
            place = header.index(one.name)
            x[:, column] = torch.tensor([float(row[place]) for row in rows], dtype=torch.float64)
        column += 1 if one.categories is None else len(one.categories)
    if table.schema.classes is None:
        place = header.index(table.schema.target)
        y = torch.tensor([[float(row[place])] for row in rows], dtype=torch.float64)
        return Source(x, y, name=str(path))
    return Source(x, table.y, n_classes=len(table.schema.classes), name=str(path))
