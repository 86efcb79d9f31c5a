"""Bi-Real Net (Liu et al. 2018): a tighter gradient of activations, and magnitude-aware gradients of weights."""

from jaxtyping import Float
from torch import Tensor

from biper.binarizers import sign_activation, sign_ste
from biper.layers import BinaryConv2d, BinaryLinear

from .clipped import ClippedLayer


class BiRealLayer(ClippedLayer):
    """b = sgn(w) with the scale mean|w| of each output as a constant, so that gradients are larger for larger weights.

    The sign of activations has the gradient of a piecewise quadratic, max(0, 2 - 2|a|).
    """

    method = "bireal"

    def effective_weight(self) -> Tensor:
        """sgn(w) with the straight-through gradient."""
        return sign_ste(self.weight, zero_is_one=self.zero_is_one)

    def scale(self) -> Float[Tensor, "outputs"]:
        """mean|w| of each output, a constant to the gradient."""
        return self.weight.detach().flatten(1).abs().mean(1)

    def binary_input(self, x: Tensor) -> Tensor:
        """sgn(x) with the piecewise quadratic's gradient."""
        return sign_activation(x, zero_is_one=self.zero_is_one)


class BiRealConv2d(BiRealLayer, BinaryConv2d):
    """Bi-Real Net's convolution; its arguments are those of `nn.Conv2d`, `binarize_input` and `zero_is_one`."""


class BiRealLinear(BiRealLayer, BinaryLinear):
    """Bi-Real Net's linear map; its arguments are those of `nn.Linear`, `binarize_input` and `zero_is_one`."""
