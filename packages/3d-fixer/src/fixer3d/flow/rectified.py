"""Rectified flow: a straight path from data to noise, and the velocity that a network learns along it."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

SIGMA_MIN = 1e-5
"""What is left of the noise at time 0."""

Data = Float[Tensor, "batch *shape"]
Times = Float[Tensor, "batch"]


class RectifiedFlow:
    """The path `x_t = (1 - t) x_0 + (σ + (1 - σ) t) ε` with its velocity `v = (1 - σ) ε - x_0`, for t from 0 to 1.

    A network is given 1000 t.

    Args:
        sigma_min: σ, the noise at time 0.
    """

    def __init__(self, sigma_min: float = SIGMA_MIN) -> None:
        self.sigma_min = sigma_min

    def noised(self, x0: Data, eps: Data, t: Times) -> Data:
        """The point of each path at its time.

        Args:
            x0: Data.
            eps: Standard normal noise.
            t: Times, 0 to 1.
        """
        t = t.reshape(-1, *[1] * (x0.ndim - 1))
        return (1 - t) * x0 + (self.sigma_min + (1 - self.sigma_min) * t) * eps

    def target(self, x0: Data, eps: Data) -> Data:
        """The velocity, the same at all times."""
        return (1 - self.sigma_min) * eps - x0

    def data_from_velocity(self, x: Data, v: Data, t: Times) -> Data:
        """The data at the end of the path, if the velocity at a point is the right one."""
        t = t.reshape(-1, *[1] * (x.ndim - 1))
        return (1 - self.sigma_min) * x - (self.sigma_min + (1 - self.sigma_min) * t) * v

    def loss(self, v: Data, x0: Data, eps: Data) -> Float[Tensor, ""]:
        """The mean squared error of a network's velocity, in single precision."""
        return F.mse_loss(v.float(), self.target(x0, eps).float())


def sample_times(n: int, generator: torch.Generator, mean: float = 1.0, std: float = 1.0) -> Times:
    """Times for training, `sigmoid(N(mean, std))`: with a mean of 1, more of them near the noise.

    Args:
        n: How many.
        generator: Draws them, on its device.
        mean: Mean of the normal distribution.
        std: Its standard deviation.
    """
    return (mean + std * torch.randn(n, generator=generator, device=generator.device)).sigmoid()
