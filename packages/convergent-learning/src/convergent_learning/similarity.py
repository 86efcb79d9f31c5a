"""Similarities of whole layers, to compare with: CKA, SVCCA, PWCCA and Procrustes."""

import torch
from jaxtyping import Float
from torch import Tensor

from .subspaces import whitening


def _centered(*layers: Tensor) -> list[Tensor]:
    """The layers less their means, float64."""
    if any(x.ndim != 2 for x in layers):
        raise ValueError(f"expected layers (samples, units), not shapes {[tuple(x.shape) for x in layers]}")
    if len({len(x) for x in layers}) != 1 or len(layers[0]) < 2:
        raise ValueError(f"the layers must have the same 2 or more samples, not {[len(x) for x in layers]}")
    if not all(bool(x.isfinite().all()) for x in layers):
        raise ValueError("a layer has a number that is NaN or infinite")
    if any(bool((x == x[0]).all()) for x in layers):
        raise ValueError("no unit of a layer varies over the samples: there is nothing to compare")
    return [x.double() - x.double().mean(0) for x in layers]


def cka(x: Float[Tensor, "n p"], y: Float[Tensor, "m q"]) -> float:
    """Linear centered kernel alignment: |Y'X|² / (|X'X| |Y'Y|), Frobenius norms (Kornblith et al. 2019).

    Raises:
        ValueError: if the numbers of samples differ, or a layer is not finite or constant.
    """
    x, y = _centered(x, y)
    return float((y.T @ x).square().sum() / ((x.T @ x).norm() * (y.T @ y).norm()))


def cka_rbf(x: Float[Tensor, "n p"], y: Float[Tensor, "m q"], sigma: float = 0.5) -> float:
    """CKA with the kernel exp(-d² / (2 s²)), s being `sigma` times the median distance (Kornblith et al. 2019).

    Takes n² numbers of memory.

    Raises:
        ValueError: if the numbers of samples differ, a layer is not finite or constant, or sigma is not positive.
    """
    if sigma <= 0:
        raise ValueError(f"sigma must be positive, not {sigma}")
    kernels = []
    for layer in _centered(x, y):
        squares = torch.cdist(layer, layer).square()
        off = squares[~torch.eye(len(layer), dtype=torch.bool, device=layer.device)]
        kernel = torch.exp(-squares / (2 * sigma**2 * off.median()))
        kernels.append(kernel - kernel.mean(0) - kernel.mean(1, keepdim=True) + kernel.mean())
    first, second = kernels
    return float((first * second).sum() / (first.norm() * second.norm()))


def _cca(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Canonical correlations, and the canonical variables of x, of unit norm."""
    first, second = (layer @ whitening(layer.T @ layer) for layer in (x, y))
    u, correlations, _ = torch.linalg.svd(first.T @ second, full_matrices=False)
    return correlations.clamp(0, 1), first @ u


def _leading(x: Tensor, share: float) -> Tensor:
    """The leading principal components that hold a share of the variance."""
    u, s, _ = torch.linalg.svd(x, full_matrices=False)
    held = s.square().cumsum(0) / s.square().sum()
    n = int((held < share - 1e-12).sum()) + 1
    return u[:, :n] * s[:n]


def svcca(x: Float[Tensor, "n p"], y: Float[Tensor, "m q"], share: float = 0.99) -> float:
    """Mean canonical correlation of the principal components that hold a share of the variance (Raghu et al. 2017).

    Raises:
        ValueError: if the numbers of samples differ, a layer is not finite or constant, or the share is not in (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share of the variance must be above 0 and at most 1, not {share}")
    x, y = _centered(x, y)
    return float(_cca(_leading(x, share), _leading(y, share))[0].mean())


def pwcca(x: Float[Tensor, "n p"], y: Float[Tensor, "m q"]) -> float:
    """Canonical correlations, weighted by how much of x each canonical variable accounts for (Morcos et al. 2018).

    Raises:
        ValueError: if the numbers of samples differ, or a layer is not finite or constant.
    """
    x, y = _centered(x, y)
    correlations, variables = _cca(x, y)
    weights = (variables.T @ x).abs().sum(1)
    return float((weights * correlations).sum() / weights.sum())


def procrustes(x: Float[Tensor, "n p"], y: Float[Tensor, "m q"]) -> float:
    """1 - d²/2, d being the distance of the layers, of Frobenius norm 1, after the best rotation: |X'Y|_* / (|X| |Y|).

    Raises:
        ValueError: if the numbers of samples differ, or a layer is not finite or constant.
    """
    x, y = _centered(x, y)
    return float(torch.linalg.matrix_norm(x.T @ y, "nuc") / (x.norm() * y.norm()))
