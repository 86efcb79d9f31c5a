"""The methods by name: how latent weights become binary, and with which gradient."""

from typing import Any, NamedTuple

from torch import nn

from .baselines.bireal import BiRealConv2d, BiRealLinear
from .baselines.recu import ReCUConv2d, ReCULinear
from .baselines.ste import STEConv2d, STELinear
from .baselines.xnor import XNORConv2d, XNORLinear
from .layers import BinaryConv2d, BinaryLayer, BinaryLinear, BiPerConv2d, BiPerLinear


class Method(NamedTuple):
    """The layers of a method."""

    conv: type[BinaryConv2d]
    linear: type[BinaryLinear]


METHODS = {
    "biper": Method(BiPerConv2d, BiPerLinear),
    "ste": Method(STEConv2d, STELinear),
    "xnor": Method(XNORConv2d, XNORLinear),
    "bireal": Method(BiRealConv2d, BiRealLinear),
    "recu": Method(ReCUConv2d, ReCULinear),
}
"""BiPer, and the baselines that its claims are compared with."""


def make_layer(method: str, module: nn.Module, **settings: Any) -> BinaryLayer:  # noqa: ANN401 - those of the layer
    """The binary layer of a method that takes the place of a convolution or a linear map, and shares its weights.

    Raises:
        ValueError: if there is no such method, or the module is neither.
    """
    if method not in METHODS:
        raise ValueError(f"there is no method {method!r}; the methods are {', '.join(METHODS)}")
    if isinstance(module, nn.Conv2d):
        return METHODS[method].conv.from_float(module, **settings)
    if isinstance(module, nn.Linear):
        return METHODS[method].linear.from_float(module, **settings)
    raise ValueError(f"only nn.Conv2d and nn.Linear become binary, not {type(module).__name__}")
