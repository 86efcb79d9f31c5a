"""Tables: those that scikit-learn ships, at full size those of the UCI repository and the Titanic's passengers."""

from typing import Any

import torch

from .task import FEWEST_OF_CLASS, Task, make_task

SMALL = ("breast_cancer", "wine", "digits", "iris", "diabetes")
"""Data sets that are always there; `diabetes` is a regression."""
UCI = {
    "wine-quality": 186,
    "abalone": 1,
    "adult": 2,
    "bank-marketing": 222,
    "mushroom": 73,
    "rice": 545,
    "dry-bean": 602,
    "student-dropout": 697,
    "spambase": 94,
    "telescope": 159,
    "poker": 158,
}
"""Names and numbers in the UCI repository."""


def load_tabular(name: str) -> Task:
    """A tabular task.

    Args:
        name: One of scikit-learn's, `breast_cancer`, `wine`, `digits`, `iris`, `diabetes`; or, with the extra `uci` and
            a connection, one of `UCI`.

    Raises:
        ValueError: if there is no such data set.
        MissingExtraError: if the extra is not installed.
    """
    if name in SMALL:
        return _from_scikit_learn(name)
    if name in UCI:
        return _from_uci(name)
    raise ValueError(f"there is no tabular data set {name}; there are {', '.join([*SMALL, *UCI])}")


def _from_scikit_learn(name: str) -> Task:
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    x = torch.from_numpy(found.data).float()
    if name == "diabetes":
        return make_task(name, x, torch.from_numpy(found.target).float(), domain="tabular", budget=400, epochs=60)
    y = torch.from_numpy(found.target).long()
    n_classes = len(found.target_names)
    # Of the digits, some pixels never change.
    kept = x.std(0) > 0
    notes = () if bool(kept.all()) else (f"{int((~kept).sum())} constant columns dropped",)
    epochs = 20 if name == "digits" else 60
    budget = 3000 if name == "digits" else 400
    return make_task(
        name, x[:, kept], y, domain="tabular", n_classes=n_classes, budget=budget, epochs=epochs, notes=notes
    )


def _from_uci(name: str) -> Task:
    from separata import extras

    extras.require("ucimlrepo", "pandas", extra="kan-assessment[uci]")
    from ucimlrepo import fetch_ucirepo

    found: Any = fetch_ucirepo(id=UCI[name])
    features, targets = found.data.features, found.data.targets.iloc[:, 0]
    kept = features.notna().all(1) & targets.notna()
    return _from_frame(name, features[kept], targets[kept])


def _from_frame(name: str, features: Any, targets: Any) -> Task:  # noqa: ANN401 - of pandas
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(targets):
        # In the repository, classes of Adult's test part end in a full stop, those of its training part do not.
        targets = targets.astype(str).str.strip().str.rstrip(".")
    # A few classes, as of the oldest abalones, have a sample or two, and each part of a split needs one.
    is_kept = targets.map(targets.value_counts()) >= FEWEST_OF_CLASS
    features, targets = features[is_kept], targets[is_kept]
    encoded = pd.get_dummies(features, dtype=float)
    encoded = encoded.loc[:, encoded.nunique() > 1]
    codes, classes = pd.factorize(targets, sort=True)
    notes = [f"{encoded.shape[1]} columns after one-hot encoding and without constant ones"]
    if n_dropped := int((~is_kept).sum()):
        notes.append(f"{n_dropped} samples of classes with fewer than {FEWEST_OF_CLASS} dropped")
    return make_task(
        name,
        torch.from_numpy(encoded.to_numpy(dtype="float32", copy=True)),
        torch.from_numpy(codes).long(),
        domain="tabular",
        n_classes=len(classes),
        budget=1000,
        notes=tuple(notes),
    )
