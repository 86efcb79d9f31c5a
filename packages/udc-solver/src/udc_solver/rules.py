"""Learning rules of a single linear neuron."""  # TODO: one module for each idea, under the field's term for it.

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from .configs import TrainConfig

Rule = Callable[[Tensor, Tensor, float], Tensor]
"""One step: from a weight, a batch and a learning rate to the new weight."""


def oja_step(
    weight: Float[Tensor, "features"], x: Float[Tensor, "batch features"], lr: float
) -> Float[Tensor, "features"]:
    """One step of Oja's rule, averaged over a batch.

    With the output `y = x @ weight`, the weight moves by `lr (y x - y² weight)` (Oja 1982, eq. 3): Hebb's term, and a
    decay that keeps the norm near one. It converges to the leading eigenvector of the inputs' correlation matrix.
    Inputs are taken as they are: center them if a principal *component* is meant.

    Args:
        weight: The weight; it is not changed.
        x: Inputs.
        lr: Learning rate.

    Returns:
        The new weight.
    """
    y = x @ weight
    return weight + lr * (y @ x / len(x) - y.square().mean() * weight)


def hebb_step(
    weight: Float[Tensor, "features"], x: Float[Tensor, "batch features"], lr: float
) -> Float[Tensor, "features"]:
    """One step of Hebb's rule, `lr y x`, averaged over a batch. The weight grows without limit; see `oja_step`."""
    y = x @ weight
    return weight + lr * (y @ x / len(x))


def train(
    x: Float[Tensor, "samples features"], config: TrainConfig, generator: torch.Generator, rule: Rule = oja_step
) -> Float[Tensor, "features"]:
    """Train a neuron from a random unit weight, on batches in random order.

    Args:
        x: Inputs, centered.
        config: How long and how fast.
        generator: Draws the initial weight and the batches, on the CPU.
        rule: `oja_step` or another.

    Returns:
        The weight, on the device of `x`.

    Raises:
        ValueError: if there is no input.
    """
    if not len(x):
        raise ValueError("there is no input to train on")
    weight = torch.randn(x.shape[1], generator=generator).to(x)
    weight = weight / weight.norm()
    for _ in range(config.n_passes):
        order = torch.randperm(len(x), generator=generator).to(x.device)
        for batch in x[order].split(config.batch_size):
            weight = rule(weight, batch, config.lr)
    return weight
