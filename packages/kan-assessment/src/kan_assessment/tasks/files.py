"""A user's own samples: tables as .csv, arrays as .npz."""

from pathlib import Path

import torch

from separata.arrays import load_npz
from separata.tables import load_table

from .task import Metric, Task, make_task

EPOCHS = 50
LEAST_STEPS = 1000
"""Training steps that are proposed at least, however few samples there are."""


def load_file(path: Path | str, target: str | None = None, metric: Metric | None = None) -> Task:
    """A task of a user's own file.

    Args:
        path: A table, .csv with a header, or an .npz file with arrays `x` (samples, features) and `y` (samples); whole
            numbers in `y` are classes.
        target: The column of a table to predict; by default one called label, class, target or y, or the last.
        metric: By which models are compared; accuracy or rmse by default.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, has no such column, has numbers that are not finite, or a class with too few
            samples.
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        return _from_arrays(path, metric)
    table = load_table(path, target)
    classes = table.schema.classes
    _check_metric(metric, is_regression=classes is None)
    n = len(table.x)
    return make_task(
        path.stem,
        table.x,
        table.y,
        n_classes=None if classes is None else len(classes),
        budget=_budget(table.x.shape[1]),
        epochs=_epochs(n),
        metric=metric,
        notes=tuple(table.notes),
    )


def _from_arrays(path: Path, metric: Metric | None) -> Task:
    arrays = load_npz(path)
    if missing := {"x", "y"} - arrays.keys():
        raise ValueError(f"{path} has no array {' and '.join(sorted(missing))}; it needs x and y")
    x, y = torch.as_tensor(arrays["x"]), torch.as_tensor(arrays["y"])
    if x.ndim < 2 or not x.numel():
        raise ValueError(f"{path}: x must have a row of features for each sample, not the shape {tuple(x.shape)}")
    if not y.ndim or y.numel() != len(y) or not len(y):
        raise ValueError(f"{path}: y must have one number for each sample, not the shape {tuple(y.shape)}")
    x, y = x.flatten(1).float(), y.flatten()
    is_regression = y.is_floating_point()
    _check_metric(metric, is_regression=is_regression)
    n_classes = None if is_regression else int(y.max()) + 1
    if not is_regression and int(y.min()) < 0:
        raise ValueError(f"{path}: classes are numbered from 0, not from {int(y.min())}")
    if n_classes is not None and n_classes > len(y):
        raise ValueError(f"{path}: classes are numbered from 0 on, but one of {len(y)} samples has {n_classes - 1}")
    y = y.float() if is_regression else y.long()
    constant = x.amax(0) == x.amin(0)
    notes = (f"{int(constant.sum())} constant columns dropped",) if bool(constant.any()) else ()
    return make_task(
        path.stem,
        x[:, ~constant],
        y,
        n_classes=n_classes,
        budget=_budget(x.shape[1]),
        epochs=_epochs(len(x)),
        metric=metric,
        notes=notes,
    )


def _check_metric(metric: Metric | None, *, is_regression: bool) -> None:
    if metric is not None and (metric == "accuracy") == is_regression:
        raise ValueError(f"{metric} does not apply to {'a regression' if is_regression else 'classes'}")


def _budget(n_features: int) -> int:
    """Enough for a B-spline KAN with some hidden units."""
    return max(500, 50 * n_features)


def _epochs(n: int) -> int:
    return max(EPOCHS, -(-LEAST_STEPS * 128 // max(1, n))) if n < 20_000 else EPOCHS // 5
