"""The functions that the claims are measured on: seven of them, each hard for some family."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .samples import Samples


@dataclass(frozen=True)
class Target:
    """A function on [-1, 1]^d.

    Attributes:
        formula: In words of mathematics.
        n_variables: d.
        compute: Its values.
    """

    formula: str
    n_variables: int
    compute: Callable[[Tensor], Tensor]

    def __call__(self, x: Float[Tensor, "batch variables"]) -> Float[Tensor, "batch"]:
        """The values at points."""
        return self.compute(x)

    def sample(self, n: int, generator: torch.Generator) -> Samples:
        """Uniform random points, and the values there."""
        x = 2 * torch.rand(n, self.n_variables, generator=generator) - 1
        return Samples(x, self(x))


def _mixture(x: Tensor) -> Tensor:
    """Three Gaussians of different widths."""
    parts = ((1.0, -0.6, 0.08), (0.7, 0.1, 0.2), (0.9, 0.65, 0.05))
    return sum((a * torch.exp(-0.5 * ((x[:, 0] - c) / s) ** 2) for a, c, s in parts), torch.zeros(len(x)))


def _steps(x: Tensor) -> Tensor:
    """Three steps of different heights."""
    x = x[:, 0]
    return (x > -0.5).float() + 0.5 * (x > 0.1).float() - 1.2 * (x > 0.6).float()


def _feynman(x: Tensor) -> Tensor:
    """The Gaussian of I.6.2, with θ and σ in [1, 3]."""
    theta, sigma = 2 + x[:, 0], 2 + x[:, 1]
    return torch.exp(-0.5 * (theta / sigma) ** 2) / torch.sqrt(2 * math.pi * sigma**2)


def _four(x: Tensor) -> Tensor:
    squares = x.square()
    waves = torch.sin(math.pi * (squares[:, 0] + squares[:, 1])) + torch.sin(math.pi * (squares[:, 2] + squares[:, 3]))
    return torch.exp(0.5 * waves)


FUNCTIONS: dict[str, Target] = {
    "high-frequency": Target("sin(20 x)", 1, lambda x: torch.sin(20 * x[:, 0])),
    "steps": Target("[x > -0.5] + 0.5 [x > 0.1] - 1.2 [x > 0.6]", 1, _steps),
    "mixture": Target("three Gaussians of widths 0.08, 0.2 and 0.05", 1, _mixture),
    "product": Target("x y", 2, lambda x: x[:, 0] * x[:, 1]),
    "exp-sin": Target("exp(sin(π x) + y²)", 2, lambda x: torch.exp(torch.sin(math.pi * x[:, 0]) + x[:, 1] ** 2)),
    "feynman": Target("exp(-θ²/(2σ²)) / sqrt(2πσ²), θ and σ in [1, 3] (I.6.2)", 2, _feynman),
    "four": Target("exp((sin(π(x₁² + x₂²)) + sin(π(x₃² + x₄²))) / 2)", 4, _four),
}
"""The seven functions, by name."""
