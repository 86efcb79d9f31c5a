"""Errors of predicted functions, as operator learning reports and trains on them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks


def relative_l2(pred: Float[Tensor, "n *shape"], true: Float[Tensor, "n *shape"]) -> Float[Tensor, "n"]:
    """`‖pred - true‖ / ‖true‖` of each sample, over all its values; take the mean for a report or a loss.

    Raises:
        ValueError: if the shapes differ or a true sample is zero everywhere.
    """
    _check_same(pred, true)
    return _ratio(_norm(pred - true), _norm(true))


@dataclass(frozen=True)
class RelativeH1:
    """The relative H1 error with Fourier weights: `‖W F(pred - true)‖ / ‖W F true‖` of each sample.

    F is the orthonormal discrete Fourier transform over the last two axes and `W = sqrt(1 + weight² (k_x² + k_y²))`
    with integer wavenumbers, in which a wavenumber k with |k| >= max_mode counts as 0: high modes weigh as in L2. A
    function that is not periodic has a jump at the edge, which this error takes for high modes; `relative_h1` does not.

    Attributes:
        weight: Of the gradient; with 0 it is `relative_l2`.
        max_mode: The first wavenumber on each axis that is left out of the weights; `None` keeps all.
    """

    weight: float = 1.0
    max_mode: int | None = 20

    def __post_init__(self) -> None:
        checks.not_negative("weight", self.weight)
        if self.max_mode is not None:
            checks.count("max_mode", self.max_mode)

    def __call__(
        self, pred: Float[Tensor, "n *channels h w"], true: Float[Tensor, "n *channels h w"]
    ) -> Float[Tensor, "n"]:
        """The error of each sample.

        Raises:
            ValueError: if the shapes differ, samples are no planes, or a true sample is zero everywhere.
        """
        _check_same(pred, true)
        if true.ndim < 3:
            raise ValueError(f"samples must be functions on a plane, (n, ..., h, w), not {tuple(true.shape)}")
        ky, kx = (self._wavenumbers(size, true) for size in true.shape[-2:])
        weights = (1 + self.weight**2 * (ky[:, None].square() + kx.square())).sqrt()
        error, size = (weights * torch.fft.fft2(part, norm="ortho").abs() for part in (pred - true, true))
        return _ratio(_norm(error), _norm(size))

    def _wavenumbers(self, size: int, like: Tensor) -> Tensor:
        k = torch.fft.fftfreq(size, 1 / size, dtype=like.dtype, device=like.device).abs()
        return k if self.max_mode is None else torch.where(k < self.max_mode, k, 0.0)


def h1_norm(
    error: Float[Tensor, "n *channels h w"], spacing: float | Sequence[float], *, value_weight: float = 1.0
) -> Float[Tensor, "n"]:
    """`sqrt(Σ value_weight e² + e_x² + e_y²)` of each sample, with second-order differences (`torch.gradient`).

    The sum is over the points and not scaled by the size of a cell.

    Args:
        error: Functions on a plane, at least three points each way.
        spacing: Distance of neighboring points; one, or one for each axis.
        value_weight: Weight of the values against that of the gradient.

    Raises:
        ValueError: if the plane is too small, or spacing or weight is not positive.
    """
    distances = [spacing] * 2 if isinstance(spacing, float | int) else list(spacing)
    for distance in distances:
        checks.positive("spacing", distance)
    checks.not_negative("value_weight", value_weight)
    if error.ndim < 3 or min(error.shape[-2:]) < 3:
        raise ValueError(f"error must be functions on a plane of at least 3 x 3 points, not {tuple(error.shape)}")
    slopes = torch.gradient(error, spacing=distances, dim=(-2, -1), edge_order=2)
    return _norm(torch.stack([math.sqrt(value_weight) * error, *slopes], 1))


def relative_h1(
    pred: Float[Tensor, "n *channels h w"],
    true: Float[Tensor, "n *channels h w"],
    spacing: float | Sequence[float],
    *,
    value_weight: float = 1.0,
) -> Float[Tensor, "n"]:
    """The relative H1 error of each sample by finite differences: a ratio of `h1_norm`, for any boundary condition.

    Raises:
        ValueError: if the shapes differ, the plane is too small, or a true sample is zero everywhere.
    """
    _check_same(pred, true)
    top = h1_norm(pred - true, spacing, value_weight=value_weight)
    return _ratio(top, h1_norm(true, spacing, value_weight=value_weight))


def mse_without_outliers(
    pred: Float[Tensor, "*shape"], true: Float[Tensor, "*shape"], fraction: float = 1e-3
) -> Float[Tensor, ""]:
    """The mean squared error without the largest squared errors.

    Args:
        pred: Predictions.
        true: Their targets.
        fraction: Of the values, rounded up to a whole number of them, is left out.

    Raises:
        ValueError: if the shapes differ, there are no values, or the fraction is not in [0, 1) or leaves nothing.
    """
    _check_same(pred, true)
    n = true.numel()
    # The hair keeps a product such as 0.001 * 3000, which is 3.0000000000000004 at worst, from being rounded up.
    dropped = math.ceil(n * fraction - 1e-9) if 0 <= fraction < 1 else n
    if dropped >= n:
        raise ValueError(f"fraction must be in [0, 1) and leave some of {n} values, not {fraction}")
    return (pred - true).square().flatten().sort().values[: n - dropped].mean()


def _check_same(pred: Tensor, true: Tensor) -> None:
    if pred.shape != true.shape:
        raise ValueError(f"pred and true must have the same shape, not {tuple(pred.shape)} and {tuple(true.shape)}")
    if not true.numel():
        raise ValueError("there are no values to compare")


def _norm(samples: Tensor) -> Tensor:
    return torch.linalg.vector_norm(samples.flatten(1), dim=1)


def _ratio(error: Tensor, size: Tensor) -> Tensor:
    zero = size == 0
    if bool(zero.any()):
        raise ValueError(f"sample {int(zero.nonzero()[0])} of true is zero everywhere: it has no relative error")
    return error / size
