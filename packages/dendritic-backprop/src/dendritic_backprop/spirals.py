"""The two-spirals problem, and the data sets of the commands."""

import math
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from separata.labeled import LabeledDataset, Splits, load_splits, split

N_POINTS = 97
"""Points of each spiral in the benchmark of 1990."""


def make_spirals(n: int = N_POINTS) -> tuple[Float[Tensor, "two_n 2"], Int[Tensor, "two_n"]]:
    """Two interlocking spirals of three turns, without noise (Lang and Witbrock 1988; Fahlman and Lebiere 1990).

    Point i of the first one is at the angle i π / 16 and the radius 6.5 (104 - i) / 104 for n = 97, the second one is
    its reflection at the origin; for other numbers of points, the same curve is sampled more or less finely.

    Args:
        n: Points of each spiral.

    Returns:
        Points, and 1 for those of the first spiral, 0 for the others.

    Raises:
        ValueError: if there is no point.
    """
    if n < 1:
        raise ValueError(f"a spiral has at least one point, not {n}")
    i = torch.linspace(0, N_POINTS - 1, n, dtype=torch.float64)
    angle, radius = i * math.pi / 16, 6.5 * (104 - i) / 104
    first = torch.stack([radius * angle.sin(), radius * angle.cos()], 1)
    labels = torch.cat([torch.ones(n, dtype=torch.long), torch.zeros(n, dtype=torch.long)])
    return torch.cat([first, -first]).float(), labels


def load(source: str | Path, *, validation: float = 0.1, seed: int = 0, size: int | None = None) -> Splits:
    """Data for training, validation and testing, by name or from a file.

    Args:
        source: `spirals` (2,000 points of two spirals, scaled), `breast_cancer` (scikit-learn's, standardized by the
            training part), or what `separata.labeled.load_splits` takes: other names, image folders, .npz and .csv.
        validation: Share of the training part.
        seed: Draws the validation part.
        size: Height and width that images are brought to.

    Raises:
        ValueError, FileNotFoundError: if there is no such data, or a file is wrong.
    """
    if str(source) == "spirals":
        points, labels = make_spirals(1000)
        return _splits(LabeledDataset(points / 4, labels, ("1", "2")), validation, seed)
    if str(source) == "breast_cancer":
        from sklearn.datasets import load_breast_cancer

        x, y = load_breast_cancer(return_X_y=True)
        found = LabeledDataset(torch.from_numpy(x).float(), torch.from_numpy(y).long(), ("malignant", "benign"))
        return _standardized(_splits(found, validation, seed))
    return load_splits(source, validation=validation, seed=seed, size=size)


def _splits(whole: LabeledDataset, validation: float, seed: int) -> Splits:
    """A fixed fifth for testing, and a share of the rest for validation."""
    rest, test = split(whole, 0.2, 0)
    return Splits(*split(rest, validation, seed), test)


def _standardized(splits: Splits) -> Splits:
    mean, deviation = splits.train.x.mean(0), splits.train.x.std(0).clamp(min=1e-8)
    return Splits(*(LabeledDataset((part.x - mean) / deviation, part.y, part.classes) for part in splits))
