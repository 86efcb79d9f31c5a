"""Whether the gradient that training follows is that of the loss.

A loss of binary weights is constant almost everywhere, so that its own gradient says nothing. What can be compared is
the gradient of its smoothed version, its expectation when noise is added to the latent weights.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Loss = Callable[[Tensor], Tensor]
CHUNK = 256
"""Losses that are computed at once."""
N_BISECTIONS = 40


def cosine(a: Float[Tensor, "..."], b: Float[Tensor, "..."]) -> float:
    """Cosine of the angle between two tensors; NaN if one is zero."""
    a, b = a.detach().double().flatten(), b.detach().double().flatten()
    return float(a @ b / (a.norm() * b.norm()))


def surrogate_gradient(loss: Loss, w: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The gradient that back-propagation gives, whatever stands in for that of the binarization."""
    w = w.detach().clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(w), w)
    return found


def finite_difference_gradient(loss: Loss, w: Float[Tensor, "..."], step: float = 1e-5) -> Float[Tensor, "..."]:
    """Central differences of a smooth loss in each weight.

    Args:
        loss: Maps weights to a number; `torch.vmap` must be able to go through it.
        w: Weights, in double precision for such a step.
        step: Half the distance of the two points.
    """
    shifts = step * torch.eye(w.numel(), dtype=w.dtype, device=w.device).view(-1, *w.shape)
    with torch.no_grad():
        many = torch.vmap(loss, chunk_size=CHUNK)
        return ((many(w + shifts) - many(w - shifts)) / (2 * step)).view(w.shape)


def smoothed_gradient(
    loss: Loss, w: Float[Tensor, "..."], deviation: float, n_samples: int, generator: torch.Generator
) -> Float[Tensor, "..."]:
    """Monte Carlo estimate of the gradient of E[loss(w + deviation · noise)], with standard normal noise.

    It is the mean of (loss(w + σε) - loss(w - σε)) ε / (2σ), which needs no gradient of the loss.

    Args:
        loss: Maps weights to a number; `torch.vmap` must be able to go through it.
        w: Weights.
        deviation: σ.
        n_samples: Pairs of losses.
        generator: On the CPU.
    """
    total = torch.zeros_like(w)
    many = torch.vmap(loss, chunk_size=CHUNK)
    with torch.no_grad():
        for start in range(0, n_samples, CHUNK):
            n = min(CHUNK, n_samples - start)
            noise = torch.randn(n, *w.shape, generator=generator, dtype=w.dtype).to(w.device)
            difference = many(w + deviation * noise) - many(w - deviation * noise)
            total += torch.tensordot(difference, noise, dims=1)
    return total / (2 * deviation * n_samples)


def deviation_that_flips(
    binarize: Callable[[Tensor], Tensor], w: Float[Tensor, "..."], share: float, generator: torch.Generator
) -> float:
    """The standard deviation of Gaussian noise that turns a share of the signs of weights.

    Args:
        binarize: Maps latent weights to signs.
        w: Latent weights.
        share: Between 0 and 1/2.
        generator: On the CPU.

    Raises:
        ValueError: if the share is not in between.
    """
    if not 0 < share < 0.5:
        raise ValueError(f"noise can turn a share between 0 and 1/2 of all signs, not {share}")
    noise = torch.randn(16, *w.shape, generator=generator, dtype=w.dtype).to(w.device)
    with torch.no_grad():
        signs = binarize(w)
        low, high = 0.0, 10 * float(w.abs().max())
        for _ in range(N_BISECTIONS):
            middle = (low + high) / 2
            flipped = (binarize(w + middle * noise) != signs).double().mean().item()
            low, high = (middle, high) if flipped < share else (low, middle)
    return (low + high) / 2


def zero_gradient_share(binarize: Callable[[Tensor], Tensor], w: Float[Tensor, "..."]) -> float:
    """Share of latent weights for which a binarization lets no gradient through."""
    w = w.detach().clone().requires_grad_()
    (found,) = torch.autograd.grad(binarize(w).sum(), w)
    return (found == 0).double().mean().item()
