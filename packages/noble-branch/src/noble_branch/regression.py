"""A target of several frequencies, where it shows what a branch is good for."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

FREQUENCIES = (1, 2, 4, 8, 16, 24)
"""Half-cycles per unit: `sin(pi f x)`."""


class ResidualMLP(nn.Module):
    """Pre-norm residual blocks of two linear layers, on a number."""

    def __init__(self, width: int = 64, depth: int = 3) -> None:
        super().__init__()
        self.enter = nn.Linear(1, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
            for _ in range(depth)
        )
        self.leave = nn.Linear(width, 1)

    def forward(self, x: Float[Tensor, "batch 1"]) -> Float[Tensor, "batch 1"]:
        """A number for each."""
        x = self.enter(x)
        for block in self.blocks:
            x = x + block(x)
        return self.leave(x)


def multi_frequency(x: Float[Tensor, "*n"], phases: Float[Tensor, "frequencies"]) -> Float[Tensor, "*n"]:
    """`sum_f sin(pi f x + phase_f)`."""
    f = torch.tensor(FREQUENCIES, dtype=x.dtype, device=x.device)
    return torch.sin(math.pi * f * x[..., None] + phases.to(x)).sum(-1)


def high_frequency_power(residual: Float[Tensor, "n"], above: float = 6.0) -> float:
    """Power of a residual on an even grid over [-1, 1), above a frequency.

    By Parseval's theorem, the power over all frequencies is the mean square.

    Args:
        residual: What is left of the target.
        above: Cycles per unit.
    """
    n = len(residual)
    power = torch.fft.rfft(residual.double()).abs().square() / n**2
    power[1 : (n + 1) // 2] *= 2
    cycles = torch.arange(len(power)) / 2
    return power[cycles.to(power.device) > above].sum().item()
