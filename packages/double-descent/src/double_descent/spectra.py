"""The singular values of a feature matrix: how hard the problem is that an optimizer has to solve."""

import math
import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from .matrices import WHY_FLOAT64, Array, as_matrix, is_single

RCOND = 1e-12
"""Singular values below this share of the largest count as zero: low enough to hide no peak."""
FLAGGED = 1e7
"""Condition number from which on single precision makes the smallest singular values noise."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A thin singular value decomposition Z = U S Vᵀ of feature matrices, of several seeds at once or of one.

    Attributes:
        u: Left singular vectors, (..., N, r) with r = min(N, P).
        s: Singular values in decreasing order, (..., r).
        vh: Right singular vectors, (..., r, P).
        rcond: Singular values of at most this share of the largest count as zero.
    """

    u: Float64[Tensor, "*seeds n r"]
    s: Float64[Tensor, "*seeds r"]
    vh: Float64[Tensor, "*seeds r p"]
    rcond: float = RCOND

    @property
    def n_samples(self) -> int:
        """N."""
        return self.u.shape[-2]

    @property
    def is_nonzero(self) -> Bool[Tensor, "*seeds r"]:
        """Which singular values count."""
        return self.s > self.rcond * self.s[..., :1]

    @property
    def h(self) -> Float64[Tensor, "*seeds r"]:
        """Eigenvalues of the Hessian ZᵀZ / N, h_i = s_i² / N; zero where the singular value counts as zero."""
        return torch.where(self.is_nonzero, self.s.square() / self.n_samples, 0.0)

    @property
    def h_max(self) -> Float64[Tensor, "*seeds"]:
        """The largest, to which learning rates relate."""
        return self.h[..., 0]

    @property
    def inverse(self) -> Float64[Tensor, "*seeds r"]:
        """1 / s_i; zero where s_i counts as zero."""
        return torch.where(self.is_nonzero, 1 / self.s.clamp(min=torch.finfo(torch.float64).tiny), 0.0)

    @property
    def rank(self) -> Float64[Tensor, "*seeds"]:
        """Number of singular values that count."""
        return self.is_nonzero.sum(-1).double()

    @property
    def smallest(self) -> Float64[Tensor, "*seeds"]:
        """The smallest singular value that counts."""
        return torch.where(self.is_nonzero, self.s, math.inf).amin(-1)

    @property
    def condition_number(self) -> Float64[Tensor, "*seeds"]:
        """The ratio of the largest to the smallest singular value that counts."""
        return self.s[..., 0] / self.smallest


def spectrum(features: Float64[Tensor, "*seeds n p"], rcond: float = RCOND) -> Spectrum:
    """Decompose feature matrices, by one singular value decomposition each.

    Raises:
        ValueError: if a matrix is zero.
    """
    u, s, vh = torch.linalg.svd(features, full_matrices=False)
    if not bool((s[..., 0] > 0).all()):
        raise ValueError("all features are zero")
    return Spectrum(u, s, vh, rcond)


def condition_number(features: Array, rcond: float | None = None) -> float:
    """The condition number κ = s_max / s_min of a feature matrix, over its min(N, P) singular values.

    Exact duplicates among the samples (P >= N) or the columns (P <= N) make it infinite; a warning says so. Features in
    single precision are decomposed in double; where κ is then above 1e7, a warning says that the smallest singular
    values are made of rounding.

    Args:
        features: Z, (N, P).
        rcond: Share of the largest singular value below which the smallest counts as zero; 1e-12 if not given.

    Raises:
        ValueError: if they are no matrix of finite numbers.
    """
    matrix = as_matrix(features)
    s = torch.linalg.svdvals(matrix)
    if float(s[0]) == 0:
        raise ValueError("all features are zero")
    kappa = math.inf if s[-1] <= (RCOND if rcond is None else rcond) * s[0] else float(s[0] / s[-1])
    warn_of(matrix, kappa, is_rounded=is_single(features))
    return kappa


def warn_of(matrix: Float64[Tensor, "n p"], kappa: float, *, is_rounded: bool) -> None:
    """Warn of what makes a condition number meaningless: duplicates, and single precision."""
    if math.isinf(kappa):
        n, p = matrix.shape
        copies = {"samples": n - len(matrix.unique(dim=0)), "columns": p - matrix.unique(dim=1).shape[1]}
        told = [f"{count} {name}" for name, count in copies.items() if count]
        if told:
            warnings.warn(
                f"{' and '.join(told)} occur more than once, exactly: take the copies out, which make the condition "
                "number infinite",
                stacklevel=3,
            )
    elif is_rounded and kappa > FLAGGED:
        warnings.warn(
            f"the features are in single precision and their condition number is {kappa:.1e}: {WHY_FLOAT64}; "
            "compute them in float64",
            stacklevel=3,
        )
