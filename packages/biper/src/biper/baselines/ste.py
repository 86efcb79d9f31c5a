"""BNN (Hubara et al. 2016): the sign with the straight-through gradient, of weights and activations."""

from torch import Tensor

from biper.binarizers import sign_ste
from biper.layers import BinaryConv2d, BinaryLinear

from .clipped import ClippedLayer


class STELayer(ClippedLayer):
    """b = sgn(w), whose gradient passes where |w| <= 1; so do those of activations. There is no scale.

    Latent weights are clipped to [-1, 1] after each step. A batch normalization after the layer takes the scale's part.
    """

    method = "ste"

    def effective_weight(self) -> Tensor:
        """sgn(w) with the straight-through gradient."""
        return sign_ste(self.weight, zero_is_one=self.zero_is_one)

    def binary_input(self, x: Tensor) -> Tensor:
        """sgn(x) with the straight-through gradient."""
        return sign_ste(x, zero_is_one=self.zero_is_one)


class STEConv2d(STELayer, BinaryConv2d):
    """BNN's convolution; its arguments are those of `nn.Conv2d`, `binarize_input` and `zero_is_one`."""


class STELinear(STELayer, BinaryLinear):
    """BNN's linear map; its arguments are those of `nn.Linear`, `binarize_input` and `zero_is_one`."""
