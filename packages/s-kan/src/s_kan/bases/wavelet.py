"""Mexican hat wavelets."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .base import Basis


class MexicanHat(Basis):
    """(1 - z²) exp(-z²/2) with z = (x - c_i) / s_i.

    The centers c are uniform on [-1, 1], and the scales s are their distance, unless they are trained.

    Args:
        n: Number of functions, at least two.
        is_trainable: Train centers and scales, too.

    Raises:
        ValueError: if there are fewer functions.
    """

    least = 2
    centers: Tensor
    scales: Tensor

    def __init__(self, n: int = 8, *, is_trainable: bool = False) -> None:
        super().__init__(n)
        for name, value in (("centers", torch.linspace(-1, 1, n)), ("scales", torch.full((n,), 2 / (n - 1)))):
            if is_trainable:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value, persistent=False)

    def forward(self, x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The value of every wavelet."""
        squared = ((x[..., None] - self.centers) / self.scales).square()
        return (1 - squared) * torch.exp(-0.5 * squared)
