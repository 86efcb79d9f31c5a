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


def power_spectrum(residual: Float[Tensor, "n"]) -> Float[Tensor, "frequencies"]:
    """Power of a residual on an even grid over [-1, 1), by frequency: 0, 0.5, 1, ... cycles per unit.

    By Parseval's theorem, their sum is the mean square.
    """
    n = len(residual)
    power = torch.fft.rfft(residual.double()).abs().square() / n**2
    power[1 : (n + 1) // 2] *= 2
    return power


def high_frequency_power(spectrum: Float[Tensor, "frequencies"], above: float = 6.0) -> float:
    """Power above a frequency in cycles per unit, from a spectrum by `power_spectrum`."""
    cycles = torch.arange(len(spectrum), device=spectrum.device) / 2
    return spectrum[cycles > above].sum().item()
