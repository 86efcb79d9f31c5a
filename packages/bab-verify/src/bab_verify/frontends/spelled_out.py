"""PyTorch's layers in elementary operations, for modules in double precision on their way through ONNX.

The attributes of ONNX's operators are numbers of single precision: a slope of 0.01 or an epsilon of 1e-5 would be
rounded to them. Tensors are not.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .torch_layers import SELU_ALPHA, SELU_SCALE


@contextmanager
def spelled_out(module: nn.Module) -> Iterator[None]:
    """Within a block, layers whose operators would have attributes do the same by elementary operations.

    Args:
        module: In evaluation mode. Layers with a forward method of their own stay as they are.
    """
    changed = [one for one in module.modules() if type(one) in _FORMS and "forward" not in vars(one)]
    for one in changed:
        one.forward = partial(_FORMS[type(one)], one)
    try:
        yield
    finally:
        for one in changed:
            del one.forward


def _like(x: Tensor, number: float) -> Tensor:
    """A number as a tensor, which the exporters keep as it is."""
    return torch.tensor(number, dtype=x.dtype, device=x.device)


def _leaky_relu(layer: nn.LeakyReLU, x: Tensor) -> Tensor:
    return x * _like(x, layer.negative_slope) + x.relu() * _like(x, 1 - layer.negative_slope)


def _exponential(x: Tensor, alpha: float, scale: float = 1.0, input_scale: float = 1.0) -> Tensor:
    """S (max(x, 0) + a (exp(c min(x, 0)) - 1))."""
    below = (-x).relu() * _like(x, -input_scale)
    return x.relu() * _like(x, scale) + (below.exp() - 1) * _like(x, scale * alpha)


def _elu(layer: nn.ELU, x: Tensor) -> Tensor:
    return _exponential(x, layer.alpha)


def _selu(layer: nn.SELU, x: Tensor) -> Tensor:
    del layer
    return _exponential(x, SELU_ALPHA, SELU_SCALE)


def _celu(layer: nn.CELU, x: Tensor) -> Tensor:
    return _exponential(x, layer.alpha, input_scale=1 / layer.alpha)


def _hard_sigmoid(layer: nn.Hardsigmoid, x: Tensor) -> Tensor:
    del layer
    line = x * _like(x, 1 / 6) + 0.5
    return line.relu() - (line - 1).relu()


def _batch_norm(layer: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d, x: Tensor) -> Tensor:
    variance = None if layer.running_var is None else layer.running_var + _like(x, layer.eps)
    eps = layer.eps if variance is None else 0.0
    return F.batch_norm(x, layer.running_mean, variance, layer.weight, layer.bias, variance is None, 0.0, eps)


def _layer_norm(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    dims = tuple(range(-len(layer.normalized_shape), 0))
    centered = x - x.mean(dims, keepdim=True)
    variance = (centered * centered).mean(dims, keepdim=True)
    value = centered / torch.sqrt(variance + _like(x, layer.eps))
    value = value if layer.weight is None else value * layer.weight
    return value if layer.bias is None else value + layer.bias


_FORMS: dict[type[nn.Module], Callable[[Any, Tensor], Tensor]] = {
    nn.LeakyReLU: _leaky_relu,
    nn.ELU: _elu,
    nn.SELU: _selu,
    nn.CELU: _celu,
    nn.Hardsigmoid: _hard_sigmoid,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm3d: _batch_norm,
    nn.LayerNorm: _layer_norm,
}
