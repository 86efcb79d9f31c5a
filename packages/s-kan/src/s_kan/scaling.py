"""A network with its inputs scaled to [-1, 1] and its outputs scaled back, in one module."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def standardized_mse(y: Float[Tensor, "n outputs"]) -> Callable[[Tensor, Tensor], Tensor]:
    """The mean squared error in units of the targets' variances, whatever their units."""
    spread = y.std(0, unbiased=False)
    weight = torch.where(spread > 0, spread, 1.0).square().reciprocal()

    def loss(predicted: Tensor, target: Tensor) -> Tensor:
        return ((predicted - target).square() * weight).mean()

    return loss


class Scaled(nn.Module):
    """y = shift + scale * network((x - center) / radius), feature by feature.

    Args:
        network: Takes inputs in [-1, 1].
        n_in: Features.
        n_out: Outputs.

    Attributes:
        center, radius: Middle and half of the range of each feature.
        shift, scale: Mean and standard deviation of each output.
    """

    center: Tensor
    radius: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(self, network: nn.Module, n_in: int, n_out: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("center", torch.zeros(n_in))
        self.register_buffer("radius", torch.ones(n_in))
        self.register_buffer("shift", torch.zeros(n_out))
        self.register_buffer("scale", torch.ones(n_out))

    @torch.no_grad()
    def calibrate(
        self, x: Float[Tensor, "n features"], y: Float[Tensor, "n outputs"] | Int[Tensor, "n"] | None = None
    ) -> "Scaled":
        """Take the ranges of the features, and the means and spreads of the targets where they are numbers.

        What is constant keeps its size.
        """
        low, high = x.amin(0), x.amax(0)
        self.center.copy_((low + high) / 2)
        self.radius.copy_(torch.where(high > low, (high - low) / 2, 1.0))
        if y is not None and y.is_floating_point():
            spread = y.std(0, unbiased=False)
            self.shift.copy_(y.mean(0))
            self.scale.copy_(torch.where(spread > 0, spread, 1.0))
        return self

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch outputs"]:
        """The outputs in their own units."""
        return self.shift + self.scale * self.network((x - self.center) / self.radius)
