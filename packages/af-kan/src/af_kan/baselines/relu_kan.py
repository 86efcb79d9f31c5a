"""ReLU-KAN, from which AF-KAN comes: products of ReLUs, and a weight for each basis function of each coordinate."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from af_kan.configs import Norm
from af_kan.layers.grids import uniform_grid
from af_kan.layers.norms import make_norm
from af_kan.stack import LayerStack, check_widths

from .feature_linear import FeatureLinear


def relu_basis(
    x: Float[Tensor, "*batch d"], low: Float[Tensor, "d n"], high: Float[Tensor, "d n"], peak: float
) -> Float[Tensor, "*batch d n"]:
    """R_i(x) = (relu(e_i - x) relu(x - s_i) r)², with r the `peak` factor."""
    at = x[..., None]
    return ((high - at).relu() * (at - low).relu() * peak).square()


class ReLUKANLinear(nn.Module):
    """A ReLU-KAN layer: y = W R(norm(x)) + b, with g + k basis functions for each coordinate.

    With the factor r = 4 g² / (k + 1)², a basis function is exactly 1 at its peak. Each coordinate has a trainable grid
    of its own. (g + k) in_features out_features weights: six times AF-KAN's at g = k = 3.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        grid_size: g.
        order: k.
        norm: Normalization of the input.
        trainable_grid: Train the ends of the basis functions.

    Raises:
        ValueError: if a setting is out of its range.
    """

    low: Tensor
    high: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        grid_size: int = 3,
        order: int = 3,
        norm: Norm = "layer",
        *,
        trainable_grid: bool = True,
    ) -> None:
        super().__init__()
        self.norm = make_norm(norm, in_features)
        for name, ends in zip(("low", "high"), uniform_grid(grid_size, order), strict=True):
            of_each = ends.expand(in_features, -1).clone()
            if trainable_grid:
                setattr(self, name, nn.Parameter(of_each))
            else:
                self.register_buffer(name, of_each)
        self.peak = 4 * grid_size**2 / (order + 1) ** 2
        self.linear = FeatureLinear(in_features, grid_size + order, out_features, bias=True)

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch outputs"]:
        """The outputs."""
        return self.linear(relu_basis(self.norm(x), self.low, self.high, self.peak))


class ReLUKAN(LayerStack):
    """Layers of ReLU-KAN.

    Args:
        widths: Width of the input, of each hidden layer, and of the output.
        grid_size: g.
        order: k.
        norm: Normalization of each layer's input.
        trainable_grid: Train the ends of the basis functions.
    """

    def __init__(
        self,
        widths: Sequence[int],
        grid_size: int = 3,
        order: int = 3,
        norm: Norm = "layer",
        *,
        trainable_grid: bool = True,
    ) -> None:
        pairs = check_widths(widths)
        layers = (ReLUKANLinear(*pair, grid_size, order, norm, trainable_grid=trainable_grid) for pair in pairs)
        super().__init__(widths, layers)
