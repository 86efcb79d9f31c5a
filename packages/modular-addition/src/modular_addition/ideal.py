"""The network that the theory predicts, and what it computes exactly: an indicator with two flaws."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .configs import Activation, check_odd
from .network import ModularAdditionNet

OFFSET = 0.25
"""Of the first phase, in units of their distance: there, the harmonics that do not cancel with ReLU add up least."""
LEAST_PHASES = 5
"""With as many equally spaced phases, every harmonic but the second cancels for the quadratic activation."""


def ideal_weights(
    p: int, phases_per_frequency: int, alpha: float = 1.0, beta: float = 1.0
) -> tuple[Float[Tensor, "width p"], Float[Tensor, "p width"]]:
    """θ = α cos(wₖ j + φ) and ξ = β cos(wₖ j + 2φ), for every frequency and equally spaced phases φ; double precision.

    Raises:
        ValueError: if p is even or less than 3, or there are fewer than 5 phases.
    """
    check_odd(p)
    if phases_per_frequency < LEAST_PHASES:
        raise ValueError(
            f"an ideal network needs at least {LEAST_PHASES} phases of each frequency, for its noise to cancel, not "
            f"{phases_per_frequency}"
        )
    k = torch.arange(1, (p + 1) // 2).repeat_interleave(phases_per_frequency)
    places = torch.arange(phases_per_frequency, dtype=torch.double) + OFFSET
    phi = (2 * torch.pi * places / phases_per_frequency).repeat((p - 1) // 2)
    angle = 2 * torch.pi * ((k[:, None] * torch.arange(p)) % p).double() / p
    w_in, rows = alpha * torch.cos(angle + phi[:, None]), beta * torch.cos(angle + 2 * phi[:, None])
    return w_in, rows.T.contiguous()


def ideal_network(
    p: int,
    phases_per_frequency: int = 16,
    activation: Activation = "quad",
    alpha: float = 1.0,
    beta: float = 1.0,
) -> ModularAdditionNet:
    """A network of `ideal_weights`, in double precision, with (p - 1) / 2 times as many neurons as phases.

    Its logits are `flawed_indicator` times α² β N for the square, exactly, and times α β N for ReLU, as N grows.

    Raises:
        ValueError: if p is even or less than 3, or there are fewer than 5 phases.
    """
    return ModularAdditionNet.from_weights(*ideal_weights(p, phases_per_frequency, alpha, beta), activation)


def flawed_indicator(p: int, activation: Activation = "quad") -> Float[Tensor, "p p p"]:
    """The logits of an ideal network, a unit for each phase: entry (x, y, j).

    The square gives Σₖ cos²(wₖ(x - y) / 2) cos(wₖ(j - x - y)) = p/4 [j = x + y] + p/8 [j = 2x] + p/8 [j = 2y] - 1/2:
    the indicator of the sum, with two ghosts of half its height. ReLU, of which the second harmonic alone survives,
    gives 2 / (3π) Σₖ |cos(wₖ(x - y) / 2)| cos(wₖ(j - x - y)), with ghosts of a third. At x = y the ghosts are the peak.

    Raises:
        ValueError: if p is even or less than 3, or the activation is another.
    """
    check_odd(p)
    if activation not in {"quad", "relu"}:
        raise ValueError(f"the closed form is known for quad and relu, not for {activation}")
    x = torch.arange(p)
    k = torch.arange(1, (p + 1) // 2)
    turn = 2 * torch.pi / p
    # Of (x - y) / 2, only the magnitude of the cosine counts, so that whole turns may be taken off.
    half = torch.cos(turn / 2 * ((k[:, None] * x) % (2 * p)).double())
    of_difference = half.square() if activation == "quad" else 2 / (3 * math.pi) * half.abs()
    kernel = of_difference.T @ torch.cos(turn * ((k[:, None] * x) % p).double())
    difference = (x[:, None] - x) % p
    offset = (x - x[:, None, None] - x[:, None]) % p
    return kernel[difference[:, :, None], offset]


def ghosts(p: int, x: int, y: int) -> tuple[int, int, int]:
    """The classes that stand out of the logits of (x, y): the sum, and the ghosts 2x and 2y.

    Raises:
        ValueError: if x or y is not in 0 .. p - 1.
    """
    for number in (x, y):
        if not 0 <= number < p:
            raise ValueError(f"numbers must be in 0 .. {p - 1}, not {number}")
    return (x + y) % p, 2 * x % p, 2 * y % p


@dataclass(frozen=True)
class GhostReport:
    """How the logits of x ≠ y stand out, means over all such pairs, above the mean of the other classes.

    Attributes:
        peak: Of the sum.
        ghost: Of the classes 2x and 2y.
        spread: Standard deviation of the other classes.
        accuracy: Share of all pairs whose largest logit is that of the sum.
        margin: Smallest difference, over all pairs, of the logit of the sum and the largest other one.
    """

    peak: float
    ghost: float
    spread: float
    accuracy: float
    margin: float

    @property
    def ratio(self) -> float:
        """Of ghost and peak; 1/2 for an ideal network with squares, 1/3 with ReLU; not a number without a peak."""
        return self.ghost / self.peak if self.peak else math.nan

    @property
    def prominence(self) -> float:
        """Ghosts in standard deviations of the other classes."""
        return self.ghost / self.spread if self.spread else math.inf


def measure_ghosts(logits: Float[Tensor, "p p p"]) -> GhostReport:
    """How peak and ghosts stand out of the logits of all pairs; `ModularAdditionNet.logit_table` gives them.

    Raises:
        ValueError: if p is even or less than 5: there are no classes besides.
    """
    p = len(logits)
    check_odd(p)
    if p < 5:
        raise ValueError(f"ghosts need other classes besides, that is p of at least 5, not {p}")
    x = torch.arange(p)
    first, second = (one.flatten() for one in torch.meshgrid(x, x, indexing="ij"))
    flat = logits.detach().double().reshape(-1, p)
    right = (first + second) % p
    top = flat.gather(1, right[:, None])
    others = flat.scatter(1, right[:, None], -math.inf).amax(1)
    rows, index = flat[first != second], _standing_out(first, second, p)
    named = rows.gather(1, index)
    is_other = torch.ones_like(rows, dtype=torch.bool).scatter(1, index, value=False)
    rest = rows[is_other].reshape(len(rows), p - 3)
    level = rest.mean(1)
    return GhostReport(
        peak=float((named[:, 0] - level).mean()),
        ghost=float((named[:, 1:].mean(1) - level).mean()),
        spread=float(rest.std(1, correction=0).mean()),
        accuracy=float((flat.argmax(1) == right).double().mean()),
        margin=float((top[:, 0] - others).min()),
    )


def _standing_out(first: Tensor, second: Tensor, p: int) -> Int[Tensor, "pairs 3"]:
    is_different = first != second
    x, y = first[is_different], second[is_different]
    return torch.stack([(x + y) % p, 2 * x % p, 2 * y % p], dim=1)
