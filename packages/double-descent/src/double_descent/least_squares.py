"""The problem that is solved: linear weights on fixed features, several seeds at once."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float64
from torch import Tensor

from .spectra import RCOND, Spectrum, spectrum


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """L(W) = ||ZW − Y||² / 2N for each of several seeds, with its spectrum.

    In the coordinates c = Vᵀ W the features are A = U S, with min(N, P) columns however large P is, and the Hessian is
    diag(h). What of W is orthogonal to V never changes. Every optimizer whose steps are combinations of gradients (all
    but Adam) has the same iterates in these coordinates, where a step costs N min(N, P) C or less.

    Args:
        features: Z, (seeds, N, P).
        targets: Y, (seeds, N, C).
        rcond: Share of the largest singular value below which one counts as zero.
    """

    features: Float64[Tensor, "seeds n p"]
    targets: Float64[Tensor, "seeds n c"]
    rcond: float = RCOND
    spectrum: Spectrum = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spectrum", spectrum(self.features, self.rcond))

    @property
    def n_seeds(self) -> int:
        """Number of problems."""
        return len(self.features)

    @property
    def n_samples(self) -> int:
        """N."""
        return self.features.shape[1]

    @property
    def n_features(self) -> int:
        """P."""
        return self.features.shape[2]

    @property
    def n_outputs(self) -> int:
        """C."""
        return self.targets.shape[2]

    @property
    def solution(self) -> Float64[Tensor, "seeds r c"]:
        """The least-squares solution of least norm in the coordinates of V: S⁻¹ Uᵀ Y."""
        found = self.spectrum
        return found.inverse[..., None] * (found.u.mT @ self.targets)

    @property
    def reduced(self) -> Float64[Tensor, "seeds n r"]:
        """A = U S, the features in the coordinates of V."""
        return self.spectrum.u * self.spectrum.s[:, None, :]

    def coordinates(self, weights: Float64[Tensor, "seeds p c"]) -> Float64[Tensor, "seeds r c"]:
        """Weights in the coordinates of V."""
        return self.spectrum.vh @ weights

    def weights(
        self, coordinates: Float64[Tensor, "seeds r c"], init: Float64[Tensor, "seeds p c"] | None = None
    ) -> Float64[Tensor, "seeds p c"]:
        """Weights from their coordinates, and from what the initial weights have outside of V."""
        if init is None:
            return self.spectrum.vh.mT @ coordinates
        return self.spectrum.vh.mT @ (coordinates - self.coordinates(init)) + init

    def loss(self, weights: Float64[Tensor, "seeds p c"]) -> Float64[Tensor, "seeds"]:
        """L(W) of each seed."""
        return (self.features @ weights - self.targets).square().sum((1, 2)) / (2 * self.n_samples)


def stacked(features: Float64[Tensor, "n p"], targets: Float64[Tensor, "n c"], rcond: float = RCOND) -> LeastSquares:
    """The problem of one seed.

    Raises:
        ValueError: if the features are all zero.
    """
    return LeastSquares(features[None], targets[None], rcond)


def initial_weights(
    n_features: int, n_outputs: int, std: float, seeds: tuple[int, ...] | list[int]
) -> Float64[Tensor, "seeds p c"] | None:
    """Gaussian weights of each seed; None, for zero, where the standard deviation is zero."""
    if std == 0:
        return None
    drawn = [
        torch.randn(n_features, n_outputs, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed in seeds
    ]
    return std * torch.stack(drawn)
