"""Optimally tuned ridge regression, which has no peak, to compare with (Nakkiran et al. 2020)."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from .filters import ridge_factors
from .fitting import as_problem
from .matrices import Array, as_matrix, as_targets

ALPHAS = tuple(float(alpha) for alpha in np.logspace(-8, 0, 17))
"""Penalties relative to h_max that are tried."""


def ridge_path(features: Array, targets: Array, alphas: Sequence[float]) -> Float64[Tensor, "alphas p c"]:
    """The weights of ridge regression, the least of ||ZW − Y||² / 2N + α ||W||² / 2, for each α, from one SVD.

    Args:
        features: Z, (N, P).
        targets: Labels (N,), or numbers (N,) or (N, C).
        alphas: α, absolute; 0 is least squares.

    Raises:
        ValueError: if an input is wrong or an α is negative.
    """
    if not alphas or min(alphas) < 0:
        raise ValueError(f"penalties must not be negative, and there must be one: {list(alphas)}")
    problem = as_problem(features, targets)
    found = problem.spectrum
    weights = [problem.weights(ridge_factors(found.h, alpha)[..., None] * problem.solution)[0] for alpha in alphas]
    return torch.stack(weights)


def tuned_ridge(
    features: Array, targets: Array, features_val: Array, targets_val: Array, alphas: Sequence[float] | None = None
) -> tuple[float, Float64[Tensor, "p c"]]:
    """The penalty of the lowest validation error, and its weights.

    Args:
        features: Z, (N, P).
        targets: Labels (N,), or numbers (N,) or (N, C).
        features_val: Features of the validation samples, (M, P).
        targets_val: Their targets.
        alphas: Penalties to choose from; by default 17 from 1e-8 to 1 times h_max.

    Raises:
        ValueError: if an input is wrong.
    """
    z = as_matrix(features)
    y = as_targets(targets, len(z))
    z_val = as_matrix(features_val, "validation features").to(z)
    y_val = as_targets(targets_val, len(z_val), y.shape[1]).to(z)
    if alphas is None:
        h_max = float(torch.linalg.matrix_norm(z, 2).square()) / len(z)
        alphas = [alpha * h_max for alpha in ALPHAS]
    weights = ridge_path(z, y, alphas)
    errors = (z_val @ weights - y_val).square().mean((1, 2))
    best = int(errors.argmin())
    return float(alphas[best]), weights[best]
