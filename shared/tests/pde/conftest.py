"""What the tests of the solvers share."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor


@pytest.fixture
def generator() -> torch.Generator:
    """Always the same draws."""
    return torch.Generator().manual_seed(0)


@pytest.fixture
def order() -> Callable[[Sequence[float]], float]:
    """The order of convergence that the last two of some errors show, each at half the step of the one before."""

    def of(errors: Sequence[float]) -> float:
        assert all(error > 1e-14 for error in errors), "below rounding there is no order"
        return math.log2(errors[-2] / errors[-1])

    return of


@pytest.fixture
def smooth(generator: torch.Generator) -> Callable[[int, Tensor], Tensor]:
    """Functions without end conditions: sums of three waves of random amplitude, frequency and phase."""

    def draw(n: int, x: Tensor) -> Tensor:
        amplitude, frequency, phase = torch.rand(3, n, 3, 1, generator=generator, dtype=torch.float64)
        return (amplitude * torch.sin((1 + 5 * frequency) * x + 7 * phase)).sum(1)

    return draw
