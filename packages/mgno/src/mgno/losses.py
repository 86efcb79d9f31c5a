"""Losses of operator learning by name, each an error of every sample.

The relative errors are those of `separata.pde`: `relative_l2`, `RelativeH1` and `relative_h1`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from separata.pde import RelativeH1, relative_h1, relative_l2

from .configs import LossName

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of predicted and true functions, (n, channels, height, width): an error of each sample, (n,)."""


@dataclass(frozen=True)
class HelmholtzLoss:
    """`sqrt(Σ 10 e² + e_x² + e_y²)` of each sample, not relative, as published for the Helmholtz equation.

    Derivatives are differences on a grid with the spacing 1/height and 1/width, central ones inside and one-sided ones
    at the edge (of first order, as published); the sum is over the points.

    Attributes:
        value_weight: Of the values against the gradient.
    """

    value_weight: float = 10.0

    def __call__(self, pred: Float[Tensor, "n c h w"], true: Float[Tensor, "n c h w"]) -> Float[Tensor, "n"]:
        """The error of each sample.

        Raises:
            ValueError: if the plane has fewer than 2 x 2 points.
        """
        error = pred - true
        if min(error.shape[-2:]) < 2:
            raise ValueError(f"a gradient needs at least 2 x 2 points, not {tuple(error.shape[-2:])}")
        spacing = [1 / points for points in error.shape[-2:]]
        slopes = torch.gradient(error, spacing=spacing, dim=(-2, -1))
        squares = self.value_weight * error.square() + sum(slope.square() for slope in slopes)
        return squares.flatten(1).sum(1).sqrt()


def make_loss(name: LossName, h1_weight: float = 1.0) -> Loss:
    """A loss: h1 and l2 as published for Darcy and Navier-Stokes, helmholtz for Helmholtz.

    Args:
        name: h1 has the Fourier weights of `RelativeH1`, h1-differences the gradient by differences, for functions
            that are not periodic.
        h1_weight: Of the gradient in h1 and h1-differences.

    Raises:
        ValueError: if there is no such loss.
    """
    if name == "h1":
        return RelativeH1(h1_weight)
    if name == "l2" or (name == "h1-differences" and not h1_weight):
        return relative_l2
    if name == "helmholtz":
        return HelmholtzLoss()
    if name != "h1-differences":
        raise ValueError(f"the losses are h1, l2, h1-differences and helmholtz, not {name}")

    def by_differences(pred: Tensor, true: Tensor) -> Tensor:
        # A gradient with so many times the weight is one with so much smaller a spacing.
        return relative_h1(pred, true, [1 / (h1_weight * (points - 1)) for points in true.shape[-2:]])

    return by_differences
