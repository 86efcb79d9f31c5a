"""How good a model's answer is along its chain, and by the number of its steps."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .continuous import TimedModel
from .model import NoPropModel

BATCH = 512
"""Samples whose states are held at once."""


@torch.no_grad()
def chain_accuracy(
    model: NoPropModel,
    x: Float[Tensor, "n *sample"],
    y: Int[Tensor, "n"],
    generator: torch.Generator | None = None,
    *,
    deterministic: bool = False,
) -> list[float]:
    """The share of samples whose state is nearest to the embedding of their class, at each step from z_0 on.

    Args:
        model: The model.
        x: Samples.
        y: Their classes.
        generator: Draws the noise.
        deterministic: From zero, without noise.

    Raises:
        ValueError: if there are no samples, or labels are out of range.
    """
    model.check_labels(x, y)
    if not len(y):
        raise ValueError("an accuracy needs at least one sample")
    path = partial(model.sample, generator=generator, deterministic=deterministic, return_path=True)
    right = [
        model.embedding.nearest(path(one)).eq(labels).sum(1)
        for one, labels in zip(x.split(BATCH), y.split(BATCH), strict=True)
    ]
    return (torch.stack(right).sum(0).double() / len(y)).tolist()


def accuracy_by_steps(
    model: TimedModel, x: Float[Tensor, "n *sample"], y: Int[Tensor, "n"], steps: Sequence[int], **settings: int | str
) -> dict[int, float]:
    """The accuracy of a model of continuous time by the number of its steps.

    Args:
        model: The model.
        x: Samples.
        y: Their classes.
        steps: Numbers of steps.
        settings: Of the sampler: `sampler`, `n_runs`, `deterministic` and `seed`.

    Raises:
        ValueError: if a number is not positive.
    """
    return {n: model.accuracy(x, y, model.with_sampler(steps=n, **settings)) for n in steps}
