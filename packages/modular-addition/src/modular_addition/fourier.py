"""Functions on the integers mod p, as a mean and cosines."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Spectrum:
    """Functions v on the integers mod p: v[j] = mean + Σₖ Aₖ cos(wₖ j + φₖ), wₖ = 2πk / p, k = 1 .. ⌊p / 2⌋.

    Of an even p, the last frequency has a cosine alone: its phase is 0 or π.

    Attributes:
        magnitude: Aₖ ≥ 0.
        phase: φₖ in (-π, π].
        mean: The mean of v.
        p: Size of the group.
    """

    magnitude: Float[Tensor, "*rows frequencies"]
    phase: Float[Tensor, "*rows frequencies"]
    mean: Float[Tensor, "*rows"]
    p: int

    @property
    def dominant(self) -> Tensor:
        """The frequency k of the largest magnitude, from 1, of each row."""
        return self.magnitude.argmax(-1) + 1


def fourier_basis(p: int) -> Float[Tensor, "p p"]:
    """The orthonormal real Fourier basis: a row of constants, then cosines of k = 1, 2, .., then sines.

    Of an even p there is one more cosine, of the frequency p / 2, than there are sines.

    Raises:
        ValueError: if p is less than 2.
    """
    if p < 2:
        raise ValueError(f"p must be at least 2, not {p}")
    # Reduced before it is multiplied by 2π, which keeps it exact.
    turns = (torch.arange(p // 2 + 1)[:, None] * torch.arange(p)) % p
    angle = 2 * torch.pi * turns.double() / p
    cosines, sines = torch.cos(angle), torch.sin(angle[1 : (p + 1) // 2])
    rows = torch.cat([cosines, sines])
    return rows / rows.norm(dim=1, keepdim=True)


def spectrum(weight: Float[Tensor, "*rows p"]) -> Spectrum:
    """Magnitudes and phases of functions on the integers mod p, in double precision.

    cₖ and sₖ being the products with the unit cosine and sine, Aₖ = √(2/p) √(cₖ² + sₖ²) and φₖ = atan2(-sₖ, cₖ).

    Args:
        weight: A function in each row, such as the weights of a neuron. The output weights of a network, (p, M), are
            given transposed.

    Raises:
        ValueError: if p is less than 2.
    """
    p = weight.shape[-1]
    n_cosines, n_sines = p // 2, (p - 1) // 2
    products = weight.double() @ fourier_basis(p).to(weight.device).T
    cosine = products[..., 1 : 1 + n_cosines]
    sine = torch.zeros_like(cosine)
    sine[..., :n_sines] = products[..., 1 + n_cosines :]
    scale = torch.full((n_cosines,), (2 / p) ** 0.5, dtype=torch.double, device=weight.device)
    scale[n_sines:] = (1 / p) ** 0.5
    return Spectrum(scale * torch.hypot(cosine, sine), torch.atan2(-sine + 0.0, cosine), weight.double().mean(-1), p)


def synthesize(parts: Spectrum) -> Float[Tensor, "*rows p"]:
    """The functions of a spectrum; the inverse of `spectrum`."""
    n = parts.p // 2
    turns = (torch.arange(1, n + 1)[:, None] * torch.arange(parts.p)) % parts.p
    angle = (2 * torch.pi * turns.double() / parts.p).to(parts.magnitude.device)
    cosines = torch.cos(angle + parts.phase.double()[..., None])
    return parts.mean[..., None] + (parts.magnitude.double()[..., None] * cosines).sum(-2)


def participation_ratio(magnitude: Float[Tensor, "*rows frequencies"]) -> Float[Tensor, "*rows"]:
    """Inverse participation ratio Σ A⁴ / (Σ A²)²: 1 for a single frequency, 1 / K for all K equally.

    Not a number where all magnitudes are zero.
    """
    # Relative to the largest, so that tiny weights do not underflow, nor huge ones overflow.
    power = (magnitude / magnitude.amax(-1, keepdim=True)).square()
    return power.square().sum(-1) / power.sum(-1).square()


def wrap(angle: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Angles in (-π, π]."""
    return torch.pi - torch.remainder(torch.pi - angle, 2 * torch.pi)
