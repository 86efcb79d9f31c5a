"""A task: samples to learn from, how they are split, and the number by which models are compared on it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

Domain = Literal["symbolic", "tabular", "vision", "text", "continual", "own", "scaling"]
Metric = Literal["accuracy", "rmse", "mae", "median error"]
VALIDATION = 0.2
"""Share of the samples for training by which settings and epochs are chosen."""
TEST = 0.2
FEWEST_OF_CLASS = 3
"""Samples that a class needs: one each for training, validation and testing."""


@dataclass(frozen=True, eq=False)
class Samples:
    """A task's samples as one seed sees them.

    Attributes:
        x: Features.
        y: Values, or classes as integers.
        stages: Indices of the samples for training: one stage, or several that are trained on one after another.
        validation: Indices of those by which settings and epochs are chosen.
        test: Indices of those that are reported.
    """

    x: Float[Tensor, "n features"]
    y: Shaped[Tensor, "n"]
    stages: tuple[Int[Tensor, "_"], ...]
    validation: Int[Tensor, "_"]
    test: Int[Tensor, "_"]


@dataclass(frozen=True, eq=False)
class Task:
    """What models are compared on.

    Attributes:
        name: What it is called.
        domain: Where it comes from.
        metric: accuracy in percent, where more is better; or an error, where less is.
        n_features: Numbers of a sample.
        n_outputs: Classes; 1 for regression.
        draw: The samples of a seed.
        budget: Trainable parameters that are proposed for a model.
        epochs: Passes over the training data that are proposed, over each stage.
        is_standardized: Whether features are centered and scaled by the training samples.
        front: Makes a module that all models get before them, such as an embedding; it costs them nothing.
        n_front: Features that it gives.
        notes: What was done to the data.
    """

    name: str
    domain: Domain
    metric: Metric
    n_features: int
    n_outputs: int
    draw: Callable[[int], Samples]
    budget: int = 1000
    epochs: int = 20
    is_standardized: bool = True
    front: Callable[[], nn.Module] | None = None
    n_front: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def is_regression(self) -> bool:
        """Whether values are predicted rather than classes."""
        return self.metric != "accuracy"

    def trivial(self, seed: int) -> float:
        """The metric of the best constant answer: the most frequent class, or the mean or median of the values."""
        samples = self.draw(seed)
        train, test = samples.y[torch.cat(samples.stages)], samples.y[samples.test]
        if not self.is_regression:
            return 100 * float((test == torch.bincount(train).argmax()).float().mean())
        error = (test - (train.mean() if self.metric == "rmse" else train.median())).abs()
        if self.metric == "rmse":
            return float(error.square().mean().sqrt())
        return float(error.median() if self.metric == "median error" else error.mean())

    @property
    def n_inputs(self) -> int:
        """Features that the compared models see."""
        return self.n_front or self.n_features


def shuffled_split(
    n: int, seed: int, y: Int[Tensor, "n"] | None = None, validation: float = VALIDATION, test: float = TEST
) -> tuple[Int[Tensor, "_"], Int[Tensor, "_"], Int[Tensor, "_"]]:
    """Indices for training, validation and testing, drawn by a seed; each class in proportion if classes are given.

    Args:
        n: Samples.
        seed: Draws them.
        y: Their classes.
        validation: Share for validation of what is not for testing.
        test: Share for testing.

    Raises:
        ValueError: if there are too few samples, or a class has fewer than 3.
    """
    if n < 10:
        raise ValueError(f"a comparison needs at least 10 samples, not {n}")
    n_test = round(test * n)
    n_validation = round(validation * (n - n_test))
    if y is None:
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        return order[n_test + n_validation :], order[n_test : n_test + n_validation], order[:n_test]
    from separata.data import stratified

    counts = torch.bincount(y)
    if int(counts.min()) < FEWEST_OF_CLASS:
        raise ValueError(f"a class has {int(counts.min())} samples; training, validation and test need one each")
    rest, chosen = stratified(y.numpy(), n_test, seed) if n_test else (np.arange(n), np.arange(0))
    train, held_out = stratified(y.numpy()[rest], n_validation, seed)
    rest_tensor = torch.from_numpy(rest)
    return rest_tensor[train], rest_tensor[held_out], torch.from_numpy(chosen)


def make_task(
    name: str,
    x: Float[Tensor, "n features"],
    y: Shaped[Tensor, "n_targets"],
    *,
    domain: Domain = "own",
    n_classes: int | None = None,
    budget: int = 1000,
    epochs: int = 20,
    metric: Metric | None = None,
    notes: tuple[str, ...] = (),
) -> Task:
    """A task of samples that are split anew, at random, for each seed.

    Args:
        name: What it is called.
        x: Features, in any precision; models are trained in single precision.
        y: Values; or classes as integers from 0.
        domain: Where it comes from.
        n_classes: Number of classes; None for regression.
        budget: Trainable parameters that are proposed.
        epochs: Epochs that are proposed.
        metric: By default accuracy, or rmse for regression.
        notes: What was done to the data.

    Raises:
        ValueError: if x or y has numbers that are not finite, they differ in length, or a class has too few samples.
    """
    if len(x) != len(y):
        raise ValueError(f"{name} has {len(x)} samples, but {len(y)} targets")
    if not (x.isfinite().all() and y.isfinite().all()):
        raise ValueError(f"{name} has numbers that are not finite")
    x, y = x.float(), y.float() if n_classes is None else y.long()
    if not (x.isfinite().all() and y.isfinite().all()):
        raise ValueError(f"{name} has numbers that are too large for single precision")
    classes = None if n_classes is None else y
    shuffled_split(len(x), 0, classes)
    if not x.shape[1]:
        raise ValueError(f"{name} has no feature with more than one value")

    def draw(seed: int) -> Samples:
        train, validation, test = shuffled_split(len(x), seed, classes)
        return Samples(x, y, (train,), validation, test)

    return Task(
        name,
        domain,
        metric or ("rmse" if n_classes is None else "accuracy"),
        x.shape[1],
        n_classes or 1,
        draw,
        budget,
        epochs,
        notes=notes,
    )
