"""The quadratic activation: what the paper's theorems compare quadratic neurons with."""

from jaxtyping import Float
from torch import Tensor, nn


class QuadraticActivation(nn.Module):
    """x ∘ x, so that after an `nn.Linear`, neurons compute (w·x + b)².

    Such a neuron has as many parameters as a conventional one, and reaches only perfect squares: a family of d + 1
    dimensions, where quadratic neurons have min((d + 1)(d + 2)/2, 3d + 2).
    """

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The squares of the inputs."""
        return x * x
