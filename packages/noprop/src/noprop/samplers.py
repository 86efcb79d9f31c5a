"""From noise to the embedding of a class: ancestral sampling, the probability-flow ODE, and the flow of flow matching.

What is called a denoiser here is any function û(z, t) or û(z, step) of the states, such as a block, or an exact one in
a test; the randomness is drawn by a function, so that a sampler can be run without it.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from .schedules import posterior_between

States = Float[Tensor, "batch dim"]
Draw = Callable[[States], States]
"""Noise of the shape of a state."""
Number = float | Float[Tensor, ""]


@runtime_checkable
class ContinuousSchedule(Protocol):
    """A noise level for each time in [0, 1], and how fast its log-odds change."""

    def abar(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """The share of the signal's power."""

    def rate(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """abar'(t) / (abar (1 - abar))."""


def make_noise(generator: torch.Generator | None = None) -> Draw:
    """A drawer of standard normal noise; from a generator on the CPU, or PyTorch's own on the state's device."""

    def draw(z: States) -> States:
        if generator is None:
            return torch.randn_like(z)
        return torch.randn(z.shape, generator=generator, dtype=z.dtype, device=generator.device).to(z.device)

    return draw


def no_noise(z: States) -> States:
    """Noise that is zero."""
    return torch.zeros_like(z)


def ancestral_step(z: States, u: States, coefficients: tuple[Number, Number, Number], draw: Draw) -> States:
    """z_t = a_t û_t + b_t z_{t-1} + sqrt(c_t) eps."""
    a, b, c = coefficients
    return a * u + b * z + c**0.5 * draw(z)


def ancestral(
    denoise: Callable[[States, Float[Tensor, ""]], States],
    schedule: ContinuousSchedule,
    z: States,
    n_steps: int,
    draw: Draw,
) -> Iterable[States]:
    """The states of ancestral sampling on a grid of times, by the exact posterior between two grid points.

    Args:
        denoise: û(z, t).
        schedule: Noise levels.
        z: States at time 0.
        n_steps: Steps of the grid.
        draw: Noise.

    Yields:
        The states after each step.
    """
    times = _grid(z, n_steps)
    levels = schedule.abar(times).double()
    coefficients = torch.stack(posterior_between(levels[:-1], levels[1:]), 1).to(z.dtype)
    for t, (a, b, c) in zip(times[:-1], coefficients, strict=True):
        z = ancestral_step(z, denoise(z, t), (a, b, c), draw)
        yield z


def probability_flow(
    denoise: Callable[[States, Float[Tensor, ""]], States],
    schedule: ContinuousSchedule,
    z: States,
    n_steps: int,
    *,
    heun: bool,
) -> Iterable[States]:
    """The states of the ODE dz/dt = (lambda / 2) sqrt(abar) (û - sqrt(abar) z), which has the marginals of the SDE.

    The SDE itself is dz = lambda (sqrt(abar) û - (1 + abar) / 2 z) dt + sqrt(lambda (1 - abar)) dB; its drift alone is
    not this ODE.

    Args:
        denoise: û(z, t).
        schedule: Noise levels and their rates.
        z: States at time 0.
        n_steps: Steps.
        heun: By Heun's method, of the second order, instead of Euler's.

    Yields:
        The states after each step.
    """

    def field(z: States, t: Float[Tensor, ""]) -> States:
        return probability_flow_field(z, denoise(z, t), schedule.abar(t), schedule.rate(t))

    yield from integrate(field, z, n_steps, heun=heun)


def probability_flow_field(z: States, u: States, abar: Float[Tensor, ""], rate: Float[Tensor, ""]) -> States:
    """(lambda / 2) sqrt(abar) (û - sqrt(abar) z)."""
    return 0.5 * rate * abar.sqrt() * (u - abar.sqrt() * z)


def integrate(
    field: Callable[[States, Float[Tensor, ""]], States], z: States, n_steps: int, *, heun: bool
) -> Iterable[States]:
    """The states of dz/dt = field(z, t) from t = 0 to 1 on an even grid, by Euler's or Heun's method.

    Raises:
        ValueError: if there is no step.
    """
    times = _grid(z, n_steps)
    h = 1 / n_steps
    for now, then in pairwise(times):
        slope = field(z, now)
        if heun:
            slope = 0.5 * (slope + field(z + h * slope, then))
        z = z + h * slope
        yield z


def _grid(z: States, n_steps: int) -> Float[Tensor, "times"]:
    if n_steps < 1:
        raise ValueError(f"a chain needs at least 1 step, not {n_steps}")
    return torch.linspace(0, 1, n_steps + 1, dtype=z.dtype, device=z.device)
