"""Class-incremental learning: images of some classes after images of others, tested on all."""

import torch

from .task import Samples, Task
from .vision import load_vision

GROUPS = ((0, 1, 2), (3, 4, 5), (6, 7, 8, 9))
"""Classes of the three stages."""


def load_continual(name: str, *, budget: int = 60_000, epochs: int = 5) -> Task:
    """A task of images whose classes arrive in three stages; what counts is the accuracy on all of them in the end.

    Args:
        name: A data set of images with ten classes.
        budget: Trainable parameters that are proposed.
        epochs: Passes over each stage that are proposed.

    Raises:
        ValueError: if the data set is unknown or has not ten classes.
    """
    whole = load_vision(name, budget=budget)
    if whole.n_outputs != 10:
        raise ValueError(f"the continual task needs ten classes, but {name} has {whole.n_outputs}")

    def draw(seed: int) -> Samples:
        samples = whole.draw(seed)
        (train,) = samples.stages
        stages = tuple(train[torch.isin(samples.y[train], torch.tensor(group))] for group in GROUPS)
        return Samples(samples.x, samples.y, stages, samples.validation, samples.test)

    return Task(
        f"{name} in 3 stages",
        "continual",
        "accuracy",
        whole.n_features,
        10,
        draw,
        budget,
        epochs,
        is_standardized=False,
    )
