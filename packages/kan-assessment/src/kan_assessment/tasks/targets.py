"""Targets of growing dimension, to see how errors fall with the size of a network."""

from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .task import Samples, Task

Kind = Literal["compositional", "generic"]
N_WAVES = 64
FREQUENCY = 2.0
"""Standard deviation of the wave numbers, on [-1, 1]."""


def compositional(x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
    """exp(mean_i sin(pi x_i)): sums and functions of one variable, the form in which KANs claim to have no curse."""
    return torch.exp(torch.sin(torch.pi * x).mean(1))


def generic(x: Float[Tensor, "n d"], seed: int = 0) -> Float[Tensor, "n"]:
    """A sum of 64 waves in random directions, which is no short composition of functions of one variable.

    Wave numbers are normal with the same spread in every dimension, so that along any axis the function is as rough in
    8 dimensions as in one.
    """
    generator = torch.Generator().manual_seed(1000 * seed + x.shape[1])
    directions = FREQUENCY * torch.randn(x.shape[1], N_WAVES, generator=generator)
    phases = 2 * torch.pi * torch.rand(N_WAVES, generator=generator)
    weights = torch.randn(N_WAVES, generator=generator) / N_WAVES**0.5
    return torch.cos(x @ directions + phases) @ weights


def load_target(kind: Kind, n_dimensions: int, *, n_train: int = 4000, n_test: int = 1000, epochs: int = 60) -> Task:
    """A target of some dimension, whose values are standardized.

    Args:
        kind: `compositional`, or `generic`: a random function of no special form, another one for each seed.
        n_dimensions: Variables, each in [-1, 1].
        n_train: Points for training.
        n_test: Points for testing.
        epochs: Epochs that are proposed.

    Raises:
        ValueError: if the dimension is not positive.
    """
    if n_dimensions < 1:
        raise ValueError(f"a target needs at least one dimension, not {n_dimensions}")
    sizes = (n_train, max(1, n_train // 4), n_test)

    def draw(seed: int) -> Samples:
        function = compositional if kind == "compositional" else partial(generic, seed=seed)
        x = 2 * torch.rand(sum(sizes), n_dimensions, generator=torch.Generator().manual_seed(seed)) - 1
        y = function(x)
        train, validation, test = torch.arange(sum(sizes)).split(sizes)
        y = (y - y[train].mean()) / y[train].std()
        return Samples(x, y, (train,), validation, test)

    return Task(
        f"{kind}, d={n_dimensions}", "scaling", "rmse", n_dimensions, 1, draw, 300, epochs, is_standardized=False
    )
