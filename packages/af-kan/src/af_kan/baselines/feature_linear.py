"""A linear map of all basis functions of all coordinates: what most Kolmogorov-Arnold layers come to."""

from jaxtyping import Float
from torch import Tensor, nn


class FeatureLinear(nn.Linear):
    """Σ_di W_odi F_di (+ b_o), as one matrix product.

    Args:
        in_features: Coordinates d.
        n_functions: Basis functions of each.
        out_features: Outputs.
        bias: Whether to add one.
    """

    def __init__(self, in_features: int, n_functions: int, out_features: int, *, bias: bool = False) -> None:
        super().__init__(in_features * n_functions, out_features, bias=bias)

    def forward(self, features: Float[Tensor, "*batch d n"]) -> Float[Tensor, "*batch outputs"]:
        """The outputs."""
        return super().forward(features.flatten(-2))
