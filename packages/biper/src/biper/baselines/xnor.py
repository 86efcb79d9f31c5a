"""XNOR-Net (Rastegari et al. 2016): signs scaled by the mean magnitude of each filter."""

from jaxtyping import Float
from torch import Tensor

from biper.binarizers import sign_ste
from biper.layers import BinaryConv2d, BinaryLinear

from .clipped import ClippedLayer


class XNORLayer(ClippedLayer):
    """b = sgn(w) with the straight-through gradient, and the scale mean|w| of each output, whose gradient flows, too.

    The gradient of a weight is thus that of XNOR-Net's section 3.1: the scale times the straight-through one, and a
    term of the scale. The scales K of the inputs are left out, as most implementations do.
    """

    method = "xnor"

    def effective_weight(self) -> Tensor:
        """sgn(w) with the straight-through gradient."""
        return sign_ste(self.weight, zero_is_one=self.zero_is_one)

    def scale(self) -> Float[Tensor, "outputs"]:
        """mean|w| of each output."""
        return self.weight.flatten(1).abs().mean(1)

    def binary_input(self, x: Tensor) -> Tensor:
        """sgn(x) with the straight-through gradient."""
        return sign_ste(x, zero_is_one=self.zero_is_one)


class XNORConv2d(XNORLayer, BinaryConv2d):
    """XNOR-Net's convolution; its arguments are those of `nn.Conv2d`, `binarize_input` and `zero_is_one`."""


class XNORLinear(XNORLayer, BinaryLinear):
    """XNOR-Net's linear map; its arguments are those of `nn.Linear`, `binarize_input` and `zero_is_one`."""
